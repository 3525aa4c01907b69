import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Batch, type Consumer, type Kafka, type KafkaMessage } from 'kafkajs'

/** A client of its own for tests: what they check is not read with the code they check. */
export const testKafka = (brokers: readonly string[]): Kafka =>
  new kafkajs.Kafka({
    brokers: [...brokers],
    clientId: 'plumbline-test',
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 10 },
  })

/** A prefix no other test uses. */
export const uniquePrefix = (name: string): string => `test-${name}-${randomUUID().slice(0, 8)}`

const MARK = 'end-of-test-read:'

export interface ReadMessage extends Pick<KafkaMessage, 'key' | 'value' | 'headers' | 'timestamp'> {
  readonly partition: number
  readonly offset: number
}

const partitionsOf = async (kafka: Kafka, topic: string): Promise<number> => {
  const admin = kafka.admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return topics[0]!.partitions.length
}

/** A record behind everything that is there now. With read_committed it is only seen when all transactions before it are settled. */
const writeMarks = async (kafka: Kafka, topic: string, partitions: number, key: string, value: string): Promise<void> => {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic, messages: Array.from({ length: partitions }, (_, partition) => ({ partition, key, value })) })
  await producer.disconnect()
}

interface ReadOptions {
  /** First offset, of partition 0 only. Default: the beginning. */
  readonly from?: number
  /** Key of the mark, where a topic's other readers must know it. */
  readonly markKey?: string
}

/** All records of a topic that are committed now, in order per partition: read until a mark that is written for the purpose. */
export const readCommitted = async (
  kafka: Kafka,
  topic: string,
  { from = 0, markKey = 'z:mark' }: ReadOptions = {},
): Promise<ReadMessage[]> => {
  const partitions = await partitionsOf(kafka, topic)
  const mark = `${MARK}${randomUUID()}`
  await writeMarks(kafka, topic, partitions, markKey, mark)
  const consumer = kafka.consumer({ groupId: `test-read-${randomUUID()}`, maxWaitTimeInMs: 50, allowAutoTopicCreation: false })
  try {
    return await readToMarks(consumer, { topic, partitions, mark, from })
  } finally {
    await consumer.disconnect()
  }
}

interface Reading {
  readonly topic: string
  readonly partitions: number
  readonly mark: string
  readonly from: number
}

const readToMarks = async (consumer: Consumer, { topic, partitions, mark, from }: Reading): Promise<ReadMessage[]> => {
  const { GROUP_JOIN, CRASH } = consumer.events
  let found: ReadMessage[] = []
  let ended = 0
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const take = (partition: number, message: KafkaMessage): void => {
      const { key, value, headers = {}, timestamp } = message
      const content = value?.toString() ?? ''
      if (content === mark && ++ended === partitions) resolve()
      if (!content.startsWith(MARK)) found.push({ partition, offset: Number(message.offset), key, value, timestamp, headers })
    }
    // A broker that has just started sends the first members away; kafkajs calls that a crash, starts again, and so does this.
    consumer.on(GROUP_JOIN, () => {
      found = []
      ended = 0
      if (from > 0) consumer.seek({ topic, partition: 0, offset: String(from) })
    })
    consumer.on(CRASH, ({ payload: { error, restart } }) => restart || reject(error))
    const eachBatch = async ({ batch }: { batch: Batch }): Promise<void> => {
      for (const message of batch.messages) take(batch.partition, message)
    }
    consumer.run({ autoCommit: false, eachBatch }).catch(reject)
  })
  return found
}

/** Resolves when the broker knows the topic with so many partitions: it acknowledges changes before that. */
export const untilPartitions = async (admin: Admin, topic: string, count: number): Promise<void> => {
  for (;;) {
    if ((await admin.listTopics()).includes(topic)) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      if (topics[0]?.partitions.length === count) return
    }
    await sleep(20)
  }
}

export const makeTopic = async (admin: Admin, topic: string, numPartitions: number): Promise<void> => {
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false })
  await untilPartitions(admin, topic, numPartitions)
}

const WARM_MS = 60_000

const tryTransaction = async (kafka: Kafka, topic: string): Promise<void> => {
  const producer = kafka.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: '' }] })
    await transaction.sendOffsets({ consumerGroupId: topic, topics: [{ topic, partitions: [{ partition: 0, offset: '0' }] }] })
    await transaction.commit()
  } finally {
    await producer.disconnect()
  }
}

/** Resolves after a transaction with a group's offsets: a broker that has just started makes its coordinators' topics for it. */
export const warmUp = async (brokers: readonly string[]): Promise<void> => {
  const kafka = testKafka(brokers)
  const topic = `warm-up-${randomUUID()}`
  const admin = kafka.admin()
  await admin.connect()
  await makeTopic(admin, topic, 1)
  for (const until = performance.now() + WARM_MS; ; await sleep(100)) {
    try {
      await tryTransaction(kafka, topic)
      break
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
}

/** Removes what a test made, for brokers that outlive it. */
export const removeTopics = async (kafka: Kafka, prefix: string): Promise<void> => {
  const admin = kafka.admin()
  await admin.connect()
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(`${prefix}.`))
  if (topics.length > 0) await admin.deleteTopics({ topics })
  await admin.disconnect()
}
