import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createShardGroup, ensureTopics, type KafkaDeployment, openKafkaDeployment, openKafkaLog } from '@plumbline/adapters/kafka'
import type { ChunkCommit } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { companyRecords, workOff } from '../support/kafka/company.ts'
import { MASTER_KEY, plumbline } from '../support/kafka/plumbline.ts'
import { removeTopics } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
const MORE = 6

const setUp = async (t: TestContext) => {
  const cluster = await clusterFor(t, brokers)
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-move-'))
  const others = [`${cluster.prefix}-moved`, `${cluster.prefix}-always`] as const
  t.after(async () => {
    rmSync(dir, { recursive: true })
    for (const prefix of others) await removeTopics(cluster.kafka, prefix)
  })
  const deploymentAt = async (prefix: string, shards: number): Promise<KafkaDeployment> =>
    cluster.keep(await openKafkaDeployment(cluster.settings, { prefix, shards, masterKey: MASTER_KEY, door: 'test' }))
  return { ...cluster, dir: join(dir, 'kept'), moved: others[0], always: others[1], deploymentAt }
}

const work = async ({ settings, keep }: Cluster, prefix: string, deployment: KafkaDeployment): Promise<ChunkCommit[]> => {
  const bases = { events: Array.from({ length: deployment.shards }, (_, shard) => deployment.head(shard).first), outbox: 0 }
  return workOff(keep(await openKafkaLog(settings, { prefix, shards: deployment.shards, bases })), deployment)
}

/** What scoring says of each event and each identity, without where in a log that was. */
const outcome = (commits: readonly ChunkCommit[]) => ({
  rows: commits
    .flatMap(({ scored }) => (scored === null ? [] : [...scoredRows(scored.bytes)]))
    .map(({ event_id, identity, score, tail_log10, flags, features, session }) =>
      JSON.stringify({ event_id, identity, session, score, tail_log10, flags, features: [...features] }),
    )
    .sort(),
  alerts: commits
    .flatMap(({ alerts }) => alerts)
    .map(({ facts, score, revision, family, activity }) => JSON.stringify({ facts, score, revision, family, activity }))
    .sort(),
})

test('a deployment of another number of shards goes on as if it had always had it: scores, alerts, counts; what waited is carried over', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const cluster = await setUp(t)
  const { prefix, moved, always, dir, deploymentAt } = cluster
  const records = { few: companyRecords(SHARDS, 1_400), many: companyRecords(MORE, 1_400) }
  // The truth: the same events from the beginning on so many shards.
  await ensureTopics(cluster.settings, { prefix: always, shards: MORE })
  const truth = await deploymentAt(always, MORE)
  await truth.ingest({ records: records.many.slice(0, 800) })
  await work(cluster, always, truth)
  await truth.ingest({ records: records.many.slice(800) })
  const expected = outcome(await work(cluster, always, truth))
  assert.ok(expected.alerts.length > 0)

  const former = await deploymentAt(prefix, SHARDS)
  const log = await cluster.open()
  await former.ingest({ records: records.few.slice(0, 800), values: { 'place:x': Buffer.from('1') } })
  const before = await workOff(log, former)
  await former.ingest({ records: records.few.slice(800, 1_100) })
  const group = await createShardGroup(cluster.settings, { prefix, shards: SHARDS, onAssigned() {}, onRevoked() {}, onFailed() {} })
  t.after(() => group.leave())
  const args = ['repartition', '--shards', String(MORE), '--to-prefix', moved, '--work-dir', dir]
  const refused = await plumbline(brokers, prefix, args)
  assert.deepEqual([refused.status, /DEPLOYMENT_RUNNING/.test(refused.err)], [3, true], refused.err)
  await group.leave()
  const done = await plumbline(brokers, prefix, [...args, '--json'])
  assert.equal(done.status, 0, done.err)
  const told = JSON.parse(done.out) as { slots: number; events: number; forgotten: number; openAlertsLeft: number }
  assert.deepEqual([told.events, told.forgotten], [300, 0])
  assert.equal(told.slots, new Set(before.flatMap(({ slots }) => slots.map(({ key }) => Buffer.from(key).toString('hex')))).size)

  const copy = await deploymentAt(moved, MORE)
  const end = Math.max(...Array.from({ length: SHARDS }, (_, shard) => former.head(shard).next))
  for (let shard = 0; shard < MORE; shard++) assert.ok(copy.head(shard).first >= end - 1)
  assert.equal(Buffer.from(copy.kv.get('place:x')!).toString(), '1')
  const waited = await work(cluster, moved, copy)
  await copy.ingest({ records: records.many.slice(1_100) })
  assert.deepEqual(outcome([...waited, ...(await work(cluster, moved, copy))]), expected)
  await assert.rejects(deploymentAt(prefix, SHARDS), (error: { code?: string }) => error.code === 'DEPLOYMENT_MOVED')
})

test('baselines whose names nobody knows are not lost silently', { skip, timeout: 120_000 }, async (t) => {
  const cluster = await setUp(t)
  const { prefix, moved, dir, deploymentAt, names, kafka } = cluster
  const former = await deploymentAt(prefix, SHARDS)
  await former.ingest({ records: companyRecords(SHARDS, 200) })
  await workOff(await cluster.open(), former)
  const admin = kafka.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(names.events)
  await admin.deleteTopicRecords({ topic: names.events, partitions: ends.map(({ partition, high }) => ({ partition, offset: high })) })
  await admin.disconnect()
  const args = (folder: string) => ['repartition', '--shards', String(MORE), '--to-prefix', moved, '--work-dir', folder]
  const refused = await plumbline(brokers, prefix, args(dir))
  assert.deepEqual([refused.status, /IDENTITIES_UNKNOWN/.test(refused.err)], [1, true], refused.err)
  const forced = await plumbline(brokers, prefix, [...args(`${dir}-2`), '--forget-unknown'])
  assert.equal(forced.status, 0, forced.err)
  assert.match(forced.out, /0 baselines, 0 events to be scored[^]*baselines without a known name stayed behind/)
  rmSync(`${dir}-2`, { recursive: true })
})
