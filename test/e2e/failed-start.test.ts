import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { uniquePrefix } from '../support/kafka/topics.ts'
import { type ClusterRig, startRig } from './cluster.testkit.ts'
import { freePort } from './instance.testkit.ts'

const { brokers, skip } = await kafkaBroker()
const SHARDS = 4
let rig: ClusterRig
before(async () => {
  if (skip !== false) return
  rig = await startRig(brokers, SHARDS)
  const migrate = rig.start('migrate', { CLICKHOUSE_URL: rig.url('owner') })
  assert.deepEqual(await migrate.ended, { code: 0, signal: null }, migrate.output())
})
after(async () => {
  if (skip === false) await rig.close()
})

/** From the start of the process, which alone takes some seconds on a small machine. */
const ENDS_MS = 40_000

/** The end of a process that must not come up: by itself, without anybody telling it to. */
const failing = async (command: string, env: Readonly<Record<string, string>> = {}) => {
  const ports = { PLUMBLINE_METRICS_PORT: String(await freePort()), PLUMBLINE_HTTP_PORT: String(await freePort()) }
  const process = rig.start(command, { ...ports, ...env })
  const timer = setTimeout(() => void process.signal('SIGKILL'), ENDS_MS)
  const ended = await process.ended
  clearTimeout(timer)
  return { ...ended, output: process.output() }
}

const fileWith = (name: string, text: string): string => {
  const path = join(rig.dir, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

test('a worker or a front that cannot start ends by itself, with the code of the cause', { skip }, async () => {
  const front = { CLICKHOUSE_URL: rig.url('reader'), PLUMBLINE_DATA_DIR: join(rig.dir, 'front') }
  const otherKey = { PLUMBLINE_MASTER_KEY: randomBytes(32).toString('hex') }
  // As `npm start` leaves it.
  const instance = join(rig.dir, 'instance')
  mkdirSync(join(instance, 'log'), { recursive: true })
  const cases = [
    ['worker', otherKey, 2, 'MASTER_KEY_WRONG'],
    ['worker', { PLUMBLINE_SHARDS: '2' }, 2, 'SHARDS_FIXED'],
    ['worker', { PLUMBLINE_MASTER_KEY: '', PLUMBLINE_MASTER_KEY_FILE: fileWith('bad.key', 'no key\n') }, 2, 'MASTER_KEY_FILE'],
    ['worker', { PLUMBLINE_MASTER_KEY: '', PLUMBLINE_MASTER_KEY_FILE: join(rig.dir, 'none') }, 2, 'MASTER_KEY_FILE'],
    ['worker', { PLUMBLINE_KAFKA_PREFIX: uniquePrefix('nobody') }, 1, 'TOPIC_MISSING'],
    ['worker', { PLUMBLINE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }, 3, 'KAFKA_UNREACHABLE'],
    ['front', { ...front, ...otherKey }, 2, 'MASTER_KEY_WRONG'],
    ['front', { ...front, PLUMBLINE_DATA_DIR: instance }, 2, 'DATA_DIR_OF_INSTANCE'],
    ['front', { ...front, PLUMBLINE_KAFKA_PREFIX: uniquePrefix('nobody') }, 1, 'TOPIC_MISSING'],
    ['recorder', { CLICKHOUSE_URL: rig.url('recorder'), PLUMBLINE_KAFKA_PREFIX: uniquePrefix('nobody') }, 1, 'DEPLOYMENT_MISSING'],
  ] as const
  for (const [command, env, expected, why] of cases) {
    const { code, signal, output } = await failing(command, env)
    assert.deepEqual({ code, signal }, { code: expected, signal: null }, `${command} ${why}: ${output}`)
    const last = output.trimEnd().split('\n').at(-1) ?? ''
    assert.match(last, new RegExp(`^plumbline: .*\\[${why}\\]$`), output)
    assert.doesNotMatch(output, /Plumbline is at/)
    if (why === 'TOPIC_MISSING' || why === 'DEPLOYMENT_MISSING') assert.match(last, /plumbline migrate/)
  }
})

test('a deployment that moved sends its workers away, and they go', { skip }, async () => {
  const moved = rig.start(`repartition --to-prefix ${rig.prefix}.moved --shards 8 --work-dir ${join(rig.dir, 'move')}`, {
    PLUMBLINE_SHARDS: '',
  })
  assert.deepEqual(await moved.ended, { code: 0, signal: null }, moved.output())
  const { code, output } = await failing('worker')
  assert.equal(code, 2, output)
  assert.match(output, new RegExp(`${rig.prefix}\\.moved.*\\[DEPLOYMENT_MOVED\\]`))
})

test('a stop that is asked for while the brokers do not answer is heard', { skip }, async () => {
  const process = rig.start('worker', { PLUMBLINE_KAFKA_BROKERS: '192.0.2.1:9092', PLUMBLINE_METRICS_PORT: String(await freePort()) })
  const begun = performance.now()
  while (!process.output().includes('"started"')) {
    assert.ok(performance.now() - begun < ENDS_MS, process.output())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const timer = setTimeout(() => void process.signal('SIGKILL'), ENDS_MS)
  const { code, signal } = await process.signal('SIGTERM')
  clearTimeout(timer)
  assert.equal(signal, null, process.output())
  assert.ok(code === 1 || code === 3, process.output())
})
