import type { LogRecord, ShardLog, ShardProcessor } from '@plumbline/detector'
import type { WorkerPoint } from './points.ts'
import { type ShardState, isReplaying } from './shard.ts'

export interface FetcherOptions {
  readonly log: ShardLog
  readonly processor: ShardProcessor
  /** Most shards taken over at once, and most shards whose next records are read or wait to be processed. */
  readonly takeOvers: number
  readonly readAhead: number
  readonly sizeFor: (state: ShardState) => number
  /** Shards that may have work, in the order of their turn. */
  readonly turn: Set<number>
  /** Whether a shard is this worker's at all, asked after another owner was met. */
  readonly owns: (shard: number) => Promise<boolean>
  readonly onPoint: (point: WorkerPoint) => void
  /** Shards whose former turn here has not ended yet. */
  readonly leaving: ReadonlyMap<number, unknown>
  readonly onFailed: (state: ShardState, error: unknown, from: 'ownership' | 'work') => void
  /** Nobody is busy with the shard any more. */
  readonly onDone: (state: ShardState) => void
}

interface Fetched {
  readonly state: ShardState
  readonly records: readonly LogRecord[]
}

/** Takes shards over and reads their next records beside the processing, so that a slow shard keeps no other waiting. */
export interface Fetcher {
  /** Begins what the shards in turn need next, within the bounds; returns when the first that has to wait is due. */
  begin(states: ReadonlyMap<number, ShardState>): number
  /** Records of the next shard. */
  next(): Fetched | undefined
  /** Resolves when nothing is under way any more; what was read is dropped. */
  settled(): Promise<void>
}

/** How long a worker leaves a shard alone that the group says is somebody else's, before it asks again, ms. */
const NOT_OURS_MS = 1_000
/** Pause before records of a replay that did not come are asked for again, ms. */
const REPLAY_AGAIN_MS = 100

export const createFetcher = (options: FetcherOptions): Fetcher => {
  const { log, processor, takeOvers, readAhead, sizeFor, turn, owns, leaving, onPoint, onFailed, onDone } = options
  const tasks = new Set<Promise<void>>()
  const counts = { acquiring: 0, reading: 0 }
  let fetched: Fetched[] = []

  const takeOver = async (state: ShardState): Promise<void> => {
    if (state.fenced && !(await owns(state.shard))) {
      state.phase = 'lost'
      state.retryAt = performance.now() + NOT_OURS_MS
      return
    }
    if (state.gone) return
    const held = await log.acquire(state.shard)
    if (state.gone) return
    state.next = held.nextOffset
    state.replayTo = held.replayTo ?? held.nextOffset
    state.meta = new Map(held.meta)
    state.opened = false
    state.fenced = false
    state.phase = 'held'
    onPoint('worker:acquired')
  }

  /** Gives the processor the state as it is stored; after a failure in processing as well, without a new take-over. */
  const open = (state: ShardState): void => {
    processor.forget(state.shard)
    processor.open(state.shard, { nextOffset: state.next, meta: state.meta })
    state.opened = true
  }

  const readNext = async (state: ShardState): Promise<readonly LogRecord[]> => {
    const size = sizeFor(state)
    if (!isReplaying(state)) return log.read(state.shard, state.next, size)
    const records = await log.read(state.shard, state.next, Math.min(size, state.replayTo - state.next))
    return records.filter(({ offset }) => offset < state.replayTo)
  }

  const read = async (state: ShardState): Promise<void> => {
    if (!state.opened) open(state)
    const records = await readNext(state)
    if (state.gone) return
    if (records.length === 0) {
      state.phase = 'held'
      // What is to be replayed is there, as it has been read before: a log that does not give it is away, and is asked again later.
      if (isReplaying(state)) {
        state.retryAt = performance.now() + REPLAY_AGAIN_MS
        turn.add(state.shard)
      }
      return
    }
    onPoint('worker:read')
    fetched.push({ state, records })
  }

  const run = async (state: ShardState, kind: keyof typeof counts, work: () => Promise<void>): Promise<void> => {
    counts[kind]++
    state.busy = true
    try {
      await work()
    } catch (error) {
      if (!state.gone) onFailed(state, error, kind === 'acquiring' ? 'ownership' : 'work')
    } finally {
      counts[kind]--
      onDone(state)
    }
  }

  const start = (state: ShardState, kind: keyof typeof counts, work: () => Promise<void>): void => {
    const task: Promise<void> = run(state, kind, work).finally(() => tasks.delete(task))
    tasks.add(task)
  }

  const acquire = (state: ShardState): void => {
    state.phase = 'acquiring'
    start(state, 'acquiring', () => takeOver(state))
  }

  const fetch = (state: ShardState): void => {
    state.phase = 'reading'
    // Out of the queue before looking: records that arrive while reading put the shard back in.
    turn.delete(state.shard)
    start(state, 'reading', () => read(state))
  }

  return {
    begin(states) {
      const now = performance.now()
      let due = Number.POSITIVE_INFINITY
      for (const shard of turn) {
        const state = states.get(shard)
        if (state === undefined || leaving.has(shard)) continue
        if (state.retryAt > now) due = Math.min(due, state.retryAt)
        else if (state.phase === 'lost' && counts.acquiring < takeOvers) acquire(state)
        else if (state.phase === 'held' && counts.reading + fetched.length < readAhead) fetch(state)
      }
      return due
    },
    next() {
      for (let found = fetched.shift(); found !== undefined; found = fetched.shift()) if (!found.state.gone) return found
      return undefined
    },
    async settled() {
      while (tasks.size > 0) await Promise.all(tasks)
      fetched = []
    },
  }
}
