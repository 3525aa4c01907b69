import { PlumblineError } from '@plumbline/schemas'
import { type Snapshot, type StateEntry, readState } from './codec.ts'
import type { PartitionReader } from './reader.ts'
import type { ReadRecord } from './record.ts'
import type { SlotCache } from './slots.ts'

/** State of a shard as its topic has it at the barrier. */
export interface RestoredState {
  readonly nextOffset: number
  /** Whether the topic says anything of positions: it does as soon as a chunk is stored, or a marker passed. */
  readonly named: boolean
  /** Position that slots and named state stand for, where the topic names one; at most `nextOffset`. */
  readonly snapshot: Snapshot | null
  /** Position behind markers that follow, where the topic names one. */
  readonly passed: number
  readonly meta: ReadonlyMap<string, Uint8Array>
  readonly records: number
  readonly bytes: number
}

/** The record that ends a restore: written by this owner in a transaction of its own, so everything older is settled. */
export interface Barrier {
  readonly offset: number
  readonly nonce: string
}

const fenced = (shard: number): PlumblineError =>
  new PlumblineError('SHARD_FENCED', `Another worker has taken shard ${shard} over while its state was read.`, { retryable: true })

const gone = (shard: number): PlumblineError =>
  new PlumblineError('SHARD_NOT_HELD', `Shard ${shard} was let go while its state was read.`, { retryable: true })

/** Without a single record for so long a restore is given up; the caller acquires again. */
const SILENCE_MS = 30_000

/**
 * Reads a shard's state from its first record to the barrier, slots into the cache. The barrier is a positive end mark: no
 * guess about where a log that others may still write to ends. A later barrier means that somebody else owns the shard now.
 */
export const restoreState = (
  reader: PartitionReader,
  slots: SlotCache,
  shard: number,
  barrier: Barrier,
  letGo: AbortSignal,
): Promise<RestoredState> =>
  new Promise((resolve, reject) => {
    const meta = new Map<string, Uint8Array>()
    const totals: { nextOffset: number; named: boolean; passed: number; snapshot: Snapshot | null; records: number; bytes: number } = {
      nextOffset: 0,
      named: false,
      passed: 0,
      snapshot: null,
      records: 0,
      bytes: 0,
    }

    const silence = (): NodeJS.Timeout =>
      setTimeout(() => {
        const message = `No state of shard ${shard} came for ${SILENCE_MS / 1000} s.`
        end(() => reject(new PlumblineError('STATE_UNREADABLE', message, { retryable: true })))
      }, SILENCE_MS)
    let timer: NodeJS.Timeout | undefined

    const end = (settle: () => void): void => {
      letGo.removeEventListener('abort', onLetGo)
      clearTimeout(timer)
      stream.close()
      settle()
    }

    /** Takes one entry; true at the barrier. */
    const take = (entry: StateEntry, offset: number): boolean => {
      if (entry.kind === 'next' || entry.kind === 'passed') totals.named = true
      if (entry.kind === 'next') totals.nextOffset = entry.offset
      if (entry.kind === 'snapshot') totals.snapshot = { offset: entry.offset, detector: entry.detector }
      if (entry.kind === 'passed') totals.passed = entry.offset
      if (entry.kind === 'meta') {
        // Copied: the bytes are a piece of a whole fetch, which would stay in memory with them.
        if (entry.bytes === null) meta.delete(entry.name)
        else meta.set(entry.name, Buffer.from(entry.bytes))
      }
      if (offset < barrier.offset) return false
      if (entry.kind === 'barrier' && entry.nonce === barrier.nonce) return true
      throw fenced(shard)
    }

    const onRecords = (messages: readonly ReadRecord[]): void => {
      clearTimeout(timer)
      timer = silence()
      const batch: { key: Buffer; bytes: Buffer | null }[] = []
      let done = false
      for (const message of messages) {
        const entry = readState(message)
        totals.records++
        totals.bytes += (message.key?.length ?? 0) + (message.value?.length ?? 0)
        if (entry.kind === 'slot') batch.push(entry)
        done = take(entry, message.offset)
        if (done) break
      }
      slots.fill(shard, batch)
      if (done) end(() => resolve({ ...totals, meta }))
    }

    const onLetGo = (): void => end(() => reject(gone(shard)))
    if (letGo.aborted) return reject(gone(shard))

    const stream = reader.open(shard, 0, {
      onRecords(messages) {
        try {
          onRecords(messages)
        } catch (error) {
          end(() => reject(error as Error))
        }
      },
      // The beginning may have been removed, and compaction leaves holes.
      onGap: () => true,
      onFailed: (error) => end(() => reject(error)),
    })
    // A reader that refuses throws above, and nothing waits.
    timer = silence()
    letGo.addEventListener('abort', onLetGo)
  })
