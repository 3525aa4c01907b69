import type { Outbox } from '@plumbline/detector'
import { PlumblineError, type Topic } from '@plumbline/schemas'
import type { Admin, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'
import type { Bounds } from './bounds.ts'
import { type Cursors, createCursors } from './outbox-cursors.ts'
import { PLACES } from './outbox-entry.ts'
import { type Lane, createLane } from './outbox-lane.ts'
import { type PartitionReader, openPartitionReader } from './reader.ts'
import type { TopicKind, TopicNames } from './topics.ts'

export interface KafkaOutboxOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: TopicNames
  /** Number of partitions of each topic. */
  readonly partitions: ReadonlyMap<TopicKind, number>
  /** First part of the names of topics and groups. */
  readonly prefix: string
}

/**
 * The outbox of a cluster: committed records of the topics that workers and services write. Lane = partition, sequence =
 * offset + 1. A topic is read from the first `read` on, by a reader of its own. Retention decides what is removed, whoever has
 * read it: a position before the first entry there is an error (OUTBOX_TRIMMED), never a silent gap.
 */
export interface KafkaOutbox extends Outbox {
  /** Tells the broker the last positions and stops reading. */
  close(): Promise<void>
}

/** Longest wait of a poll, and so for a lane that begins to be read while others are idle; a single lane has no others. */
const WAIT_MS = 100
const SINGLE_WAIT_MS = 250

export const createKafkaOutbox = ({ kafka, admin, names, partitions, prefix }: KafkaOutboxOptions): KafkaOutbox => {
  const listeners = new Set<(topics: readonly Topic[]) => void>()
  const readers = new Map<Topic, Promise<PartitionReader>>()
  const opened = new Map<string, Lane>()
  const cursors: Cursors = createCursors(admin, names, prefix)
  let closed = false

  const nameOf = (topic: Topic): string => names[PLACES[topic].kind]
  const lanesOf = (topic: Topic): number => partitions.get(PLACES[topic].kind) ?? 1

  const readerOf = (topic: Topic): Promise<PartitionReader> => {
    if (closed) throw new PlumblineError('OUTBOX_CLOSED', 'The outbox is closed.')
    let reader = readers.get(topic)
    if (reader === undefined) {
      const waitMs = lanesOf(topic) === 1 ? SINGLE_WAIT_MS : WAIT_MS
      reader = openPartitionReader({ kafka, topic: nameOf(topic), partitions: lanesOf(topic), waitMs })
      reader.catch(() => readers.delete(topic))
      readers.set(topic, reader)
    }
    return reader
  }

  const boundsOf = async (topic: Topic, lane: number): Promise<Bounds> => {
    const offsets = await admin.fetchTopicOffsets(nameOf(topic)).catch((error: unknown) => {
      throw kafkaError('KAFKA_UNREACHABLE', `The ends of ${nameOf(topic)} are not known.`, error)
    })
    const found = offsets.find(({ partition }) => partition === lane)
    if (found === undefined) throw new PlumblineError('LANE_UNKNOWN', `${nameOf(topic)} has no lane ${lane}.`)
    return { low: Number(found.low), high: Number(found.high) }
  }

  const laneOf = (topic: Topic, lane: number): Lane => {
    const id = `${topic} ${lane}`
    let found = opened.get(id)
    if (found === undefined) {
      found = createLane({
        topic,
        lane,
        reader: () => readerOf(topic),
        bounds: () => boundsOf(topic, lane),
        onNews: () => listeners.forEach((listener) => listener([topic])),
      })
      opened.set(id, found)
    }
    return found
  }

  return {
    lanes: lanesOf,
    read: (topic, after, maxBytes, through = Number.POSITIVE_INFINITY, lane = 0) => laneOf(topic, lane).read(after, maxBytes, through),
    onEntries(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    head: (topic, lane = 0) => laneOf(topic, lane).head(),
    async end(topic, lane = 0) {
      const { high } = await boundsOf(topic, lane)
      laneOf(topic, lane).noteEnd(high)
      return high
    },
    lag: (topic, after, lane = 0) => laneOf(topic, lane).lag(after),
    passed: (topic, after, lane = 0) => laneOf(topic, lane).passed(after),
    leave: (topic, lane = 0) => laneOf(topic, lane).leave(),
    register: async () => {},
    cursor: (consumer, topic, lane = 0) => cursors.read(consumer, topic, lane),
    async advance(consumer, topic, sequence, lane = 0) {
      cursors.advance(consumer, topic, lane, sequence)
    },
    async close() {
      closed = true
      for (const lane of opened.values()) lane.leave()
      await cursors.flush()
      const open = await Promise.allSettled(readers.values())
      await Promise.all(open.map(async (reader) => reader.status === 'fulfilled' && (await reader.value.close())))
    },
  }
}
