import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaLog } from '@plumbline/adapters/kafka'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, clusterFor, code, event } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'

/** Retention takes away what a shard has worked off, markers of transactions included; and what it has not, which must be told. */

const { brokers, skip } = await kafkaBroker()
const UNTIL_MS = 30_000

const until = async (what: string, condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = performance.now() + UNTIL_MS; !(await condition()); await pause(50)) assert.ok(performance.now() < end, what)
}

/** Events in a transaction, as a door stores them: a marker follows. */
const store = async ({ kafka, names }: Cluster, values: readonly string[], end: 'commit' | 'abort' = 'commit'): Promise<void> => {
  const producer = kafka.producer({ transactionalId: `${names.events}-door`, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: names.events, messages: values.map((value) => ({ partition: 0, key: `e:t|${value}`, value })) })
  await transaction[end]()
  await producer.disconnect()
}

/** Removes all there is. Returns where the shard then begins and ends. */
const removeAll = async ({ kafka, names }: Cluster): Promise<number> => {
  const admin = kafka.admin()
  await admin.connect()
  const ends = async () => (await admin.fetchTopicOffsets(names.events)).find(({ partition }) => partition === 0)!
  await ends()
  await admin.deleteTopicRecords({ topic: names.events, partitions: [{ partition: 0, offset: '-1' }] })
  const { low, high } = await ends()
  await admin.disconnect()
  assert.equal(low, high)
  return Number(low)
}

/** The group's offset, which is stored together with what the state topic says of where only markers follow. */
const told = async ({ kafka, names, prefix }: Cluster): Promise<number> => {
  const admin = kafka.admin()
  await admin.connect()
  const [topic] = await admin.fetchOffsets({ groupId: `${prefix}.worker`, topics: [names.events] })
  await admin.disconnect()
  return Number(topic!.partitions.find(({ partition }) => partition === 0)?.offset)
}

/** What the state topic says itself; it cannot be restored from afterwards. */
const passed = async ({ kafka, names }: Cluster): Promise<number> =>
  Number((await readCommitted(kafka, names.state)).filter(({ key }) => key!.toString() === 'o:passed').at(-1)?.value ?? -1)

const texts = async (log: KafkaLog, from: number): Promise<string[]> =>
  (await log.read(0, from, 10)).map(({ value }) => Buffer.from(value).toString())

/** Processes what is there, and asks for more until it is known that only markers follow up to `end`. */
const workOff = async (log: KafkaLog, cluster: Cluster, next: number, end: number): Promise<void> => {
  await log.commit([commitTo(0, next)])
  await until('the markers passed', async () => {
    assert.deepEqual(await log.read(0, next, 10), [])
    return (await told(cluster)) === end
  })
}

test('an idle shard that has worked everything off goes on after retention has removed all of it, its marker too', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  await store(cluster, ['a', 'b'])
  const log = await cluster.open()
  await log.acquire(0)
  assert.deepEqual(await texts(log, 0), ['a', 'b'])
  await workOff(log, cluster, 2, 3)
  await log.release([0])
  assert.equal(await removeAll(cluster), 3)
  const next = await cluster.open()
  assert.equal((await next.acquire(0)).nextOffset, 2)
  assert.deepEqual(await next.read(0, 2, 10), [])
  await store(cluster, ['c'])
  await until('the next event', async () => (await texts(next, 2)).join() === 'c')
})

test('what is aborted behind an idle shard is passed without anybody asking, and may be removed', { skip, timeout: 90_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const log = await cluster.open()
  // As a worker does: it asks when it is told.
  log.onRecords((shards) => shards.includes(0) && void log.read(0, 1, 10))
  await log.append([event(0, 'a')])
  await log.acquire(0)
  assert.deepEqual(await texts(log, 0), ['a'])
  await log.commit([commitTo(0, 1)])
  assert.deepEqual(await log.read(0, 1, 10), [])
  await store(cluster, ['never', 'stored'], 'abort')
  await until('the aborted records passed', async () => (await told(cluster)) === 4)
  await log.release([0])
  assert.equal(await removeAll(cluster), 4)
  assert.equal((await log.acquire(0)).nextOffset, 1)
  assert.deepEqual(await log.read(0, 1, 10), [])
})

test('where the group offset alone has passed the markers, the next owner writes that they are', { skip, timeout: 90_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  await store(cluster, ['a'])
  const log = await cluster.open()
  await log.acquire(0)
  assert.deepEqual(await texts(log, 0), ['a'])
  await workOff(log, cluster, 1, 2)
  await log.release([0])
  // As a build left it that did not write it.
  const producer = cluster.kafka.producer()
  await producer.connect()
  await producer.send({ topic: cluster.names.state, messages: [{ partition: 0, key: 'o:passed', value: '0' }] })
  await producer.disconnect()
  const next = await cluster.open()
  await next.acquire(0)
  await until('the marker passed', async () => {
    assert.deepEqual(await next.read(0, 1, 10), [])
    return (await passed(cluster)) === 2
  })
})

test('events that were removed before they were processed are told, however many markers were passed before them', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  await store(cluster, ['a'])
  const log = await cluster.open()
  await log.acquire(0)
  assert.deepEqual(await texts(log, 0), ['a'])
  await workOff(log, cluster, 1, 2)
  await log.release([0])
  await store(cluster, ['lost'])
  assert.equal(await removeAll(cluster), 4)
  const next = await cluster.open()
  const { nextOffset } = await next.acquire(0)
  await assert.rejects(next.read(0, nextOffset, 10), code('RECORDS_TRIMMED'))
  // Nor is it forgotten with what comes later.
  await store(cluster, ['late'])
  await assert.rejects(next.read(0, nextOffset, 10), code('RECORDS_TRIMMED'))
})
