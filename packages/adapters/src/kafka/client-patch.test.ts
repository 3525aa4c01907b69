// What patches/kafkajs@2.2.4.patch fixes. Each of these tests fails on the package as it was published.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import kafkajs, { type FetchedBatch, type FetchedPartition, type Kafka, type Producer } from 'kafkajs'
import { kafkaBroker } from '../../../../test/support/kafka/broker.ts'
import { makeTopic, readCommitted, removeTopics, testKafka, uniquePrefix } from '../../../../test/support/kafka/topics.ts'
import { encodeProduce } from './produce.ts'

const require = createRequire(import.meta.url)
const { brokers, skip } = await kafkaBroker()

interface Message {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}
type Filter = (fetched: {
  readonly messages: readonly Message[]
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[]
}) => readonly Message[]
const filterAborted = require('kafkajs/src/consumer/filterAbortedMessages.js') as Filter

const ZEROS = Buffer.alloc(4)
const record = (offset: number, producer: string, key: Buffer | null = null): Message => ({
  offset: String(offset),
  key,
  isControlRecord: false,
  batchContext: { producerId: producer, inTransaction: true },
})
const marker = (offset: number, producer: string, type: 'abort' | 'commit'): Message => ({
  ...record(offset, producer, Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])),
  isControlRecord: true,
})
const aborted = (producerId: string, firstOffset: number) => ({ producerId, firstOffset: String(firstOffset) })
const dataOffsets = (messages: readonly Message[]): number[] =>
  messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset))

test('a data record whose key is four zero bytes does not end an aborted transaction', () => {
  const messages = [
    record(0, 'a'),
    record(1, 'a', ZEROS),
    record(2, 'a'),
    marker(3, 'a', 'abort'),
    record(4, 'a', ZEROS),
    marker(5, 'a', 'commit'),
  ]
  assert.deepEqual(dataOffsets(filterAborted({ messages, abortedTransactions: [aborted('a', 0)] })), [4])
})

test('a fetch from the middle of overlapping aborted transactions shows none of their records', () => {
  const messages = [
    record(5, 'b'),
    record(6, 'a'),
    record(7, 'c'),
    marker(8, 'a', 'abort'),
    record(9, 'b'),
    marker(10, 'b', 'abort'),
    record(11, 'b'),
  ]
  for (const abortedTransactions of [
    [aborted('a', 0), aborted('b', 2)],
    [aborted('b', 2), aborted('a', 0)],
  ]) {
    assert.deepEqual(dataOffsets(filterAborted({ messages, abortedTransactions })), [7, 11])
  }
})

test('an idle connection sets no timer, and a throttled request is sent when its time has come', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  interface Queue {
    push(request: object): void
    fulfillRequest(response: object): void
    maybeThrottle(ms: number): void
    readonly throttleCheckTimeoutId: unknown
  }
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue
  const logger = { debug() {}, warn() {} }
  const queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1_000, clientId: 'c', broker: 'b', logger })
  const sent: number[] = []
  const push = (correlationId: number): void =>
    queue.push({ entry: { correlationId, resolve() {}, reject() {} }, expectResponse: true, sendRequest: () => sent.push(correlationId) })
  push(1)
  queue.fulfillRequest({ correlationId: 1, size: 0, payload: null })
  assert.equal(queue.throttleCheckTimeoutId, null)
  queue.maybeThrottle(500)
  push(2)
  t.mock.timers.tick(499)
  assert.deepEqual(sent, [1])
  t.mock.timers.tick(1)
  assert.deepEqual(sent, [1, 2])
})

test('asking for the ends of a topic finds the new leader of a partition instead of giving up', async () => {
  interface Admin {
    fetchTopicOffsets(topic: string): Promise<readonly { readonly partition: number; readonly high: string; readonly low: string }[]>
  }
  const createAdmin = require('kafkajs/src/admin/index.js') as (options: object) => Admin
  // The part of the client's cluster that this question uses, before and after a partition has moved.
  let stale = true
  const cluster = {
    addTargetTopic() {},
    refreshMetadataIfNecessary() {},
    findTopicPartitionMetadata: () => [{ partitionId: 0 }],
    async fetchTopicsOffset([{ fromBeginning }]: [{ fromBeginning: boolean }]) {
      if (stale) throw Object.assign(new Error('moved'), { type: 'NOT_LEADER_FOR_PARTITION', retriable: true })
      return [{ partitions: [{ partition: 0, offset: fromBeginning ? '3' : '9' }] }]
    },
    async refreshMetadata() {
      stale = false
    },
  }
  const admin = createAdmin({ cluster, retry: { initialRetryTime: 1, retries: 3 }, logger: { namespace: () => ({}) } })
  assert.deepEqual(await admin.fetchTopicOffsets('t'), [{ partition: 0, offset: '9', high: '9', low: '3' }])
})

const topicOf = async (t: TestContext, kafka: Kafka): Promise<string> => {
  const prefix = uniquePrefix('patch')
  const topic = `${prefix}.records`
  const admin = kafka.admin()
  await admin.connect()
  await makeTopic(admin, topic, 1)
  await admin.disconnect()
  t.after(() => removeTopics(kafka, prefix))
  return topic
}

const transactional = async (t: TestContext, kafka: Kafka): Promise<Producer> => {
  const producer = kafka.producer({ transactionalId: `patch-${randomUUID()}`, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

test('broker: aborted records stay invisible when one of them has a key of four zero bytes', { skip }, async (t) => {
  const kafka = testKafka(brokers)
  const topic = await topicOf(t, kafka)
  const producer = await transactional(t, kafka)
  const transaction = await producer.transaction()
  for (const key of [Buffer.from('first'), ZEROS, Buffer.from('last')])
    await transaction.send({ topic, messages: [{ key, value: 'aborted' }] })
  await transaction.abort()
  const good = await producer.transaction()
  await good.send({ topic, messages: [{ key: ZEROS, value: 'committed' }] })
  await good.commit()
  assert.deepEqual(
    (await readCommitted(kafka, topic)).map(({ value }) => value?.toString()),
    ['committed'],
  )
})

test('broker: reading from the middle of overlapping aborted transactions shows none of their records', { skip }, async (t) => {
  const kafka = testKafka(brokers)
  const topic = await topicOf(t, kafka)
  const [a, b] = [await transactional(t, kafka), await transactional(t, kafka)]
  const [inA, inB] = [await a.transaction(), await b.transaction()]
  for (const transaction of [inA, inB, inA, inB]) await transaction.send({ topic, messages: [{ key: 'k', value: 'aborted' }] })
  await inA.abort()
  await inB.abort()
  assert.deepEqual(await readCommitted(kafka, topic, { from: 3 }), [])
})

test('broker: a reader that makes its own batches gets the bytes as they came, and is handed what it made', { skip }, async (t) => {
  const kafka = testKafka(brokers)
  const topic = await topicOf(t, kafka)
  const producer = await transactional(t, kafka)
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ key: 'k', value: 'as it came' }] })
  await transaction.commit()
  const fetched: FetchedPartition[] = []
  const made: FetchedBatch[] = []
  const consumer = kafka.consumer({
    groupId: `patch-${randomUUID()}`,
    maxWaitTimeInMs: 20,
    createBatch(of, from, partition) {
      fetched.push(partition)
      const whole = { topic: of, partition: 0, highWatermark: partition.highWatermark, messages: [from] }
      const ends = { firstOffset: () => from, lastOffset: () => '1', offsetLag: () => '0', offsetLagLow: () => '1' }
      const batch = { ...whole, ...ends, isEmpty: () => false, isEmptyDueToFiltering: () => false }
      made.push(batch)
      return batch
    },
  })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const handed = Promise.withResolvers<unknown>()
  await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => handed.resolve(batch) })
  assert.equal(await handed.promise, made[0])
  assert.ok(fetched[0]!.messages.includes('as it came'))
})

test('broker: what stands in for an encoder of the client is sent, piece by piece', { skip }, async (t) => {
  const before = kafkajs.RequestEncoders.produce
  t.after(() => {
    kafkajs.RequestEncoders.produce = before
  })
  let pieces = 0
  kafkajs.RequestEncoders.produce = async (request) => {
    const encoded = (await encodeProduce(request)).flatMap((piece) => [piece.subarray(0, 7), piece.subarray(7)])
    pieces += encoded.length
    return encoded
  }
  const kafka = testKafka(brokers)
  const topic = await topicOf(t, kafka)
  const producer = await transactional(t, kafka)
  const transaction = await producer.transaction()
  const values = ['small', 'x'.repeat(100_000), 'last']
  await transaction.send({ topic, messages: values.map((value) => ({ key: 'k', value })) })
  await transaction.commit()
  assert.deepEqual(
    (await readCommitted(kafka, topic)).map(({ value }) => value?.toString()),
    values,
  )
  assert.ok(pieces >= 6)
})
