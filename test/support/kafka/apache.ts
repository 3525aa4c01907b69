import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KAFKA_VERSION, type RunningBroker } from './broker.ts'
import { checkJava, fetchJars, JARS, java } from './java.ts'

/** Apache Kafka from its Maven artifacts on the machine's Java: one KRaft node on loopback, its data in a temporary folder or in one that stays. */

const START_TRIES = 3
const START_MS = 90_000
const STOP_MS = 15_000

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
  /** A folder that outlives the broker, and its port the first time; both stay. Default: a temporary folder and a free port. */
  readonly home?: { readonly dir: string; readonly port: number }
  /** Listeners by name, each with its security protocol; each gets a port of its own. */
  readonly listeners: Readonly<Record<string, 'PLAINTEXT' | 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'>>
  /** Settings, given a folder that goes with the broker. */
  readonly settings: (dir: string) => Readonly<Record<string, string>>
  /** Arguments of the format, like users. */
  readonly formatArgs?: readonly string[]
  /** System properties of its Java. */
  readonly properties?: (dir: string) => readonly string[]
  /** Given the address of a listener, says what its clients are told instead: a proxy's. Default: the address itself. */
  readonly advertise?: (name: string, address: string) => Promise<string>
}

export interface ExtraBroker extends RunningBroker {
  /** Addresses by listener. */
  readonly listeners: Readonly<Record<string, string>>
  /** Resolves when it has ended for whatever reason. After a restart: the former one. */
  readonly exited: Promise<void>
  kill(): Promise<void>
  /** Starts it again, after it was killed, on the same folder and ports. */
  restart(): Promise<void>
}

const NO_EXTRAS: BrokerExtras = { listeners: {}, settings: () => ({}) }

type Addresses = Readonly<Record<string, string>>

const settings = (listeners: Addresses, advertised: Addresses, dir: string, extras: BrokerExtras): string => {
  const at = (names: readonly string[], addresses: Addresses): string => names.map((name) => `${name}://${addresses[name]}`).join()
  const own = { PLAINTEXT: 'PLAINTEXT', ...extras.listeners }
  const protocols = Object.entries({ ...own, CONTROLLER: 'PLAINTEXT' }).map((pair) => pair.join(':'))
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': listeners['CONTROLLER']!,
    listeners: at([...Object.keys(own), 'CONTROLLER'], listeners),
    'advertised.listeners': at(Object.keys(own), advertised),
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
    // Members that die are missed soon: tests wait for it.
    'group.min.session.timeout.ms': 500,
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
  const child = spawn(java(), [...memory, ...log, ...properties, '-cp', join(JARS, '*'), 'kafka.Kafka', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  return child
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

const end = async (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(timer)
}

interface Place {
  readonly dir: string
  readonly config: string
  readonly listeners: Addresses
}

/** A folder that is ready for a broker, with its addresses: those of before, where it was there before. */
const placeFor = async (extras: BrokerExtras): Promise<Place> => {
  const { home } = extras
  const dir = home?.dir ?? mkdtempSync(join(tmpdir(), 'plumbline-kafka-'))
  const config = join(dir, 'server.properties')
  const known = join(dir, 'listeners.json')
  const there = existsSync(known)
  const listeners = there ? (JSON.parse(readFileSync(known, 'utf8')) as Addresses) : await newListeners(extras)
  const advertised = { ...listeners }
  for (const name of Object.keys(listeners)) advertised[name] = (await extras.advertise?.(name, listeners[name]!)) ?? listeners[name]!
  // What was not finished is made again.
  if (!there) rmSync(join(dir, 'logs'), { recursive: true, force: true })
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  writeFileSync(config, settings(listeners, advertised, dir, extras), { mode: 0o600 })
  if (!there) format(config, extras.formatArgs)
  if (!there && home !== undefined) writeFileSync(known, JSON.stringify(listeners))
  return { dir, config, listeners }
}

const newListeners = async ({ home, listeners }: BrokerExtras): Promise<Addresses> => {
  const names = ['PLAINTEXT', 'CONTROLLER', ...Object.keys(listeners)]
  const free = await freePorts(names.length)
  const ports = home === undefined ? free : [home.port, ...free.slice(1)]
  return Object.fromEntries(names.map((name, i) => [name, `127.0.0.1:${ports[i]}`]))
}

/** A broker in a folder of its own, or what it said instead of starting. */
const attempt = async (extras: BrokerExtras): Promise<ExtraBroker | string> => {
  const { dir, config, listeners } = await placeFor(extras)
  let output = ''
  let child: ChildProcess
  const start = (): Promise<boolean> => {
    child = launch(config, extras.properties?.(dir))
    return started(child, (text) => {
      output = (output + text).slice(-4_096)
    })
  }
  const stop = async (): Promise<void> => {
    await end(child, 'SIGTERM')
    if (extras.home === undefined) rmSync(dir, { recursive: true, force: true })
  }
  if (!(await start())) {
    await stop()
    return output
  }
  return {
    brokers: [listeners['PLAINTEXT']!],
    listeners,
    exited: new Promise((resolve) => child.once('exit', () => resolve())),
    how: `Apache Kafka ${KAFKA_VERSION} from its Maven artifacts`,
    stop,
    kill: () => end(child, 'SIGKILL'),
    async restart() {
      if (!(await start())) throw new Error(`Apache Kafka did not start again: ${output}`)
    },
  }
}

/** Starts a broker. Throws NoBroker where this machine cannot; another process taking a port in between is tried again. */
export const startApacheKafka = async (extras: BrokerExtras = NO_EXTRAS): Promise<ExtraBroker> => {
  checkJava()
  fetchJars()
  let output = ''
  for (let i = 0; i < (extras.home === undefined ? START_TRIES : 1); i++) {
    const result = await attempt(extras)
    if (typeof result !== 'string') return result
    output = result
  }
  throw new Error(`Apache Kafka ${KAFKA_VERSION} did not start: ${output}`)
}
