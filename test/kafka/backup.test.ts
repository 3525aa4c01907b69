import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLaneGroup, createShardGroup, type KafkaDeployment, openKafkaDeployment, openKafkaLog } from '@plumbline/adapters/kafka'
import type { ChunkCommit } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { companyRecords, workOff } from '../support/kafka/company.ts'
import { MASTER_KEY, plumbline } from '../support/kafka/plumbline.ts'
import { removeTopics } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()

const setUp = async (t: TestContext) => {
  const cluster = await clusterFor(t, brokers)
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-backup-'))
  const toPrefix = `${cluster.prefix}-2`
  t.after(async () => {
    rmSync(dir, { recursive: true })
    await removeTopics(cluster.kafka, toPrefix)
  })
  const deploymentAt = async (prefix: string): Promise<KafkaDeployment> => {
    return cluster.keep(await openKafkaDeployment(cluster.settings, { prefix, shards: SHARDS, masterKey: MASTER_KEY, door: 'test' }))
  }
  return { ...cluster, dir: join(dir, 'taken'), toPrefix, deploymentAt }
}

/** Works a restored deployment off: its positions begin where its bases say. */
const workRestored = async ({ settings, keep }: Cluster, prefix: string, deployment: KafkaDeployment) => {
  const bases = { events: Array.from({ length: SHARDS }, (_, shard) => deployment.head(shard).first), outbox: 0 }
  const log = keep(await openKafkaLog(settings, { prefix, shards: SHARDS, bases }))
  return workOff(log, deployment, { chunk: 37 })
}

/** Everything that scoring says, by position: rows byte for byte, alerts word for word. */
const outcome = (commits: readonly ChunkCommit[]) => ({
  rows: commits
    .flatMap(({ shard, scored }) => (scored === null ? [] : [...scoredRows(scored.bytes)].map((row) => ({ shard, ...row }))))
    .sort((a, b) => a.shard - b.shard || a.offset - b.offset)
    .map((row) => JSON.stringify({ ...row, features: [...row.features], top_features: [...row.top_features] })),
  alerts: commits.flatMap(({ shard, alerts }) => alerts.map((alert) => `${shard} ${JSON.stringify(alert)}`)).sort(),
})

const keyed = (n: number, name: string, records = companyRecords(SHARDS, 0)) => ({
  records,
  values: { [`place:${name}`]: Buffer.from(String(n)) },
  idempotency: { tenant: 't', key: `request-${name}`, answer: Buffer.from(name), nowMs: Date.now() },
})

test('a deployment restored from a backup scores what was still to be scored exactly as the original does', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const cluster = await setUp(t)
  const { prefix, toPrefix, dir, deploymentAt } = cluster
  const original = await deploymentAt(prefix)
  const records = companyRecords(SHARDS, 1_100)
  await original.ingest({ ...keyed(1, 'first'), records: records.slice(0, 600) })
  await original.kv.put({ 'release:artifact:x': Buffer.alloc(9_000_000, 7), 'policy:given:acme': Buffer.from('p') })
  // The state in the topics is older than the outputs: a snapshot was due with the second of three chunks.
  const log = await cluster.open({ snapshots: { everyMs: 3_600_000, everyRecords: 60 } })
  const earlier = outcome(await workOff(log, original, { chunk: 40, chunks: 3 }))
  for (let at = 600; at < 1_100; at += 125) await original.ingest({ records: records.slice(at, at + 125) })
  const taken = await plumbline(brokers, prefix, ['backup', '--to', dir, '--json'])
  assert.equal(taken.status, 0, taken.err)
  const told = JSON.parse(taken.out) as { events: number; starts: number[]; positions: number[] }
  assert.ok(
    told.starts.some((start, shard) => start > 0 && start < told.positions[shard]!),
    taken.out,
  )
  for (const file of readdirSync(dir)) assert.ok(!readFileSync(join(dir, file)).includes(MASTER_KEY), file)
  const again = await plumbline(brokers, prefix, ['backup', '--to', dir])
  assert.deepEqual([again.status, /BACKUP_EXISTS/.test(again.err)], [1, true])

  const restored = await plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix])
  assert.equal(restored.status, 0, restored.err)
  const copy = await deploymentAt(toPrefix)
  assert.notEqual(copy.id, original.id)
  assert.deepEqual([copy.kv.get('release:artifact:x')!.length, Buffer.from(copy.kv.get('place:first')!).toString()], [9_000_000, '1'])
  assert.deepEqual(
    copy.kv.list('').filter((name) => name !== 'deployment'),
    original.kv.list('').filter((name) => name !== 'deployment' && name !== 'backup:last'),
  )
  assert.equal(Buffer.from((await copy.ingest(keyed(2, 'first'))).repeated!).toString(), 'first')

  const [truth, found] = [outcome(await workOff(log, original, { chunk: 50 })), outcome(await workRestored(cluster, toPrefix, copy))]
  assert.equal(truth.rows.length, records.length - earlier.rows.length)
  assert.ok(told.events > truth.rows.length)
  assert.ok(truth.alerts.length > 0)
  assert.deepEqual(found, truth)
  // New events go on behind: positions never come twice.
  const [first] = (await copy.ingest({ records: [records[0]!] })).offsets
  assert.ok(first! >= copy.head(records[0]!.shard).first)
  const twice = await plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix])
  assert.deepEqual([twice.status, /TARGET_NOT_EMPTY/.test(twice.err)], [1, true])
})

test('with --later an older state meets all that happened since, at the same positions; the former topics are closed', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const cluster = await setUp(t)
  const { prefix, toPrefix, dir, deploymentAt } = cluster
  const original = await deploymentAt(prefix)
  const records = companyRecords(SHARDS, 1_100)
  const log = await cluster.open()
  await original.ingest({ records: records.slice(0, 500) })
  const before = outcome(await workOff(log, original))
  assert.equal((await plumbline(brokers, prefix, ['backup', '--to', dir])).status, 0)
  // What happens after the backup: requests of their own, so that markers lie between, values, and all of it is scored.
  const since: ChunkCommit[] = []
  for (let at = 500; at < 1_100; at += 120) {
    await original.ingest({ ...keyed(at, `r${at}`), records: records.slice(at, at + 120) })
    since.push(...(await workOff(log, original)))
  }
  const truth = outcome(since)
  assert.equal(before.rows.length + truth.rows.length, 1_100)
  assert.ok(truth.alerts.length > 0)

  const group = await createShardGroup(cluster.settings, { prefix, shards: SHARDS, onAssigned() {}, onRevoked() {}, onFailed() {} })
  t.after(() => group.leave())
  const refused = await plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix, '--later'])
  assert.deepEqual([refused.status, /DEPLOYMENT_RUNNING/.test(refused.err)], [3, true], refused.err)
  await group.leave()
  const lanes = await createLaneGroup(cluster.settings, { prefix, lanes: SHARDS, onAssigned() {}, onRevoked() {}, onFailed() {} })
  t.after(() => lanes.leave())
  const recorded = await plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix, '--later'])
  assert.match(recorded.err, /0 workers and 1 recorders of .* are running.*DEPLOYMENT_RUNNING/)
  await lanes.leave()
  const restored = await plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix, '--later'])
  assert.equal(restored.status, 0, restored.err)
  assert.match(restored.out, /600 events to be scored/)
  const copy = await deploymentAt(toPrefix)
  assert.equal(Buffer.from((await copy.ingest(keyed(0, 'r620'))).repeated!).toString(), 'r620')
  assert.deepEqual(outcome(await workRestored(cluster, toPrefix, copy)), truth)
  // A worker that missed all of it can store nothing, and nobody opens the former topics.
  await assert.rejects(deploymentAt(prefix), (error: { code?: string }) => error.code === 'DEPLOYMENT_MOVED')
  await assert.rejects(workOff(await cluster.open(), original).then(() => log.commit(since.slice(0, 1))))
})

test('a backup is checked before anything is made: damage, another key, a folder without one', { skip, timeout: 120_000 }, async (t) => {
  const cluster = await setUp(t)
  const { prefix, toPrefix, dir, deploymentAt } = cluster
  const original = await deploymentAt(prefix)
  await original.ingest({ records: companyRecords(SHARDS, 50) })
  assert.equal((await plumbline(brokers, prefix, ['backup', '--to', dir])).status, 0)
  const restore = (more?: Readonly<Record<string, string>>) =>
    plumbline(brokers, prefix, ['restore', '--from', dir, '--to-prefix', toPrefix], more)
  const otherKey = await restore({ PLUMBLINE_MASTER_KEY: 'cd'.repeat(32) })
  assert.deepEqual([otherKey.status, /MASTER_KEY_WRONG/.test(otherKey.err)], [2, true], otherKey.err)
  const shard = companyRecords(SHARDS, 1)[0]!.shard
  const path = join(dir, `events-${shard}`)
  const good = readFileSync(path)
  const flipped = Buffer.from(good)
  flipped[40]! ^= 1
  for (const harm of [
    () => appendFileSync(path, 'x'),
    () => writeFileSync(path, good.subarray(0, -1)),
    () => writeFileSync(path, flipped),
  ]) {
    harm()
    const damaged = await restore()
    assert.deepEqual([damaged.status, /BACKUP_DAMAGED/.test(damaged.err)], [1, true], damaged.err)
    writeFileSync(path, good)
  }
  rmSync(join(dir, 'manifest.json'))
  assert.match((await restore()).err, /BACKUP_MISSING/)
  const admin = cluster.kafka.admin()
  await admin.connect()
  assert.deepEqual(
    (await admin.listTopics()).filter((name) => name.startsWith(`${toPrefix}.`)),
    [],
  )
  await admin.disconnect()
})
