// `npm run cluster`: a Kafka broker and a ClickHouse on this machine without containers, to try a deployment on Kafka out.
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { NoBroker } from '../support/kafka/broker.ts'
import { startTryCluster, type TryCluster } from './parts.ts'

const HELP = `Starts Apache Kafka and ClickHouse's engine on this machine, for trying Plumbline out on Kafka; Ctrl-C stops both.
Needs Java 17 or newer and, the first time, Maven. One broker without replicas, no users: not for production.

  --dir <folder>           where both keep their data (default: .plumbline/cluster)
  --kafka-port <n>         wished for at the first start of the folder (default: 9092)
  --clickhouse-port <n>    the same (default: 8123)
`

const say = (text: string): void => void process.stderr.write(`cluster: ${text}\n`)

const readArgs = () => {
  const port = { type: 'string' } as const
  const { values } = parseArgs({
    options: { dir: { type: 'string' }, 'kafka-port': port, 'clickhouse-port': port, help: { type: 'boolean', short: 'h' } },
  })
  const portOf = (text: string | undefined, otherwise: number): number => {
    const n = Number(text ?? otherwise)
    if (!Number.isInteger(n) || n < 1 || n > 65_535) throw new Error(`"${text}" is no port: use a whole number from 1 to 65535`)
    return n
  }
  return {
    help: values.help === true,
    dir: resolve(values.dir ?? '.plumbline/cluster'),
    kafkaPort: portOf(values['kafka-port'], 9092),
    clickhousePort: portOf(values['clickhouse-port'], 8123),
  }
}

const wordsOf = ({ brokers, clickhouseUrl, envFile }: TryCluster): string => {
  const env = relative(process.cwd(), envFile).startsWith('..') ? envFile : relative(process.cwd(), envFile)
  return `Kafka is at ${brokers}, ClickHouse at ${new URL(clickhouseUrl).origin}. For trying out: one broker, no replicas.

In other terminals, in this folder (the file holds PLUMBLINE_KAFKA_BROKERS, CLICKHOUSE_URL, PLUMBLINE_MASTER_KEY_FILE, PLUMBLINE_DATA_DIR):

  . ${env}
  node scripts/plumbline.mjs migrate      # topics and tables; once, and after an upgrade
  node scripts/plumbline.mjs worker       # scores; as many as you like, each further one with --metrics-port
  node scripts/plumbline.mjs recorder     # rows into ClickHouse
  node scripts/plumbline.mjs front        # the door and the page

Stop with Ctrl-C.
`
}

/** Resolves with the signal that asks to stop. */
const signalled = (): Promise<string> =>
  new Promise((done) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => done(name))
  })

const main = async (): Promise<number> => {
  const { help, ...options } = readArgs()
  if (help) {
    process.stdout.write(HELP)
    return 0
  }
  const stop = signalled()
  const cluster = await startTryCluster({ ...options, onStep: say })
  process.stdout.write(wordsOf(cluster))
  const why = await Promise.race([stop, cluster.broken.then((part) => ({ part }))])
  say(typeof why === 'string' ? `${why}: stopping` : `${why.part} ended by itself, stopping the rest`)
  await cluster.stop()
  say(`stopped; the data stays in ${options.dir}`)
  return typeof why === 'string' ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  const words = error instanceof Error ? error.message : String(error)
  say(
    error instanceof NoBroker
      ? `${words}. Java 17 or newer and Maven are needed (on Debian: apt install default-jre-headless maven), or brokers of your own`
      : words,
  )
  process.exitCode = error instanceof NoBroker ? 3 : 1
}
