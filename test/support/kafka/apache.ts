import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KAFKA_VERSION, NoBroker, POM, type RunningBroker } from './broker.ts'

/** Apache Kafka from its Maven artifacts on the machine's Java: one KRaft node on loopback, its data in a temporary folder. */

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const JARS = join(ROOT, '.tools', `kafka-${KAFKA_VERSION}`)
const OLDEST_JAVA = 17
const START_TRIES = 3
const START_MS = 90_000
const STOP_MS = 15_000

const java = (): string => (process.env['JAVA_HOME'] === undefined ? 'java' : join(process.env['JAVA_HOME'], 'bin', 'java'))

const checkJava = (): void => {
  const { stderr, error } = spawnSync(java(), ['-version'], { encoding: 'utf8' })
  const major = Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0)
  if (error !== undefined || major === 0) throw new NoBroker(`no Java ${OLDEST_JAVA} or newer on this machine`)
  if (major < OLDEST_JAVA) throw new NoBroker(`Java ${major} is here, Kafka ${KAFKA_VERSION} needs ${OLDEST_JAVA} or newer`)
}

/** Fetches the jars once, into a staging folder that is renamed when it is whole: several runs may do this at the same time. */
const fetchJars = (): void => {
  if (existsSync(JARS)) return
  mkdirSync(join(ROOT, '.tools'), { recursive: true })
  const staging = mkdtempSync(join(ROOT, '.tools', 'staging-kafka-'))
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${staging}`]
  const { status, error, stdout } = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], { encoding: 'utf8', timeout: 300_000 })
  if (status === 0 && existsSync(join(staging, `kafka_2.13-${KAFKA_VERSION}.jar`))) {
    try {
      renameSync(staging, JARS)
      return
    } catch (cause) {
      if (!existsSync(JARS)) throw cause
    }
  }
  rmSync(staging, { recursive: true, force: true })
  if (existsSync(JARS)) return
  if (error !== undefined) throw new NoBroker(`Maven (mvn) is needed once to fetch Kafka ${KAFKA_VERSION}: ${error.message}`)
  throw new NoBroker(`Maven could not fetch Kafka ${KAFKA_VERSION}: ${stdout.trim().split('\n')[0] ?? ''}`)
}

/** Ports that were free a moment ago. */
const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.on('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** What a broker has besides its one listener without TLS and login, for tests of those. */
export interface BrokerExtras {
  /** Listeners by name, each with its security protocol; each gets a port of its own. */
  readonly listeners: Readonly<Record<string, 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'>>
  /** Settings, given a folder that goes with the broker. */
  readonly settings: (dir: string) => Readonly<Record<string, string>>
  /** Arguments of the format, like users. */
  readonly formatArgs?: readonly string[]
  /** System properties of its Java. */
  readonly properties?: (dir: string) => readonly string[]
}

/** Addresses by listener. */
export interface ExtraBroker extends RunningBroker {
  readonly listeners: Readonly<Record<string, string>>
}

const NO_EXTRAS: BrokerExtras = { listeners: {}, settings: () => ({}) }

const settings = (ports: Readonly<Record<string, number>>, dir: string, extras: BrokerExtras): string => {
  const at = (names: readonly string[]): string => names.map((name) => `${name}://127.0.0.1:${ports[name]}`).join()
  const own = { PLAINTEXT: 'PLAINTEXT', ...extras.listeners }
  const protocols = Object.entries({ ...own, CONTROLLER: 'PLAINTEXT' }).map((pair) => pair.join(':'))
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${ports['CONTROLLER']}`,
    listeners: at([...Object.keys(own), 'CONTROLLER']),
    'advertised.listeners': at(Object.keys(own)),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': protocols.join(),
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(dir, 'logs'),
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.segment.bytes': 134_217_728,
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    // Compaction is looked at every 15 s by default; a test waits for it.
    'log.cleaner.backoff.ms': 500,
    'num.network.threads': 2,
    'num.io.threads': 4,
    ...extras.settings(dir),
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

const format = (config: string, more: readonly string[] = []): void => {
  const args = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', join(JARS, '*'), 'kafka.tools.StorageTool']
  const how = ['format', '--standalone', '-t', '4L6g3nShT-eMCtK--X86sw', '-c', config, ...more]
  const { status, stdout, stderr } = spawnSync(java(), [...args, ...how], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Kafka could not format its folder: ${stdout}${stderr}`)
}

const launch = (config: string, properties: readonly string[] = []): ChildProcess => {
  const memory = ['-Xms128m', '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-Djava.awt.headless=true']
  const log = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info']
  return spawn(java(), [...memory, ...log, ...properties, '-cp', join(JARS, '*'), 'kafka.Kafka', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Resolves with true once the broker says that it started, with false when it ended before. */
const started = (child: ChildProcess, onOutput: (text: string) => void): Promise<boolean> =>
  new Promise((resolve) => {
    let seen = ''
    const timer = setTimeout(() => resolve(false), START_MS)
    const done = (ready: boolean): void => {
      clearTimeout(timer)
      resolve(ready)
    }
    const read = (chunk: Buffer): void => {
      onOutput(chunk.toString())
      seen = (seen + chunk.toString()).slice(-4_096)
      if (seen.includes('Kafka Server started')) done(true)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.on('exit', () => done(false))
    child.on('error', () => done(false))
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(timer)
}

const attempt = async (extras: BrokerExtras): Promise<ExtraBroker | string> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-kafka-'))
  const names = ['PLAINTEXT', 'CONTROLLER', ...Object.keys(extras.listeners)]
  const free = await freePorts(names.length)
  const ports = Object.fromEntries(names.map((name, i) => [name, free[i]!]))
  const config = join(dir, 'server.properties')
  writeFileSync(config, settings(ports, dir, extras), { mode: 0o600 })
  format(config, extras.formatArgs)
  const child = launch(config, extras.properties?.(dir))
  let output = ''
  const ready = await started(child, (text) => {
    output = (output + text).slice(-4_096)
  })
  const end = async (): Promise<void> => {
    await stop(child)
    rmSync(dir, { recursive: true, force: true })
  }
  const listeners = Object.fromEntries(names.map((name) => [name, `127.0.0.1:${ports[name]}`]))
  const how = `Apache Kafka ${KAFKA_VERSION} from its Maven artifacts`
  if (ready) return { brokers: [listeners['PLAINTEXT']!], listeners, how, stop: end }
  await end()
  return output
}

/** Starts a broker. Throws NoBroker where this machine cannot; another process taking a port in between is tried again. */
export const startApacheKafka = async (extras: BrokerExtras = NO_EXTRAS): Promise<ExtraBroker> => {
  checkJava()
  fetchJars()
  let output = ''
  for (let i = 0; i < START_TRIES; i++) {
    const result = await attempt(extras)
    if (typeof result !== 'string') return result
    output = result
  }
  throw new Error(`Apache Kafka ${KAFKA_VERSION} did not start: ${output}`)
}
