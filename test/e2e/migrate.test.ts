import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { migrationsDir, readMigrations } from '@plumbline/adapters/clickhouse'
import { topicNames } from '@plumbline/adapters/kafka'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type ClusterRig, startRig } from './cluster.testkit.ts'

const { brokers, skip } = await kafkaBroker()
const SHARDS = 3
let rig: ClusterRig
before(async () => {
  if (skip === false) rig = await startRig(brokers, SHARDS)
})
after(async () => {
  if (skip === false) await rig.close()
})

const run = async (flags: string, env: Readonly<Record<string, string>> = {}) => {
  const process = rig.start(`migrate ${flags}`.trim(), { CLICKHOUSE_URL: rig.url('owner'), ...env })
  const { code } = await process.ended
  return { code, output: process.output() }
}
interface Report {
  readonly topics: readonly string[]
  readonly deployment: string | null
  readonly applied?: readonly string[]
  readonly pending?: readonly string[]
}
const report = async (flags: string): Promise<Report> => {
  const { code, output } = await run(`${flags} --json`)
  assert.equal(code, 0, output)
  return JSON.parse(output) as Report
}

const migrations = readMigrations(migrationsDir()).map(({ name }) => name)

test('migrate says what it would do, does it, also as several at once, and finds nothing to do afterwards', { skip }, async () => {
  const topics = Object.values(topicNames(rig.prefix))
  const planned = await report('--dry-run')
  assert.deepEqual([[...planned.topics].sort(), planned.deployment, planned.pending], [[...topics].sort(), null, migrations])
  const done = await Promise.all([report(''), report('')])
  assert.equal(done[0]!.deployment, done[1]!.deployment, 'both found the same deployment')
  assert.deepEqual([...new Set(done.flatMap((each) => each.applied ?? []))].sort(), migrations)
  assert.deepEqual(await report(''), { applied: [], topics: [], deployment: done[0]!.deployment })
  const admin = rig.kafka.admin()
  await admin.connect()
  const described = await admin.fetchTopicMetadata({ topics })
  await admin.disconnect()
  const partitions = Object.fromEntries(
    described.topics.map(({ name, partitions }) => [name.slice(rig.prefix.length + 1), partitions.length]),
  )
  assert.deepEqual([partitions['events'], partitions['state'], partitions['scored'], partitions['alerts']], [SHARDS, SHARDS, SHARDS, 1])
  const [table] = await rig
    .store('reader')
    .rows<{ engine: string }>(`SELECT engine_full AS engine FROM system.tables WHERE database = 'plumbline' AND name = 'scored_events'`)
  assert.match(table?.engine ?? '', /toIntervalDay\(400\)/)
})

test('another number of shards, another key or half of the options is refused with what to do', { skip }, async () => {
  const cases = [
    [{ PLUMBLINE_SHARDS: '5' }, 1, /has 3 partitions, but this deployment is set to 5 shards/],
    [{ PLUMBLINE_MASTER_KEY: randomBytes(32).toString('hex') }, 2, /MASTER_KEY_WRONG/],
    [{ PLUMBLINE_MASTER_KEY: '' }, 2, /masterKeyFile is required/],
    [{ CLICKHOUSE_URL: '' }, 2, /clickhouseUrl.*is required with kafkaBrokers/],
    [
      { CLICKHOUSE_URL: 'http://127.0.0.1:9' },
      3,
      /The topics are made and checked already.* run plumbline migrate again\. \[STORE_UNAVAILABLE\]/,
    ],
    [
      { CLICKHOUSE_URL: 'localhost:8123' },
      2,
      /CLICKHOUSE_URL: must look like http:\/\/user:password@host:8123\/plumbline[^]*CONFIG_INVALID/,
    ],
    [{ PLUMBLINE_MASTER_KEY: '', PLUMBLINE_MASTER_KEY_FILE: '/nowhere/master.key' }, 2, /openssl rand -hex 32.*\[MASTER_KEY_FILE\]/],
    [{ PLUMBLINE_KAFKA_BROKERS: '127.0.0.1:9' }, 3, /KAFKA_UNREACHABLE/],
  ] as const
  for (const [env, expected, words] of cases) {
    const { code, output } = await run('', env)
    assert.equal(code, expected, output)
    assert.match(output, words)
    assert.ok(!output.includes(rig.url('owner').split('@')[0]!.split(':')[2]!), 'no password')
  }
})
