import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { DATABASE, type EngineRole, startEngine } from '@plumbline/adapters/clickhouse'
import { startApacheKafka } from '../support/kafka/apache.ts'
import { warmUp } from '../support/kafka/topics.ts'

/** A broker and a ClickHouse of one machine, for trying a deployment out. */
export interface TryCluster {
  readonly brokers: string
  readonly clickhouseUrl: string
  /** File with what a shell has to export for `plumbline`. */
  readonly envFile: string
  /** Resolves with the name of the part that ended by itself. */
  readonly broken: Promise<string>
  stop(): Promise<void>
}

export interface TryClusterOptions {
  /** Holds the data of both and the key, and stays. */
  readonly dir: string
  /** Wished for at the first start: where it is taken then, a free one. */
  readonly kafkaPort: number
  readonly clickhousePort: number
  readonly onStep: (words: string) => void
}

/** What stays the same from one start to the next, so that what a shell has exported stays true. */
interface Kept {
  readonly kafkaPort: number
  readonly clickhousePort: number
  readonly passwords: Readonly<Record<EngineRole, string>>
}

const isFree = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const { port: found } = server.address() as AddressInfo
      server.close(() => resolve(found))
    })
  })

const keptIn = async ({ dir, kafkaPort, clickhousePort }: TryClusterOptions): Promise<Kept> => {
  const file = join(dir, 'access.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Kept
  const secret = (): string => randomBytes(12).toString('hex')
  const kept: Kept = {
    kafkaPort: (await isFree(kafkaPort)) ?? (await isFree(0)) ?? kafkaPort,
    clickhousePort: (await isFree(clickhousePort)) ?? (await isFree(0)) ?? clickhousePort,
    passwords: { owner: secret(), recorder: secret(), reader: secret() },
  }
  writeFileSync(file, `${JSON.stringify(kept)}\n`, { mode: 0o600 })
  return kept
}

/** Ports that this folder had before belong to it: taken, they most often are by itself. */
const checkFree = async (dir: string, ports: readonly number[]): Promise<void> => {
  for (const port of ports)
    if ((await isFree(port)) === undefined)
      throw new Error(
        `port ${port} is taken. Is "npm run cluster" running already? Otherwise stop what uses it, or choose another folder with --dir; ${dir} stays with its ports`,
      )
}

/** Lines that a shell takes in; the key is made when it is not there. */
const writeEnv = (dir: string, brokers: string, clickhouseUrl: string): string => {
  const key = join(dir, 'master.key')
  if (!existsSync(key)) writeFileSync(key, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const values = {
    PLUMBLINE_KAFKA_BROKERS: brokers,
    CLICKHOUSE_URL: clickhouseUrl,
    PLUMBLINE_MASTER_KEY_FILE: key,
    // Not the folder of `npm start`, which has a log of its own in it.
    PLUMBLINE_DATA_DIR: join(dir, 'front'),
  }
  const file = join(dir, 'env')
  const lines = Object.entries(values).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
  writeFileSync(file, lines.join(''), { mode: 0o600 })
  return file
}

/** Starts both on loopback. Throws NoBroker where there is no Java that can run Kafka; leaves nothing running when it throws. */
export const startTryCluster = async (options: TryClusterOptions): Promise<TryCluster> => {
  const { dir, onStep } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const { kafkaPort, clickhousePort, passwords } = await keptIn(options)
  await checkFree(dir, [kafkaPort, clickhousePort])
  onStep('starting Apache Kafka (the first time it is fetched with Maven)')
  const kafka = await startApacheKafka({ home: { dir: join(dir, 'kafka'), port: kafkaPort }, listeners: {}, settings: () => ({}) })
  const closers = [() => kafka.stop()]
  try {
    await warmUp(kafka.brokers)
    onStep("starting ClickHouse's engine")
    const engine = await startEngine({ dir: join(dir, 'clickhouse'), port: clickhousePort, passwords })
    closers.unshift(() => engine.stop())
    const url = new URL(`${engine.url}/${DATABASE}`)
    Object.assign(url, { username: 'owner', password: passwords.owner })
    const brokers = kafka.brokers.join(',')
    const broken = Promise.race([kafka.exited.then(() => 'Kafka'), engine.exited.then(() => 'ClickHouse')])
    return {
      brokers,
      clickhouseUrl: url.href,
      envFile: writeEnv(dir, brokers, url.href),
      broken,
      async stop() {
        for (const close of closers) await close()
      },
    }
  } catch (error) {
    for (const close of closers) await close()
    throw error
  }
}
