import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, ConsumerConfig, Kafka } from 'kafkajs'
import { accessProblem, kafkaError } from './errors.ts'
import { watchSilence } from './silence.ts'

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

/**
 * Without a heartbeat or a join for so many sessions, and at least so long, a member is no member any more, whatever its client
 * believes: one whose request to join was never answered waits for ever (seen under heavy load), and its shards with it.
 */
const SILENT_SESSIONS = 3
const LEAST_SILENCE_MS = 15_000
const DEFAULT_SESSION_MS = 30_000
/** Longest that a client may take to disconnect: one that waits for an answer may never do. */
const GIVE_UP_MS = 5_000

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
  const silentMs = Math.max(LEAST_SILENCE_MS, SILENT_SESSIONS * (config.sessionTimeout ?? DEFAULT_SESSION_MS))
  const watch = watchSilence(silentMs, (ms) => startAnew(ms))
  let left = false
  let joined = false
  let again: NodeJS.Timeout | undefined
  /** The one that counts: nothing is heard of one that was given up. */
  let consumer: Consumer | null = null

  const begin = async (made: Consumer): Promise<void> => {
    consumer = made
    listen(made)
    watch.heard()
    await made.connect()
    // From the beginning: also the answer to a position that the broker no longer has, which a reader then sees as a gap.
    await made.subscribe({ topic, fromBeginning: true })
    await made.run({
      autoCommit: false,
      eachBatch: ({ batch, isStale }) => {
        if (made === consumer && !isStale()) handlers.onBatch(batch)
        return Promise.resolve()
      },
    })
  }
  const make = (): Consumer =>
    kafka.consumer({
      ...config,
      groupId: alone ? `${groupId}-${randomUUID()}` : groupId,
      allowAutoTopicCreation: false,
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    })
  const beginLater = (): void => {
    if (left) return
    clearTimeout(again)
    again = setTimeout(() => {
      const made = make()
      begin(made).catch(async () => {
        await giveUp(made)
        // One that was slow to fail may have been given up for another.
        if (made === consumer) beginLater()
      })
    }, AGAIN_MS)
  }
  const startAnew = (silent: number): void => {
    const former = consumer
    consumer = null
    if (joined) {
      handlers.onStopped()
      handlers.onFailed(new Error(`No sign of the group for ${Math.round(silent / 1_000)} s.`))
    }
    if (former !== null) void giveUp(former)
    beginLater()
  }

  const listen = (made: Consumer): void => {
    const { GROUP_JOIN, HEARTBEAT, END_BATCH_PROCESS, STOP, CRASH } = made.events
    const isCurrent = (): boolean => made === consumer
    made.on(HEARTBEAT, () => isCurrent() && watch.heard())
    made.on(GROUP_JOIN, ({ payload: { memberAssignment, memberId } }) => {
      if (!isCurrent()) return
      watch.heard()
      joined = true
      handlers.onJoined(memberAssignment[topic] ?? [], made, memberId)
      first.resolve()
    })
    made.on(END_BATCH_PROCESS, ({ payload: { partition, batchSize, firstOffset, lastOffset, highWatermark } }) => {
      if (isCurrent() && batchSize === 0) handlers.onEmpty(partition, Number(firstOffset), Number(lastOffset), Number(highWatermark))
    })
    made.on(STOP, () => isCurrent() && handlers.onStopped())
    made.on(CRASH, ({ payload: { error } }) => {
      if (!isCurrent()) return
      first.failed(error)
      if (joined) handlers.onFailed(error)
      beginLater()
    })
  }

  const leave = async (): Promise<void> => {
    left = true
    watch.end()
    clearTimeout(again)
    if (consumer !== null) await giveUp(consumer)
    // What was owned is so no more, whether the client has managed to say so or not.
    if (joined) handlers.onStopped()
  }

  try {
    begin(make()).catch(first.refused)
    await first.joined
  } catch (error) {
    await leave()
    throw kafkaError('KAFKA_UNREACHABLE', `The group of topic ${topic} cannot be joined.`, error)
  }
  return { leave }
}

const giveUp = (consumer: Consumer): Promise<unknown> =>
  Promise.race([consumer.disconnect().catch(() => {}), new Promise((resolve) => setTimeout(resolve, GIVE_UP_MS).unref())])

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
    refused(error: Error): void {
      clearTimeout(timer)
      reject(error)
    },
    failed(error: Error): void {
      last = error
      // Time does not give rights or another password.
      if (accessProblem(error) !== undefined) reject(error)
    },
  }
}
