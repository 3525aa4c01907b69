import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import type { Kafka, Message, Producer, RecordMetadata, TopicMessages } from 'kafkajs'
import { type KafkaCompression, compressionType, isFenced, kafkaError } from './client.ts'
import { BARRIER, type Journal, MARK } from './journal.ts'
import { cutRequests } from './requests.ts'
import { connectProducer } from './shard.ts'

/** Places where a test may stop the process, or fail the call by throwing. */
export type TransactionPoint = 'begin' | 'sent' | 'committed'

export interface TransactorOptions {
  readonly kafka: Kafka
  /** Whoever uses it last has it: what another left open under it is settled before. */
  readonly transactionalId: string
  /** Where barriers and marks are written. */
  readonly journal: Journal
  /** Topics that are caught up with as well at every beginning, and to which no barrier is written. */
  readonly others?: readonly Journal[]
  readonly compression: KafkaCompression
  /** How long brokers that are away are waited for, ms. Default 25,000. */
  readonly waitMs?: number
  readonly onPoint?: (point: TransactionPoint) => void
}

/** What each topic gets in a transaction, and the offsets it got there, in the same order. */
export type TopicParts = ReadonlyMap<string, readonly Message[]>
export type TopicOffsets = ReadonlyMap<string, readonly number[]>

/** Parts of several callers, in their order. */
export const joinParts = (all: readonly TopicParts[]): TopicParts => {
  const joined = new Map<string, Message[]>()
  for (const parts of all) for (const [topic, messages] of parts) joined.set(topic, [...(joined.get(topic) ?? []), ...messages])
  return joined
}

/**
 * Transactions of one transactional id, one after the other, whose outcome is found out before anybody is told. A transaction
 * whose end was not answered is settled by initialising the id again, which commits or aborts it for good, and then by looking
 * for its mark in a journal read up to a barrier written behind it.
 */
export interface Transactor {
  /**
   * Resolves when nothing is in doubt and the journals have taken in all that was stored under this id before, by whomever.
   * Error: KAFKA_UNREACHABLE.
   */
  ready(): Promise<void>
  /**
   * Stores all of it or nothing. Errors: TRANSACTION_ABORTED, nothing was stored; TRANSACTION_UNKNOWN, the brokers went away
   * before it could be found out, the next `ready` does.
   */
  commit(parts: TopicParts): Promise<TopicOffsets>
  close(): Promise<void>
}

/** A transaction left behind by a process that died is aborted after this time at the latest; readers wait behind it. */
const TRANSACTION_MS = 10_000
const WAIT_MS = 25_000
const AGAIN_MS = 200

const aborted = (cause: unknown): PlumblineError =>
  kafkaError(
    'TRANSACTION_ABORTED',
    isFenced(cause)
      ? 'Another process has this transactional id now; nothing was stored.'
      : 'A transaction was given up; nothing was stored.',
    cause,
  )

/** Offsets of a topic's messages: a request's records of one partition are one batch, consecutive from the offset that is answered. */
const offsetsOf = (messages: readonly Message[], answers: readonly RecordMetadata[], topic: string): number[] => {
  const own = answers.filter(({ topicName }) => topicName === topic)
  const next = new Map(own.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
  return messages.map(({ partition = 0 }) => {
    const offset = next.get(partition)!
    next.set(partition, offset + 1)
    return offset
  })
}

export const createTransactor = (options: TransactorOptions): Transactor => {
  const { kafka, transactionalId, journal, others = [], compression, waitMs = WAIT_MS, onPoint = () => {} } = options
  // Only this process's marks replace each other: one that is looked for is never compacted away.
  const markKey = `${MARK}${transactionalId}/${randomUUID()}`
  let producer: Producer | null = null
  let closed = false

  const drop = (gone: Producer | null): void => {
    if (producer === gone) producer = null
    gone?.disconnect().catch(() => {})
  }

  /** Initialises the id, writes a barrier, and reads up to it. */
  const begin = async (): Promise<Producer> => {
    const fresh = await connectProducer(kafka, transactionalId, TRANSACTION_MS)
    try {
      const transaction = await fresh.transaction()
      const messages = [{ partition: 0, key: `${BARRIER}${transactionalId}`, value: randomUUID() }]
      const [written] = await transaction.send({ topic: journal.topic, messages, acks: -1 })
      await transaction.commit()
      await Promise.all([journal.reached(Number(written?.baseOffset), waitMs), ...others.map(({ caughtUp }) => caughtUp(waitMs))])
      return fresh
    } catch (error) {
      drop(fresh)
      throw error
    }
  }

  const ready = async (): Promise<void> => {
    for (const until = performance.now() + waitMs; producer === null; await sleep(AGAIN_MS)) {
      if (closed) throw new PlumblineError('STORE_CLOSED', 'The log is closed.')
      try {
        const fresh = await begin()
        // What was begun anew while it closed would be left open for ever.
        if (!closed) {
          producer = fresh
          return
        }
        drop(fresh)
      } catch (error) {
        if (performance.now() > until) throw kafkaError('KAFKA_UNREACHABLE', `Nothing can be stored as ${transactionalId} now.`, error)
      }
    }
  }

  const send = async (requests: readonly TopicMessages[][], to: Producer) => {
    const transaction = await to.transaction()
    onPoint('begin')
    const offsets = new Map<string, number[]>()
    for (const topicMessages of requests) {
      const answers = await transaction.sendBatch({ topicMessages, acks: -1, compression: compressionType(compression) })
      for (const { topic, messages } of topicMessages)
        offsets.set(topic, [...(offsets.get(topic) ?? []), ...offsetsOf(messages, answers, topic)])
    }
    onPoint('sent')
    return { transaction, offsets }
  }

  const settle = async (came: () => boolean, cause: unknown): Promise<void> => {
    try {
      await ready()
    } catch {
      came()
      throw kafkaError('TRANSACTION_UNKNOWN', 'Whether a transaction was stored is not known yet.', cause)
    }
    if (!came()) throw aborted(cause)
  }

  return {
    ready,
    async commit(parts) {
      await ready()
      const to = producer!
      const nonce = randomUUID()
      const mark = { partition: 0, key: markKey, value: nonce }
      const marked = new Map(parts).set(journal.topic, [...(parts.get(journal.topic) ?? []), mark])
      const requests = cutRequests([...marked].map(([topic, messages]) => ({ topic, messages })))
      const sent = await send(requests, to).catch((cause: unknown) => {
        drop(to)
        // Its end was never asked for: initialising the id again aborts it.
        throw aborted(cause)
      })
      const came = journal.expect(nonce)
      try {
        await sent.transaction.commit()
        onPoint('committed')
        came()
      } catch (cause) {
        drop(to)
        await settle(came, cause)
      }
      return sent.offsets
    },
    async close() {
      closed = true
      await producer?.disconnect()
      producer = null
    },
  }
}
