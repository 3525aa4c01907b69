import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { connect } from '@plumbline/adapters/clickhouse'
import { NoBroker } from '../support/kafka/broker.ts'
import { checkJava } from '../support/kafka/java.ts'
import { testKafka } from '../support/kafka/topics.ts'

const RUN = fileURLToPath(new URL('run.ts', import.meta.url))
const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'plumbline-try-cluster-'))
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

const javaProblem = (): string | false => {
  try {
    checkJava()
    return false
  } catch (error) {
    if (!(error instanceof NoBroker)) throw error
    return `no Kafka: ${error.message}`
  }
}
const skip = javaProblem()

const launch = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], { cwd: dir, env: { ...process.env, ...env } })
  children.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, ended, output: () => output }
}

/** What a shell has after `. env`. */
const envOf = (): Record<string, string> =>
  Object.fromEntries(
    [...readFileSync(join(dir, 'cluster', 'env'), 'utf8').matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name!, value!]),
  )

/** Ports of their own: a machine that runs tests may run a cluster too. */
const PORTS = ['--kafka-port', '19092', '--clickhouse-port', '18123']

const up = async () => {
  const run = launch([RUN, '--dir', join(dir, 'cluster'), ...PORTS])
  await new Promise<void>((resolve, reject) => {
    run.child.stdout.on('data', () => run.output().includes('Stop with Ctrl-C') && resolve())
    void run.ended.then((code) => reject(new Error(`ended with ${code}: ${run.output()}`)))
  })
  return run
}

test('npm run cluster: both come up and answer, migrate works with what it prints, and the data is there at the next start', {
  skip,
}, async () => {
  const first = await up()
  const env = envOf()
  const migrate = launch([MAIN, 'migrate', '--json'], env)
  assert.equal(await migrate.ended, 0, migrate.output())
  first.child.kill('SIGTERM')
  assert.equal(await first.ended, 0, first.output())

  const second = await up()
  assert.deepEqual(envOf(), env, 'what a shell has exported stays true')
  const admin = testKafka([env['PLUMBLINE_KAFKA_BROKERS']!]).admin()
  await admin.connect()
  assert.ok((await admin.listTopics()).includes('plumbline.events'))
  await admin.disconnect()
  const store = connect({ url: env['CLICKHOUSE_URL']! })
  const [found] = await store.rows<{ n: number }>("SELECT toUInt32(count()) AS n FROM system.tables WHERE database = 'plumbline'")
  await store.close()
  assert.ok((found?.n ?? 0) > 5)

  const third = launch([RUN, '--dir', join(dir, 'cluster')])
  assert.equal(await third.ended, 1)
  assert.match(third.output(), /is taken\. Is "npm run cluster" running already\?/)
  second.child.kill('SIGINT')
  assert.equal(await second.ended, 0, second.output())
})

test('without Java it says what is missing', async () => {
  const run = launch([RUN, '--dir', join(dir, 'other'), ...PORTS], { JAVA_HOME: join(dir, 'nowhere') })
  assert.equal(await run.ended, 3, run.output())
  assert.match(run.output(), /no Java 17 or newer on this machine\. Java 17 or newer and Maven are needed/)
})
