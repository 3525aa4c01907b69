import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const POM = fileURLToPath(new URL('pom.xml', import.meta.url))
export const KAFKA_VERSION = /<kafka\.version>([^<]+)</.exec(readFileSync(POM, 'utf8'))?.[1] ?? ''

/** A broker that this process started. */
export interface RunningBroker {
  readonly brokers: readonly string[]
  /** What it is, for people. */
  readonly how: string
  stop(): Promise<void>
}

/** Why a way to a broker is not open on this machine. */
export class NoBroker extends Error {}

/** What a test gets: addresses, or the reason why it has to skip. */
export interface TestBroker {
  readonly brokers: readonly string[]
  /** Pass it to `describe` or `test`: false, or the reason. */
  readonly skip: false | string
}

const KEEPER = fileURLToPath(new URL('keeper.ts', import.meta.url))

/** Starts the keeper and resolves with its port. It ends itself and its broker when this process's end of its stdin closes. */
export const spawnKeeper = (): Promise<number> =>
  new Promise((resolve, reject) => {
    // Detached: a Ctrl-C in the terminal must reach the tests first, and the broker after them.
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', KEEPER], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    child.on('error', reject)
    child.on('exit', () => reject(new Error('The keeper of the Kafka broker ended.')))
    child.stdout.once('data', (line: Buffer) => {
      resolve(Number(line.toString()))
      child.unref()
      for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref(): void }).unref()
    })
  })

const ask = async (port: number): Promise<TestBroker> => {
  const line = await text(connect(port, '127.0.0.1'))
  if (line === '') throw new Error('Kafka did not start; what it said is above.')
  return JSON.parse(line) as TestBroker
}

let answer: Promise<TestBroker> | undefined

/**
 * The broker of this test run; it is started by the first test that asks. `KAFKA_BROKERS` (comma separated) if given, else
 * Apache Kafka from Maven on Java, else a container, else the reason to skip. Under `npm test` all test files share one and it
 * ends with the run; a file that is run alone has its own and ends it. Topics and groups need names of their own.
 */
export const kafkaBroker = (): Promise<TestBroker> => {
  const given = process.env['KAFKA_BROKERS']
  if (given !== undefined && given !== '') return Promise.resolve({ brokers: given.split(','), skip: false })
  const keeper = process.env['KAFKA_TEST_KEEPER']
  answer ??= keeper === undefined ? spawnKeeper().then(ask) : ask(Number(keeper))
  return answer
}
