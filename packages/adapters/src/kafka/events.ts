import type { LogRecord } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { isGap, toLogRecord } from './codec.ts'
import type { Bounds } from './bounds.ts'
import type { PartitionReader, Stream } from './reader.ts'
import type { StoredRecord } from './record.ts'

export interface EventReaderOptions {
  readonly reader: PartitionReader
  readonly bounds: (shard: number) => Promise<Bounds>
  /** What is added to offsets of the topic to get positions of the shard (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Position up to which nothing but markers follows `position`, as the shard's state says; else the same. Default: the same. */
  readonly vouched?: (shard: number, position: number) => number
  /** Records of the shard have arrived in memory, or what follows is known to be none. */
  readonly onArrived: (shard: number) => void
}

/** Records of shards by position, read ahead within bounds. */
export interface EventReader {
  /**
   * See ShardLog. A shard's end is known from what the broker and this process's own appends said last; beyond it there is
   * nothing yet, and `onArrived` tells when there is. Errors: RECORDS_TRIMMED, LOG_SHORTER_THAN_POSITION.
   */
  read(shard: number, fromOffset: number, maxRecords: number): Promise<readonly LogRecord[]>
  /** This process has appended up to `end`. */
  noteEnd(shard: number, end: number): void
  /**
   * Position behind what follows `position` and is no record: markers of transactions and what was aborted. The same position
   * where a record follows, or where it is not known yet.
   */
  passed(shard: number, position: number): number
  /** Highest end of a shard's log heard of so far; undefined while nobody reads it. */
  end(shard: number): number | undefined
  close(shard: number): void
}

/** Read ahead of one shard: above the first a partition is paused, below the second it goes on. */
const ENOUGH_BYTES = 1024 * 1024
const LITTLE_BYTES = 256 * 1024
/** Records that should be there and do not come: the broker is away, or a foreign transaction is open. The caller asks again. */
const ARRIVAL_MS = 2_000

interface Shard {
  readonly stream: Stream
  /** What is added to offsets to get positions. */
  readonly base: number
  buffer: readonly StoredRecord[]
  bytes: number
  /** Position of the next record to hand out, and to read. */
  head: number
  tail: number
  /** Highest end of the shard's log that this process has heard of. */
  end: number
  failure: Error | null
  arrived: () => void
}

/** What a record takes besides key and value, about. */
const OVERHEAD = 64
const bytesOf = (records: readonly StoredRecord[]): number => records.reduce((sum, { size }) => sum + size + OVERHEAD, 0)

export const createEventReader = ({
  reader,
  bounds,
  baseOf,
  vouched = (_, position) => position,
  onArrived,
}: EventReaderOptions): EventReader => {
  const shards = new Map<number, Shard>()
  /** What this process appended may be stored and not yet readable: brokers name as the end what all transactions before it are settled for. */
  const appended = new Map<number, number>()

  const open = async (shard: number, from: number): Promise<Shard> => {
    close(shard)
    const base = baseOf(shard)
    const ends = await bounds(shard)
    const low = ends.low + base
    const high = Math.max(ends.high + base, appended.get(shard) ?? 0)
    // Retention takes markers away with what is before them: a shard that was worked off and is idle for long ends with its log.
    if (from < low && vouched(shard, from) < low)
      throw new PlumblineError('RECORDS_TRIMMED', `Shard ${shard} starts at ${low}; records from ${from} on were removed by retention.`)
    if (from > high) {
      throw new PlumblineError(
        'LOG_SHORTER_THAN_POSITION',
        `Shard ${shard} is processed up to ${from}, but its events end at ${high}: the topic was made anew or lost records. Restore it, or use another topic prefix.`,
      )
    }
    const start = Math.max(from, low)
    const stream = reader.open(shard, start - base, {
      onRecords(messages, position, end) {
        const records = messages.some(isGap) ? messages.filter((message) => !isGap(message)) : messages
        state.buffer = state.buffer.length === 0 ? records : [...state.buffer, ...records]
        state.bytes += bytesOf(records)
        state.tail = position + base
        state.end = Math.max(state.end, end + base)
        if (state.bytes > ENOUGH_BYTES) stream.pause()
        state.arrived()
        // Also where only markers came to an idle shard: whoever asks then learns that they are passed, before retention takes them.
        if (records.length > 0 || state.buffer.length === 0) onArrived(shard)
      },
      onGap: () => {
        // Nothing is skipped silently: the next read looks at the bounds again and says what is missing.
        shards.delete(shard)
        state.arrived()
        onArrived(shard)
        return false
      },
      onFailed(error) {
        state.failure = error
        state.arrived()
        onArrived(shard)
      },
    })
    const state: Shard = { stream, base, buffer: [], bytes: 0, head: from, tail: start, end: high, failure: null, arrived: () => {} }
    shards.set(shard, state)
    return state
  }

  const close = (shard: number): void => {
    const state = shards.get(shard)
    state?.stream.close()
    state?.arrived()
    shards.delete(shard)
  }

  const arrival = (state: Shard): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        state.end = state.tail
        resolve()
      }, ARRIVAL_MS)
      state.arrived = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  const take = (state: Shard, count: number): readonly LogRecord[] => {
    const taken = state.buffer.slice(0, count)
    state.buffer = state.buffer.slice(count)
    state.bytes -= bytesOf(taken)
    if (state.bytes < LITTLE_BYTES) state.stream.resume()
    const records = taken.map((record) => toLogRecord(record, state.base))
    state.head = (records.at(-1)?.offset ?? state.head - 1) + 1
    return records
  }

  return {
    async read(shard, fromOffset, maxRecords) {
      const held = shards.get(shard)
      const state = held === undefined || held.head !== fromOffset ? await open(shard, fromOffset) : held
      if (state.buffer.length === 0 && state.tail < state.end && state.failure === null) await arrival(state)
      if (state.failure !== null) {
        close(shard)
        throw state.failure
      }
      return take(state, maxRecords)
    },
    end: (shard) => shards.get(shard)?.end,
    passed(shard, position) {
      const state = shards.get(shard)
      return state === undefined || state.head !== position || state.buffer.length > 0 ? position : Math.max(position, state.tail)
    },
    noteEnd(shard, end) {
      appended.set(shard, Math.max(end, appended.get(shard) ?? 0))
      const state = shards.get(shard)
      if (state !== undefined) state.end = Math.max(state.end, end)
    },
    close,
  }
}
