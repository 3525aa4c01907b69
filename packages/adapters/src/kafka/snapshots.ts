import type { ChunkCommit, SlotWrite } from '@plumbline/detector'
import type { Message } from 'kafkajs'
import { positionMessages, stateMessages } from './codec.ts'
import { type SlotCache, nameOfKey } from './slots.ts'

/**
 * When a shard's state is written, where it is not written with each chunk: whichever comes first. Between two snapshots the
 * state in the topic stands for an older position; whoever takes the shard over computes the events from there on once more,
 * with their outputs muted.
 */
export interface SnapshotOptions {
  readonly everyMs: number
  /** Also the most that is computed once more after a take-over. */
  readonly everyRecords: number
}

/** More changed slots than this are written at once, so that no snapshot is a large transaction. */
const MAX_UNSAVED = 2_000
/** Room for a slot of any version. */
const SLOT_ROOM = 16_384

type StateChange = Pick<ChunkCommit, 'shard' | 'slots' | 'meta' | 'nextOffset'>

export interface ShardSnapshotOptions {
  readonly shard: number
  readonly slots: SlotCache
  readonly snapshots: SnapshotOptions | undefined
  /** Version of the detector whose state is stored here. */
  readonly detector: string
  /** Who made the restored state, where that is known. */
  readonly fromDetector: string | null
  /** Position that the restored state stands for, and up to which outputs are stored. */
  readonly from: number
  readonly nextOffset: number
  /** Whether the topic names the position of the state; without it, it is that of the outputs. */
  readonly named: boolean
  readonly nowMs: number
}

/** What goes to the state topic with a chunk. */
export interface StatePart {
  readonly messages: Message[]
  /** With all state as of the chunk's end; else the position alone. */
  readonly full: boolean
}

/** The state of one held shard between its cache, which is always as of the last stored chunk, and its topic. */
export interface ShardSnapshot {
  /** `whole`: a snapshot in any case. */
  part(change: StateChange, nowMs: number, whole: boolean): StatePart
  /** A chunk with this part is stored: its state goes into the cache. */
  stored(change: StateChange, part: StatePart, nowMs: number): void
  /** A chunk whose outputs were stored by a former owner was computed once more. */
  replayed(change: StateChange): void
  /** Outputs up to this position are stored, and the state has not got there yet. */
  replaying(): boolean
  /** A snapshot of what is stored, when there is something to save. `nowMs`: only when one is due. */
  overdue(nowMs?: number): StateChange | null
}

export const createShardSnapshot = (options: ShardSnapshotOptions): ShardSnapshot => {
  const { shard, slots, snapshots } = options
  /** Changed since the last snapshot, by the name of the key. */
  const unsavedSlots = new Map<string, Uint8Array>()
  const unsavedMeta = new Map<string, Uint8Array>()
  const into = new Uint8Array(SLOT_ROOM)
  let { from: snapshot, named } = options
  let position = options.from
  // Shards that were taken over together do not save together.
  let savedMs = options.nowMs - Math.random() * (snapshots?.everyMs ?? 0)

  const load = (key: Uint8Array): SlotWrite => {
    const length = slots.load(shard, key, into)
    return { key, bytes: into.slice(0, Math.max(0, length)) }
  }

  const isDue = (change: StateChange, nowMs: number): boolean =>
    snapshots === undefined ||
    nowMs - savedMs >= snapshots.everyMs ||
    change.nextOffset - snapshot >= snapshots.everyRecords ||
    unsavedSlots.size + change.slots.length > MAX_UNSAVED

  /** The change with everything that is not saved yet. */
  const withUnsaved = (change: StateChange): StateChange => {
    const newest = new Set(change.slots.map(({ key }) => nameOfKey(key)))
    const older = [...unsavedSlots].filter(([name]) => !newest.has(name)).map(([, key]) => load(key))
    const meta = new Map([...unsavedMeta, ...change.meta.map(({ name, bytes }) => [name, bytes] as const)])
    return { ...change, slots: [...older, ...change.slots], meta: [...meta].map(([name, bytes]) => ({ name, bytes })) }
  }

  const noteUnsaved = (change: StateChange): void => {
    for (const { key } of change.slots) unsavedSlots.set(nameOfKey(key), key)
    for (const { name, bytes } of change.meta) unsavedMeta.set(name, bytes)
  }

  const advance = (change: StateChange): void => {
    slots.put(shard, change.slots)
    position = change.nextOffset
  }

  return {
    part(change, nowMs, whole) {
      const { nextOffset } = change
      if (whole || isDue(change, nowMs)) {
        const name = snapshots !== undefined || named
        return {
          full: true,
          messages: stateMessages(withUnsaved(change), name ? { offset: nextOffset, detector: options.detector } : undefined),
        }
      }
      // The topic must say what its state stands for before the outputs are ahead of it for the first time.
      return {
        full: false,
        messages: positionMessages(shard, nextOffset, named ? undefined : { offset: snapshot, detector: options.fromDetector }),
      }
    },
    stored(change, part, nowMs) {
      named ||= snapshots !== undefined
      advance(change)
      if (!part.full) return noteUnsaved(change)
      unsavedSlots.clear()
      unsavedMeta.clear()
      snapshot = change.nextOffset
      savedMs = nowMs
    },
    replayed(change) {
      advance(change)
      noteUnsaved(change)
    },
    replaying: () => position < options.nextOffset,
    overdue(nowMs) {
      if (position <= snapshot || position < options.nextOffset) return null
      const change = { shard, slots: [], meta: [], nextOffset: position }
      return nowMs === undefined || isDue(change, nowMs) ? change : null
    },
  }
}
