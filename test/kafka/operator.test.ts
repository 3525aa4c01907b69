import assert from 'node:assert/strict'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLaneGroup, createShardGroup, type KafkaDeployment, openKafkaDeployment } from '@plumbline/adapters/kafka'
import { createPlaces, summariseSlot } from '@plumbline/detector'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { companyRecords, workOff } from '../support/kafka/company.ts'
import { MASTER_KEY, plumbline as run } from '../support/kafka/plumbline.ts'
import { removeTopics, testKafka, uniquePrefix } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
const plumbline = (prefix: string, args: readonly string[], more?: Readonly<Record<string, string>>) => run(brokers, prefix, args, more)

const deploymentOf = async ({ settings, prefix, keep }: Cluster): Promise<KafkaDeployment> =>
  keep(await openKafkaDeployment(settings, { prefix, shards: SHARDS, masterKey: MASTER_KEY, door: 'test' }))

test('topics: what is missing or wrong is told of each with its remedy; --create makes what is missing', { skip }, async (t) => {
  const prefix = uniquePrefix('operator')
  const before = await plumbline(prefix, ['topics'])
  assert.equal(before.status, 1)
  assert.match(before.out, new RegExp(`${prefix}\\.events +- +- .*TOPIC_MISSING`))
  const made = await plumbline(prefix, ['topics', '--create'])
  t.after(() => removeTopics(testKafka(brokers), prefix))
  assert.equal(made.status, 0, made.err + made.out)
  assert.match(made.out, new RegExp(`${prefix}\\.state +${SHARDS} +1 +compact +newest per key +ok`))
  assert.match(made.out, new RegExp(`${prefix}\\.events +${SHARDS} +1 +delete +7 d +ok`))
  assert.match(made.out, new RegExp(`${prefix}\\.audit +1 +1 +delete +for good +ok`))
  const other = await plumbline(prefix, ['topics', '--shards', '8', '--json'])
  assert.equal(other.status, 1)
  const { topics } = JSON.parse(other.out) as { topics: { kind: string; problems: { code: string; message: string }[] }[] }
  assert.deepEqual(
    topics.filter(({ problems }) => problems.length > 0).map(({ kind, problems }) => [kind, problems[0]!.code]),
    [
      ['events', 'TOPIC_PARTITIONS'],
      ['state', 'TOPIC_PARTITIONS'],
    ],
  )
  assert.match(topics[0]!.problems[0]!.message, /plumbline repartition/)
})

test('lag: per shard end, position, lag and owner, in words and as JSON', { skip, timeout: 180_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const missing = await plumbline(uniquePrefix('nothing'), ['lag'])
  assert.deepEqual([missing.status, /TOPIC_MISSING/.test(missing.err)], [1, true])
  const deployment = await deploymentOf(cluster)
  const records = companyRecords(SHARDS, 300)
  await deployment.ingest({ records })
  const unheld = await plumbline(cluster.prefix, ['lag', '--json'])
  assert.equal(unheld.status, 1, 'events wait where nobody is')
  const waiting = JSON.parse(unheld.out) as {
    total: number
    unowned: number
    shards: { shard: number; position: number | null; lag: number; owner: string | null }[]
  }
  // The request left a marker in each shard it wrote to.
  assert.equal(waiting.total, records.length + SHARDS)
  assert.deepEqual([waiting.unowned, waiting.shards.map(({ position }) => position)], [SHARDS, [null, null, null, null]])
  await workOff(await cluster.open(), deployment)
  const group = await createShardGroup(
    { ...cluster.settings, clientId: 'worker-a' },
    { prefix: cluster.prefix, shards: SHARDS, onAssigned() {}, onRevoked() {}, onFailed() {} },
  )
  const lanes = await createLaneGroup(
    { ...cluster.settings, clientId: 'recorder-a' },
    { prefix: cluster.prefix, lanes: SHARDS, onAssigned() {}, onRevoked() {}, onFailed() {} },
  )
  const words = await plumbline(cluster.prefix, ['lag'])
  await Promise.all([group.leave(), lanes.leave()])
  assert.equal(words.status, 0, words.err)
  assert.match(words.out, /^shard +first +end +position +lag +owner\n0 +0 +\d+ +\d+ +0 +worker-a at /)
  assert.match(words.out, /0 behind in 4 shards; group .*\.worker is Stable with 1 member\n\n/)
  // No recorder has stored anything of a lane yet.
  assert.match(words.out, /\nlane +first +end +position +lag +owner\nscored\/0 +0 +\d+ +- +[1-9]\d* +recorder-a at /)
  assert.match(words.out, /\naudit\/0 +0 +0 +- +0 +recorder-a at [^]*\n\d+ behind in \d+ lanes of 1 recorder\n$/)
})

test('identity: the baseline as its worker stored it, read with the right key only', { skip, timeout: 180_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const deployment = await deploymentOf(cluster)
  const records = companyRecords(SHARDS, 600)
  await deployment.ingest({ records })
  const log = await cluster.open()
  await workOff(log, deployment)
  const [tenant, identity] = Buffer.from(records[0]!.key).toString().slice(2).split('|') as [string, string]
  const args = ['identity', identity, '--tenant', tenant, '--from', 'kafka']
  const found = await plumbline(cluster.prefix, [...args, '--json'])
  assert.equal(found.status, 0, found.err)
  const told = JSON.parse(found.out) as { shard: number; baseline: { events: number } }
  const place = createPlaces({ masterKey: MASTER_KEY, shards: SHARDS })(tenant, identity)
  const [slot] = await deployment.readSlots([place])
  assert.deepEqual(told, JSON.parse(JSON.stringify({ tenant, identity, shard: place.shard, baseline: summariseSlot(slot!) })))
  assert.equal(told.baseline.events, records.filter(({ key }) => Buffer.from(key).equals(Buffer.from(records[0]!.key))).length)
  const words = await plumbline(cluster.prefix, args)
  assert.match(words.out, new RegExp(`of tenant ${tenant}, shard ${place.shard}\n +seen `))
  assert.match(words.out, /events a minute +\d/)
  const nobody = await plumbline(cluster.prefix, ['identity', 'nobody', '--from', 'kafka'])
  assert.deepEqual([nobody.status, /IDENTITY_UNKNOWN/.test(nobody.err)], [1, true])
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-operator-'))
  t.after(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'worker.yaml'), `masterKey: "${'ab'.repeat(32)}"\nlogLevel: debug\n`)
  const wrong = await plumbline(cluster.prefix, [...args, '--config', join(dir, 'worker.yaml')], { PLUMBLINE_MASTER_KEY: '' })
  assert.deepEqual([wrong.status, /MASTER_KEY_WRONG/.test(wrong.err)], [2, true])
  assert.ok(!wrong.err.includes('abab'))
})
