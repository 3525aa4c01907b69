import type { OutboxLag } from '@plumbline/detector'
import { type OutboxEntry, OutboxTrimmed, PlumblineError, type Topic } from '@plumbline/schemas'
import type { Bounds } from './bounds.ts'
import { toEntry } from './outbox-entry.ts'
import type { PartitionReader, Stream } from './reader.ts'
import type { ReadRecord } from './record.ts'

export interface LaneOptions {
  readonly topic: Topic
  readonly lane: number
  readonly reader: () => Promise<PartitionReader>
  readonly bounds: () => Promise<Bounds>
  /** Something has come, or reading has failed: whoever waits should ask again. */
  readonly onNews: () => void
}

/** One lane of the outbox: entries by sequence (= offset + 1), read ahead within bounds. See Outbox for what the methods mean. */
export interface Lane {
  read(after: number, maxBytes: number, through: number): Promise<readonly OutboxEntry[]>
  head(): number
  noteEnd(end: number): void
  lag(after: number): OutboxLag
  passed(after: number): number
  leave(): void
}

/** Read ahead: above the first the partition is paused, below the second it goes on. A recorder's block is 4 MiB. */
const ENOUGH_BYTES = 4 * 1024 * 1024
const LITTLE_BYTES = 2 * 1024 * 1024
/** Kept behind the furthest reader, for others that read the same lane a little later: the sinks of a forwarder. */
const BEHIND_BYTES = 256 * 1024
/** Records that should be there and do not come: the broker is away, or a transaction is open. The reader asks again. */
const ARRIVAL_MS = 2_000
/** What an entry takes besides its payload, about. */
const OVERHEAD = 200

const bytesOf = ({ payload }: OutboxEntry): number => payload.length + OVERHEAD

/** Entries of a contiguous piece of the lane: all there are with offsets from `low` up to before `tail`. */
interface Window {
  readonly stream: Stream
  entries: OutboxEntry[]
  bytes: number
  low: number
  tail: number
  /** Sequence of the last entry handed out; what lies behind it is only read ahead. */
  front: number
  bytesAhead: number
  failure: Error | null
  arrived: () => void
}

export const createLane = ({ topic, lane, reader, bounds, onNews }: LaneOptions): Lane => {
  let window: Window | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let head = 0
  let end = 0
  // How many entries, and rows in them, the offsets read so far held.
  const seen = { offsets: 0, entries: 0, rows: 0 }

  const onRecords = (to: Window, messages: readonly ReadRecord[], position: number, high: number): void => {
    for (const message of messages) {
      const entry = toEntry(topic, message)
      if (entry === undefined) continue
      to.entries.push(entry)
      to.bytes += bytesOf(entry)
      to.bytesAhead += bytesOf(entry)
      head = Math.max(head, entry.sequence)
      seen.entries++
      seen.rows += entry.rows
    }
    seen.offsets += position - to.tail
    to.tail = position
    end = Math.max(end, high)
    if (to.bytesAhead > ENOUGH_BYTES) to.stream.pause()
    to.arrived()
    onNews()
  }

  const drop = (): void => {
    window?.stream.close()
    window?.arrived()
    window = null
  }

  const open = async (from: number): Promise<Window> => {
    drop()
    const { low, high } = await bounds()
    end = Math.max(end, high)
    if (from < low) throw new OutboxTrimmed(topic, lane, from + 1, low + 1)
    if (from > high) {
      throw new PlumblineError(
        'OUTBOX_SHORTER_THAN_POSITION',
        `Lane ${lane} of ${topic} is read up to entry ${from}, but its newest is ${high}: the topic was made anew or lost records. Restore it, or use another topic prefix and an empty store.`,
      )
    }
    const stream = (await reader()).open(lane, from, {
      onRecords: (messages, position, high) => onRecords(made, messages, position, high),
      onGap() {
        // Nothing is skipped silently: the next read looks at the bounds again and says what is missing.
        if (window === made) drop()
        onNews()
        return false
      },
      onFailed(error) {
        made.failure = error
        made.arrived()
        onNews()
      },
    })
    const made: Window = {
      stream,
      entries: [],
      bytes: 0,
      low: from,
      tail: from,
      front: from,
      bytesAhead: 0,
      failure: null,
      arrived: () => {},
    }
    window = made
    return made
  }

  const arrival = (at: Window): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ARRIVAL_MS)
      at.arrived = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })

  const find = ({ entries }: Window, after: number, maxBytes: number, through: number): OutboxEntry[] => {
    const found: OutboxEntry[] = []
    let bytes = 0
    for (let i = entries.findIndex(({ sequence }) => sequence > after); i >= 0 && i < entries.length; i++) {
      const entry = entries[i]!
      bytes += entry.payload.length
      if (entry.sequence > through || (found.length > 0 && bytes > maxBytes)) break
      found.push(entry)
    }
    return found
  }

  /** Entries are handed out: lets go of what is behind them, and reads on when little is left ahead. */
  const moveOn = (at: Window, to: number): void => {
    for (const entry of at.entries) if (entry.sequence > at.front && entry.sequence <= to) at.bytesAhead -= bytesOf(entry)
    at.front = Math.max(at.front, to)
    let count = 0
    while (at.bytes - at.bytesAhead > BEHIND_BYTES && (at.entries[count]?.sequence ?? Infinity) <= at.front) {
      at.bytes -= bytesOf(at.entries[count]!)
      at.low = at.entries[count]!.sequence
      count++
    }
    if (count > 0) at.entries.splice(0, count)
    if (at.bytesAhead < LITTLE_BYTES) at.stream.resume()
  }

  const read = async (after: number, maxBytes: number, through: number): Promise<readonly OutboxEntry[]> => {
    const covers = window !== null && window.failure === null && after >= window.low && after <= window.tail
    const at = covers ? window! : await open(after)
    moveOn(at, after)
    for (;;) {
      const found = find(at, after, maxBytes, through)
      if (found.length > 0) {
        moveOn(at, found.at(-1)!.sequence)
        return found
      }
      if (at.failure !== null) throw at.failure
      if (window !== at || at.tail >= Math.min(end, through)) return []
      if (!(await arrival(at))) return []
    }
  }

  return {
    read(after, maxBytes, through) {
      // One at a time: two readers at different places would take the stream from each other for ever.
      const next = turn.then(() => read(after, maxBytes, through))
      turn = next.catch(() => {})
      return next
    },
    head: () => head,
    noteEnd: (now) => {
      end = Math.max(end, now)
    },
    lag(after) {
      const offsets = Math.max(0, end - after)
      if (offsets === 0 || seen.offsets === 0) return { entries: offsets, rows: offsets }
      if (window !== null && after >= window.low && after <= window.tail && window.tail >= end && head <= after)
        return { entries: 0, rows: 0 }
      const entries = Math.ceil((offsets * seen.entries) / seen.offsets)
      return { entries, rows: seen.entries === 0 ? 0 : Math.ceil((entries * seen.rows) / seen.entries) }
    },
    passed(after) {
      if (window === null || after < window.low || after > window.tail) return after
      const next = window.entries.find(({ sequence }) => sequence > after)
      return next === undefined ? window.tail : next.sequence - 1
    },
    leave() {
      drop()
      // A read under way may open it once more.
      turn = turn.then(drop)
    },
  }
}
