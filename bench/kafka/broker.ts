import { randomUUID } from 'node:crypto'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { kafkaBroker } from '../../test/support/kafka/broker.ts'

/** Whom the benches talk to besides the product: a client of their own. */
export interface BenchBroker {
  readonly brokers: readonly string[]
  readonly kafka: Kafka
  readonly admin: Admin
  close(): Promise<void>
}

/** Null with a word on standard error where no broker is to be had. */
export const benchBroker = async (): Promise<BenchBroker | string> => {
  const { brokers, skip } = await kafkaBroker()
  if (skip !== false) return skip
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  return { brokers, kafka, admin, close: () => admin.disconnect() }
}

export const benchPrefix = (): string => `bench-${randomUUID().slice(0, 8)}`

/** Sum of a group's committed positions over the partitions of a topic. */
export const committed = async (admin: Admin, groupId: string, topic: string): Promise<number> => {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
}

export const removeTopics = async (admin: Admin, prefix: string): Promise<void> => {
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(`${prefix}.`))
  if (topics.length > 0) await admin.deleteTopics({ topics })
}

export interface Rate {
  readonly perSecond: number
  readonly events: number
}

const LOOK_MS = 25

/**
 * Events per second between two marks of a group's committed positions, so that neither the start of a process nor its last
 * half-full chunks are in it. `total` positions are to come.
 */
export const rateOf = async (admin: Admin, groupId: string, topic: string, total: number, patienceMs = 180_000): Promise<Rate> => {
  const [from, to] = [total * 0.25, total * 0.95]
  let first: { at: number; count: number } | null = null
  for (const until = performance.now() + patienceMs; performance.now() < until; ) {
    const count = await committed(admin, groupId, topic)
    const at = performance.now()
    if (first === null && count >= from) first = { at, count }
    if (first !== null && count >= to && at > first.at)
      return { perSecond: ((count - first.count) / (at - first.at)) * 1000, events: count - first.count }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new Error(`After ${patienceMs / 1000} s only ${await committed(admin, groupId, topic)} of ${total} events are processed.`)
}

/** Bytes of keys and values in a topic, committed or not, as they were written: nothing is compacted this soon. */
export const bytesIn = async ({ kafka, admin }: BenchBroker, topic: string): Promise<number> => {
  const ends = await admin.fetchTopicOffsets(topic)
  const left = new Set(ends.filter(({ low, high }) => Number(high) > Number(low)).map(({ partition }) => partition))
  const consumer = kafka.consumer({ groupId: `${topic}-${performance.now()}`, readUncommitted: true, maxBytesPerPartition: 8_388_608 })
  const done = Promise.withResolvers<void>()
  let bytes = 0
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    const end = Number(ends.find((one) => one.partition === partition)!.high)
    // The last of a partition is the marker of its last transaction, which is no message.
    if (Number(lastOffset) >= end - 2) left.delete(partition)
    if (left.size === 0) done.resolve()
  })
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch }) {
      for (const { key, value } of batch.messages) bytes += (key?.length ?? 0) + (value?.length ?? 0)
    },
  })
  await done.promise
  await consumer.disconnect()
  return bytes
}
