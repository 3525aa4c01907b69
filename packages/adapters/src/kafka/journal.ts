import { PlumblineError } from '@plumbline/schemas'
import type { Admin, Kafka } from 'kafkajs'
import { openPartitionReader } from './reader.ts'
import type { ReadRecord } from './record.ts'

/** Key prefix of marks: records by which a producer finds out whether its transaction was stored. Value: the nonce of the latest. */
export const MARK = 't:'
/** Key prefix of barriers: behind one, everything that was undecided before it is settled. */
export const BARRIER = 'b:'

/**
 * Follows a topic of one partition from its beginning, committed records only, for as long as it is open: also over outages.
 */
export interface Journal {
  readonly topic: string
  /** Resolves when everything up to `offset` was taken in. Error, when that takes longer than `withinMs`: JOURNAL_BEHIND. */
  reached(offset: number, withinMs: number): Promise<void>
  /** The same for everything that is settled now: an end that brokers name is before the first open transaction. */
  caughtUp(withinMs: number): Promise<void>
  /** From now on a mark with this nonce is noticed, until the returned function is called, which says whether it came. */
  expect(nonce: string): () => boolean
  close(): Promise<void>
}

export interface JournalOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly topic: string
  /** All records but marks and barriers, in order, each once. */
  readonly onRecords: (messages: readonly ReadRecord[]) => void
}

const WAIT_MS = 100
const AGAIN_MS = 250

export const openJournal = async ({ kafka, admin, topic, onRecords }: JournalOptions): Promise<Journal> => {
  const reader = await openPartitionReader({ kafka, topic, partitions: 1, waitMs: WAIT_MS })
  const waiting = new Set<() => void>()
  const marks = new Map<string, boolean>()
  let position = 0
  let again: NodeJS.Timeout | undefined
  let closed = false

  const isContent = ({ key, value }: ReadRecord): boolean => {
    const start = key?.subarray(0, 2).toString('latin1')
    const nonce = value?.toString('latin1') ?? ''
    if (start === MARK && marks.has(nonce)) marks.set(nonce, true)
    return start !== MARK && start !== BARRIER
  }

  const sink = {
    onRecords(messages: readonly ReadRecord[], next: number): void {
      const content = messages.filter(isContent)
      if (content.length > 0) onRecords(content)
      position = next
      for (const look of waiting) look()
    },
    // The beginning may have been removed, and compaction leaves holes.
    onGap: () => true,
    onFailed: () => follow(AGAIN_MS),
  }
  /** Opens the stream where it ended; while the brokers are away it is tried again. */
  const follow = (delayMs: number): void => {
    if (closed) return
    again = setTimeout(() => {
      try {
        reader.open(0, position, sink)
      } catch {
        follow(AGAIN_MS)
      }
    }, delayMs)
  }
  follow(0)

  const reached = (offset: number, withinMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        waiting.delete(look)
        settle()
      }
      const look = (): void => {
        if (position > offset) end(resolve)
      }
      const late = (): void => {
        const message = `Topic ${topic} was read up to ${position} in ${withinMs / 1000} s, not up to ${offset}.`
        end(() => reject(new PlumblineError('JOURNAL_BEHIND', message, { retryable: true })))
      }
      const timer = setTimeout(late, withinMs)
      waiting.add(look)
      look()
    })

  return {
    topic,
    reached,
    async caughtUp(withinMs) {
      const [end] = await admin.fetchTopicOffsets(topic)
      await reached(Number(end?.high ?? 0) - 1, withinMs)
    },
    expect(nonce) {
      marks.set(nonce, false)
      return () => {
        const came = marks.get(nonce) === true
        marks.delete(nonce)
        return came
      }
    },
    async close() {
      closed = true
      clearTimeout(again)
      await reader.close()
    },
  }
}
