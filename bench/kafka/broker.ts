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
