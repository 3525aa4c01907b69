import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AlertCapsule, type OutboxEntry, SCORED_SCHEMA_VERSION, type Topic } from '@plumbline/schemas'
import type { Admin, Kafka } from 'kafkajs'
import { type KafkaOutbox, createKafkaOutbox } from '../../packages/adapters/src/kafka/outbox.ts'
import { commitTo } from '../compliance/shard-log.ts'
import { alertOf } from '../faults/chain.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor, code, event } from '../support/kafka/cluster.ts'
import { testKafka } from '../support/kafka/topics.ts'

/** The outbox of a cluster, read from a real broker. */

const { brokers, skip } = await kafkaBroker()
const MIB = 1024 * 1024

const outboxOf = async (t: TestContext, { names, prefix }: Cluster, kafka: Kafka = testKafka(brokers)) => {
  const admin = kafka.admin()
  await admin.connect()
  const partitions = new Map(Object.keys(names).map((kind) => [kind, kind === 'scored' ? SHARDS : 1])) as never
  const outbox = createKafkaOutbox({ kafka, admin, names, partitions, prefix })
  t.after(async () => {
    await outbox.close()
    await admin.disconnect()
  })
  return { outbox, admin }
}

/** Everything after a sequence, as a consumer reads it: until the lane's end, asked for first, is passed. */
const readAll = async (outbox: KafkaOutbox, topic: Topic, after = 0, lane = 0, maxBytes = MIB): Promise<OutboxEntry[]> => {
  const found: OutboxEntry[] = []
  const end = await outbox.end(topic, lane)
  for (let at = after; at < end; ) {
    const entries = await outbox.read(topic, at, maxBytes, undefined, lane)
    found.push(...entries)
    at = entries.at(-1)?.sequence ?? outbox.passed(topic, at, lane)
  }
  return found
}

const block = (first: number, fill: number, bytes = 64) => ({
  schemaVersion: SCORED_SCHEMA_VERSION,
  firstOffset: first,
  lastOffset: first + 1,
  rows: 2,
  bytes: Buffer.alloc(bytes, fill),
})
const alert = (offset: number) => alertOf({ shard: 1, offset, identity: 'a', chain: `c${offset}`, alert: true }, 1_000)
const capsule = (offset: number): AlertCapsule => ({
  v: 1,
  alertId: alert(offset).id,
  revision: 1,
  replay: alert(offset).replay,
  ingestTime: 1_000,
  event: '',
  slot: '',
  score: 1,
  features: [],
})
const texts = (entries: readonly OutboxEntry[]): string[] => entries.map(({ payload }) => Buffer.from(payload).toString())

test('entries come in the order of their lane, topics that share a Kafka topic apart, and the end is passed', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open({ compression: 'zstd' })
  await log.append(Array.from({ length: 12 }, (_, i) => event(1, `${i}`)))
  await log.acquire(1)
  for (let i = 0; i < 3; i++)
    await log.commit([commitTo(1, i * 2 + 2, { scored: block(i * 2, i), alerts: [alert(i * 2)], capsules: [capsule(i * 2)] })])
  const { outbox } = await outboxOf(t, cluster)
  assert.equal(outbox.lanes('scored'), SHARDS)
  assert.equal(outbox.lanes('capsules'), 1)
  const scored = await readAll(outbox, 'scored', 0, 1)
  assert.deepEqual(
    scored,
    [0, 1, 2].map((i) => ({
      topic: 'scored',
      sequence: scored[i]!.sequence,
      shard: 1,
      firstOffset: i * 2,
      lastOffset: i * 2 + 1,
      rows: 2,
      schemaVersion: SCORED_SCHEMA_VERSION,
      payload: Buffer.alloc(64, i),
    })),
  )
  assert.equal(outbox.head('scored', 1), scored[2]!.sequence)
  assert.deepEqual(outbox.lag('scored', await outbox.end('scored', 1), 1), { entries: 0, rows: 0 })
  assert.ok(outbox.lag('scored', 0, 1).rows > 0)
  // Each commit of a transaction takes an offset: sequences rise, with gaps.
  assert.ok(scored[2]!.sequence > 3 && (await outbox.end('scored', 1)) > scored[2]!.sequence)
  assert.deepEqual(
    (await readAll(outbox, 'alerts')).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as unknown),
    [alert(0), alert(2), alert(4)],
  )
  const capsules = await readAll(outbox, 'capsules')
  assert.deepEqual(
    capsules.map(({ shard, firstOffset }) => [shard, firstOffset]),
    [
      [1, 0],
      [1, 2],
      [1, 4],
    ],
  )
  assert.deepEqual(await outbox.read('capsules', capsules[0]!.sequence, MIB, capsules[1]!.sequence), [capsules[1]])
  assert.deepEqual(await readAll(outbox, 'scored', 0, 0), [])
  assert.deepEqual(await readAll(outbox, 'releases'), [])
})

test('news of a lane are told; what is aborted or still open is never seen', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const { outbox } = await outboxOf(t, cluster)
  assert.deepEqual(await outbox.read('scored', 0, MIB), [])
  const told: (readonly Topic[])[] = []
  outbox.onEntries((topics) => told.push(topics))
  const producer = cluster.kafka.producer({ transactionalId: cluster.prefix, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  t.after(() => producer.disconnect())
  const send = async (value: string) => {
    const transaction = await producer.transaction()
    await transaction.send({ topic: cluster.names.scored, messages: [{ partition: 0, key: 'r:0:0', value }] })
    return transaction
  }
  await (await send('aborted')).abort()
  const open = await send('later')
  const end = await outbox.end('scored')
  assert.deepEqual(texts(await readAll(outbox, 'scored')), [])
  assert.equal(outbox.passed('scored', 0), end)
  await open.commit()
  await (await send('last')).commit()
  // Woken by what comes, as the recorder is.
  while (outbox.head('scored') < end + 3) await sleep(20)
  assert.deepEqual(texts(await readAll(outbox, 'scored')), ['later', 'last'])
  assert.ok(told.length > 0 && told.every(([topic]) => topic === 'scored'))
})

test('two consumers at different places of one lane both get everything', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open()
  await log.append(Array.from({ length: 400 }, (_, i) => event(1, `${i}`)))
  await log.acquire(1)
  for (let i = 0; i < 20; i++)
    await log.commit([commitTo(1, (i + 1) * 20, { alerts: Array.from({ length: 20 }, (_, n) => alert(i * 20 + n)) })])
  const { outbox } = await outboxOf(t, cluster)
  const all = await readAll(outbox, 'alerts')
  assert.equal(all.length, 400)
  const from = all[200]!.sequence
  const [first, second] = await Promise.all([readAll(outbox, 'alerts', 0, 0, 20_000), readAll(outbox, 'alerts', from, 0, 20_000)])
  assert.deepEqual(first, all)
  assert.deepEqual(second, all.slice(201))
})

test('what is read ahead is bounded, and a lane that nobody reads for now is let go', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open()
  const blocks = 60
  await log.append(Array.from({ length: blocks * 2 }, (_, i) => event(0, `${i}`)))
  await log.acquire(0)
  for (let i = 0; i < blocks; i++) await log.commit([commitTo(0, i * 2 + 2, { scored: block(i * 2, i, MIB / 4) })])
  const { outbox } = await outboxOf(t, cluster)
  const [first] = await outbox.read('scored', 0, 1)
  // It reads on until it has enough, and stops there.
  let known = -1
  while (outbox.head('scored') > known) {
    known = outbox.head('scored')
    await sleep(500)
  }
  const end = await outbox.end('scored')
  const aheadBytes = (known / end) * blocks * (MIB / 4)
  assert.ok(aheadBytes > 3 * MIB && aheadBytes < 7 * MIB, `${aheadBytes} bytes read ahead`)
  assert.ok(outbox.lag('scored', first!.sequence).entries > blocks / 2)
  outbox.leave('scored')
  assert.equal(outbox.passed('scored', first!.sequence), first!.sequence)
  const all = await readAll(outbox, 'scored')
  assert.deepEqual(
    all.map(({ payload }) => payload[0]),
    Array.from({ length: blocks }, (_, i) => i),
  )
})

const removeBefore = (admin: Admin, topic: string, offset: number): Promise<void> =>
  admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })

test('entries that were removed before they were read are an error that names them, never a gap', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open()
  await log.append(Array.from({ length: 6 }, (_, i) => event(0, `${i}`)))
  await log.acquire(0)
  for (let i = 0; i < 3; i++) await log.commit([commitTo(0, i * 2 + 2, { scored: block(i * 2, i) })])
  const { outbox, admin } = await outboxOf(t, cluster)
  const [first, second, third] = await readAll(outbox, 'scored')
  outbox.leave('scored')
  await removeBefore(admin, cluster.names.scored, second!.sequence)
  const trimmed = (error: unknown): boolean => {
    const { code: found, retryable, lane, topic, firstLost, firstThere, message } = error as Record<string, unknown>
    assert.deepEqual([found, retryable, topic, lane], ['OUTBOX_TRIMMED', false, 'scored', 0])
    assert.deepEqual([firstLost, firstThere], [first!.sequence + 1, second!.sequence + 1])
    assert.match(String(message), /acceptGaps/)
    return true
  }
  await assert.rejects(outbox.read('scored', first!.sequence, MIB), trimmed)
  await assert.rejects(outbox.read('scored', first!.sequence, MIB), code('OUTBOX_TRIMMED'))
  assert.deepEqual(await outbox.read('scored', second!.sequence, MIB), [third])
  await assert.rejects(outbox.read('scored', 1_000, MIB), code('OUTBOX_SHORTER_THAN_POSITION'))
})

test('a consumer that is kept waiting until entries behind those read ahead are gone is told where', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open()
  await log.append(Array.from({ length: 80 }, (_, i) => event(0, `${i}`)))
  await log.acquire(0)
  for (let i = 0; i < 40; i++) await log.commit([commitTo(0, i * 2 + 2, { scored: block(i * 2, i, MIB / 2) })])
  const { outbox, admin } = await outboxOf(t, cluster)
  let at = (await outbox.read('scored', 0, 1))[0]!.sequence
  const end = await outbox.end('scored')
  await removeBefore(admin, cluster.names.scored, end - 2)
  const read = async (): Promise<void> => {
    for (;;) at = (await outbox.read('scored', at, 1)).at(-1)?.sequence ?? outbox.passed('scored', at)
  }
  await assert.rejects(read, (error: { code?: string; firstLost?: number; firstThere?: number }) => {
    assert.deepEqual([error.code, error.firstLost, error.firstThere], ['OUTBOX_TRIMMED', at + 1, end - 1])
    return true
  })
  assert.ok(at > 1 && at < end - 2)
})

test('positions of consumers are offsets of groups, for each topic one', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const { outbox, admin } = await outboxOf(t, cluster)
  assert.equal(await outbox.cursor('recorder', 'scored', 2), 0)
  await outbox.advance('recorder', 'scored', 7, 2)
  await outbox.advance('recorder', 'scored', 5, 2)
  await outbox.advance('recorder', 'scored', 3, 1)
  await outbox.advance('recorder', 'alerts', 4)
  await outbox.advance('recorder', 'capsules', 9)
  assert.equal(await outbox.cursor('recorder', 'scored', 2), 7)
  const offsets = async (groupId: string, topic: string): Promise<number[]> => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return found!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
  }
  await outbox.close()
  const { scored, alerts } = cluster.names
  assert.deepEqual(await offsets(`${cluster.prefix}.recorder`, scored), [-1, 3, 7, -1])
  assert.deepEqual(await offsets(`${cluster.prefix}.recorder`, alerts), [4])
  assert.deepEqual(await offsets(`${cluster.prefix}.recorder.capsules`, alerts), [9])
  const { outbox: next } = await outboxOf(t, cluster)
  assert.deepEqual([await next.cursor('recorder', 'scored', 2), await next.cursor('recorder', 'capsules')], [7, 9])
})
