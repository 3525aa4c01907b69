import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, ConsumerConfig, Kafka } from 'kafkajs'
import { accessProblem, kafkaError } from './errors.ts'

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

/** Waits out a broker that restarts; after the last try a new consumer begins. */
const RETRY = { initialRetryTime: 100, multiplier: 2, factor: 0.2, maxRetryTime: 2_000, retries: 10 }

export interface MemberConfig extends ConsumerConfig {
  /**
   * Nobody else is in the group: `groupId` is only the first part of its name, and whoever begins again does so in a new one.
   * In the old one it would wait until the broker has missed its former self, half a minute by default.
   */
  readonly alone?: boolean
}

/** Joins a group; resolves after the first join and its `onJoined`. From then on it stays a member until it leaves. */
export const joinGroup = async (kafka: Kafka, topic: string, options: MemberConfig, handlers: MemberHandlers): Promise<Member> => {
  const { alone = false, groupId, ...config } = options
  const first = firstJoin()
  let left = false
  let joined = false
  let again: NodeJS.Timeout | undefined
  let beginning: Promise<void> = Promise.resolve()
  let consumer: Consumer

  const begin = async (): Promise<void> => {
    const made = kafka.consumer({
      ...config,
      groupId: alone ? `${groupId}-${randomUUID()}` : groupId,
      allowAutoTopicCreation: false,
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    })
    consumer = made
    listen(made)
    await made.connect()
    // From the beginning: also the answer to a position that the broker no longer has, which a reader then sees as a gap.
    await made.subscribe({ topic, fromBeginning: true })
    await made.run({
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
      beginning = begin().catch(async () => {
        await consumer.disconnect().catch(() => {})
        beginLater()
      })
    }, AGAIN_MS)
  }

  const listen = (made: Consumer): void => {
    const { GROUP_JOIN, END_BATCH_PROCESS, STOP, CRASH } = made.events
    made.on(GROUP_JOIN, ({ payload: { memberAssignment, memberId } }) => {
      joined = true
      handlers.onJoined(memberAssignment[topic] ?? [], made, memberId)
      first.resolve()
    })
    made.on(END_BATCH_PROCESS, ({ payload: { partition, batchSize, firstOffset, lastOffset, highWatermark } }) => {
      if (batchSize === 0) handlers.onEmpty(partition, Number(firstOffset), Number(lastOffset), Number(highWatermark))
    })
    made.on(STOP, () => handlers.onStopped())
    made.on(CRASH, ({ payload: { error } }) => {
      first.failed(error)
      if (joined) handlers.onFailed(error)
      beginLater()
    })
  }

  const leave = async (): Promise<void> => {
    left = true
    clearTimeout(again)
    await beginning
    await consumer.disconnect()
  }

  try {
    await begin()
    await first.joined
  } catch (error) {
    await leave().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', `The group of topic ${topic} cannot be joined.`, error)
  }
  return { leave }
}

/** The first join, or its last failure when there is none in time. */
const firstJoin = () => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let last = new Error('No answer.')
  const timer = setTimeout(() => reject(last), FIRST_JOIN_MS)
  timer.unref()
  // Its failure is also a failure of what comes before it, which is waited for first.
  promise.catch(() => {})
  return {
    joined: promise,
    resolve(): void {
      clearTimeout(timer)
      resolve()
    },
    failed(error: Error): void {
      last = error
      // Time does not give rights or another password.
      if (accessProblem(error) !== undefined) reject(error)
    },
  }
}
