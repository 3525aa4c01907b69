import type { Batch, Consumer, ConsumerConfig, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'

/** What a member of a consumer group of one topic is told. Nothing it does is stored as an offset of the group. */
export interface MemberHandlers {
  /** After every join, also those that kafkajs makes by itself: its offsets and pauses are then nobody's. */
  onJoined(partitions: readonly number[], consumer: Consumer, memberId: string): void
  onBatch(batch: Batch): void
  /** A piece of the log that holds only markers or aborted records. */
  onEmpty(partition: number, first: number, last: number, end: number): void
  /** The consumer takes no calls until the next join. */
  onStopped(): void
  /** No member any more, after all retries; it tries to be one again until it leaves. */
  onFailed(error: Error): void
}

export interface Member {
  leave(): Promise<void>
}

/** A broker that has just started needs some time before it coordinates groups. */
const FIRST_JOIN_MS = 45_000
const AGAIN_MS = 1_000

/** Waits out a broker that restarts; after the last try kafkajs begins anew. */
const RETRY = { initialRetryTime: 100, multiplier: 2, factor: 0.2, maxRetryTime: 2_000, retries: 10 }

/** Joins a group; resolves after the first join and its `onJoined`. From then on it stays a member until it leaves. */
export const joinGroup = async (kafka: Kafka, topic: string, config: ConsumerConfig, handlers: MemberHandlers): Promise<Member> => {
  let left = false
  let again: NodeJS.Timeout | undefined
  let beginning: Promise<void> = Promise.resolve()
  const consumer = kafka.consumer({
    ...config,
    allowAutoTopicCreation: false,
    retry: { ...RETRY, restartOnFailure: () => Promise.resolve(!left) },
  })

  const begin = async (): Promise<void> => {
    await consumer.connect()
    // From the beginning: also the answer to a position that the broker no longer has, which a reader then sees as a gap.
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch, isStale }) => {
        if (!isStale()) handlers.onBatch(batch)
        return Promise.resolve()
      },
    })
  }
  const beginLater = (): void => {
    if (left) return
    again = setTimeout(() => {
      beginning = begin().catch(beginLater)
    }, AGAIN_MS)
  }
  const leave = async (): Promise<void> => {
    left = true
    clearTimeout(again)
    await beginning
    await consumer.disconnect()
  }

  const joined = firstJoin(consumer, topic, handlers, beginLater)
  // Its failure is also a failure of what follows, which is waited for first.
  joined.catch(() => {})
  try {
    await begin()
    await joined
  } catch (error) {
    await leave().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', `The group of topic ${topic} cannot be joined.`, error)
  }
  return { leave }
}

/** Passes on what happens to a member; resolves with its first join, rejects when there is none in time. */
const firstJoin = (consumer: Consumer, topic: string, handlers: MemberHandlers, beginLater: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const { GROUP_JOIN, END_BATCH_PROCESS, STOP, CRASH } = consumer.events
    let joined = false
    let last = new Error('No answer.')
    const timer = setTimeout(() => reject(last), FIRST_JOIN_MS)
    timer.unref()
    consumer.on(GROUP_JOIN, ({ payload: { memberAssignment, memberId } }) => {
      clearTimeout(timer)
      joined = true
      handlers.onJoined(memberAssignment[topic] ?? [], consumer, memberId)
      resolve()
    })
    consumer.on(END_BATCH_PROCESS, ({ payload: { partition, batchSize, firstOffset, lastOffset, highWatermark } }) => {
      if (batchSize === 0) handlers.onEmpty(partition, Number(firstOffset), Number(lastOffset), Number(highWatermark))
    })
    consumer.on(STOP, () => handlers.onStopped())
    consumer.on(CRASH, ({ payload: { error, restart } }) => {
      last = error
      if (joined) handlers.onFailed(error)
      // kafkajs starts again by itself, except for what it thinks is for good: a coordinator it could not find is among that.
      if (!restart) beginLater()
    })
  })
