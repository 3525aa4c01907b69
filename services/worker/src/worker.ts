import type { ChunkCommit, LogRecord, ShardLog, ShardProcessor } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { type ChunkCounts, createChunks } from './chunks.ts'
import { createFetcher } from './fetcher.ts'
import type { WorkerPoint } from './points.ts'
import { createRouser } from './rouser.ts'
import { type ShardPhase, type ShardState, failShard, newShard, settleShard } from './shard.ts'

/** How shards are shared out where there are several workers. */
export interface Ownership {
  /** Whether the shard is this worker's, asked for now: two that both took it for their own would fence each other for ever. */
  owns(shard: number): Promise<boolean>
  /** Lets a shard of somebody else go, storing nothing. */
  release(shards: readonly number[]): Promise<void>
}

export interface WorkerOptions {
  readonly log: ShardLog
  readonly processor: ShardProcessor
  /** Shards this worker owns from the start on; `assign` changes them. */
  readonly shards: readonly number[]
  /** Without it, the shards are this worker's alone. */
  readonly ownership?: Ownership
  /** Most records of one shard in one chunk. Default 1,000. */
  readonly chunkRecords?: number
  /** Target for the time one chunk keeps the event loop, ms. Default 10: with one chunk under way HTTP stays within 20. */
  readonly chunkMs?: number
  /** Most chunks stored in one commit. Default 16; 1 where the log stores each shard by itself. */
  readonly chunksPerCommit?: number
  /** Most commits under way at once. Default 1; chunks are computed meanwhile. */
  readonly commitsAtOnce?: number
  /** Most shards that are read at once or whose records wait. Default 1. */
  readonly readAhead?: number
  /** Most shards taken over at once, beside the work on others. Default 4. */
  readonly takeOvers?: number
  /** Tells of shards that got records; returns how to stop. Without it the log is asked every `pollMs`. */
  readonly onRecords?: (listener: (shards: readonly number[]) => void) => () => void
  /** Default 50 ms; only used without `onRecords`. */
  readonly pollMs?: number
  readonly onPoint?: (point: WorkerPoint) => void
  /** Called for each failure; the worker goes on by itself. */
  readonly onFailure?: (failure: WorkerFailure) => void
}

export interface WorkerFailure {
  readonly shards: readonly number[]
  readonly code: string
  readonly message: string
  readonly stopped: boolean
}

export interface WorkerStats extends ChunkCounts {
  readonly commits: number
  readonly failures: number
  readonly shards: readonly { readonly shard: number; readonly phase: ShardPhase; readonly next: number; readonly error: string | null }[]
}

/** Moves records of its shards through the detector into the outbox, exactly once in effect (INV-3). */
export interface Worker {
  start(): void
  /** Finishes the commits under way, then lets all shards go. */
  stop(): Promise<void>
  /** These shards are this worker's from now on and no others; resolves when those that went are let go. */
  assign(shards: readonly number[]): Promise<void>
  /** Resolves when every shard that is not stopped has processed and stored all its records. */
  drained(): Promise<void>
  /** Tries a shard again that was stopped, or that waits before its next try, after the cause was removed. */
  resume(shard: number): void
  stats(): WorkerStats
}

interface Computed {
  readonly state: ShardState
  readonly commit: ChunkCommit
}

const ALONE: Ownership = { owns: async () => true, release: async () => {} }

export const createWorker = (options: WorkerOptions): Worker => {
  const { log, processor, ownership = ALONE, onRecords, pollMs = 50, onPoint = () => {}, onFailure = () => {} } = options
  const { chunkRecords = 1_000, chunkMs = 10, chunksPerCommit = 16, commitsAtOnce = 1, readAhead = 1, takeOvers = 4 } = options
  const states = new Map(options.shards.map((shard) => [shard, newShard(shard)]))
  /** Shards that may have work, in the order of their turn. */
  const turn = new Set<number>(options.shards)
  /** Shards that went and are not let go yet. */
  const leaving = new Map<number, PromiseWithResolvers<void>>()
  const storing = new Set<Promise<void>>()
  const totals = { commits: 0, failures: 0 }
  const rouser = createRouser()
  const chunks = createChunks({ processor, chunkRecords, chunkMs, turn })
  let running = false
  let due = Number.POSITIVE_INFINITY
  let loop: Promise<void> = Promise.resolve()
  let unsubscribe = (): void => {}
  let waiters: PromiseWithResolvers<void>[] = []

  const tell = (failure: WorkerFailure): void => {
    totals.failures++
    onFailure(failure)
  }

  const fail = (failed: readonly ShardState[], error: unknown): void => {
    const now = performance.now()
    for (const state of failed) {
      processor.forget(state.shard)
      failShard(state, error, now)
      if (state.phase === 'lost') turn.add(state.shard)
      else turn.delete(state.shard)
    }
    const first = failed[0]
    if (first?.error) tell({ shards: failed.map(({ shard }) => shard), ...first.error, stopped: first.phase === 'stopped' })
  }

  const letGo = async ({ shard }: ShardState): Promise<void> => {
    processor.forget(shard)
    try {
      await ownership.release([shard])
    } catch (error) {
      tell({
        shards: [shard],
        code: 'SHARD_RELEASE_FAILED',
        message: error instanceof Error ? error.message : String(error),
        stopped: false,
      })
    }
    leaving.get(shard)?.resolve()
    leaving.delete(shard)
    rouser.rouse()
  }

  const done = (state: ShardState): void => {
    state.busy = false
    if (state.gone) void letGo(state)
    rouser.rouse()
  }

  const fetcher = createFetcher({
    log,
    processor,
    takeOvers,
    readAhead,
    sizeFor: chunks.sizeFor,
    turn,
    owns: ownership.owns,
    leaving,
    onPoint,
    onFailed: (state, error) => fail([state], error),
    onDone: done,
  })

  const compute = (state: ShardState, records: readonly LogRecord[]): Computed | null => {
    try {
      const commit = chunks.process(state, records)
      if (commit === null) return null
      state.phase = 'storing'
      state.busy = true
      // At the end of the queue: every other shard gets its turn before this one's next chunk.
      turn.add(state.shard)
      onPoint('worker:processed')
      return { state, commit }
    } catch (error) {
      fail([state], error)
      return null
    }
  }

  /** Chunks of several shards, up to the commit's size; gives the event loop its turn between chunks. */
  const collect = async (): Promise<Computed[]> => {
    const batch: Computed[] = []
    const until = performance.now() + 2 * chunkMs
    while (running && batch.length < chunksPerCommit && performance.now() <= until) {
      due = fetcher.begin(states)
      const fetched = fetcher.next()
      if (fetched === undefined) break
      // The next records are read while these are processed.
      fetcher.begin(states)
      const computed = compute(fetched.state, fetched.records)
      if (computed !== null) batch.push(computed)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return batch
  }

  const store = async (batch: readonly Computed[]): Promise<void> => {
    // What went before its commit began is dropped; what goes during it is stored, or was fenced by its new owner.
    const here = batch.filter(({ state }) => !state.gone)
    const still = (): Computed[] => here.filter(({ state }) => !state.gone)
    try {
      if (here.length > 0) {
        onPoint('worker:committing')
        await log.commit(here.map(({ commit }) => commit))
        onPoint('worker:committed')
        totals.commits++
      }
      for (const { state, commit } of still()) {
        processor.settle(state.shard)
        settleShard(state, commit.nextOffset)
      }
      onPoint('worker:settled')
    } catch (error) {
      fail(
        still().map(({ state }) => state),
        error,
      )
    }
    for (const { state } of batch) done(state)
  }

  const isOpen = ({ shard, phase }: ShardState): boolean =>
    phase !== 'stopped' && (turn.has(shard) || (phase !== 'held' && phase !== 'lost'))

  const noteIdle = (): void => {
    if (leaving.size > 0 || [...states.values()].some(isOpen)) return
    for (const { resolve } of waiters) resolve()
    waiters = []
  }

  const want = (shards: Iterable<number>): void => {
    for (const shard of shards) if ((states.get(shard)?.phase ?? 'stopped') !== 'stopped') turn.add(shard)
    rouser.rouse()
  }

  /** Asks the log from time to time where nobody tells of records. */
  const poll = (): (() => void) => {
    const timer = setInterval(() => want(states.keys()), pollMs)
    return () => clearInterval(timer)
  }

  const run = async (): Promise<void> => {
    while (running) {
      const batch = await collect()
      if (batch.length > 0) {
        while (storing.size >= commitsAtOnce) await Promise.race(storing)
        const stored: Promise<void> = store(batch).finally(() => storing.delete(stored))
        storing.add(stored)
        continue
      }
      noteIdle()
      // Until something ends or arrives, or the next try is due.
      await rouser.sleep(Math.max(1, due - performance.now()))
    }
    await Promise.all([...storing, fetcher.settled()])
  }

  const leave = (state: ShardState): void => {
    const { shard } = state
    state.gone = true
    states.delete(shard)
    turn.delete(shard)
    // It came back and goes again before its former turn has ended: nothing was begun of it.
    if (leaving.has(shard)) return
    leaving.set(shard, Promise.withResolvers<void>())
    if (!state.busy) void letGo(state)
  }

  const left = async (): Promise<void> => void (await Promise.all([...leaving.values()].map(({ promise }) => promise)))

  return {
    start() {
      if (running) return
      running = true
      unsubscribe = onRecords?.(want) ?? poll()
      loop = run()
    },
    async stop() {
      running = false
      unsubscribe()
      rouser.rouse()
      await loop
      await left()
      for (const { reject } of waiters)
        reject(new PlumblineError('WORKER_STOPPED', 'The worker was stopped before it had processed everything.'))
      waiters = []
      for (const state of states.values()) {
        if (state.phase === 'stopped') continue
        processor.forget(state.shard)
        state.phase = 'lost'
        turn.add(state.shard)
      }
    },
    async assign(shards) {
      const wanted = new Set(shards)
      for (const state of states.values()) if (!wanted.has(state.shard)) leave(state)
      const gained = [...wanted].filter((shard) => !states.has(shard))
      for (const shard of gained) states.set(shard, newShard(shard))
      want(gained)
      await left()
    },
    drained() {
      const waiter = Promise.withResolvers<void>()
      waiters.push(waiter)
      want(states.keys())
      return waiter.promise
    },
    resume(shard) {
      const state = states.get(shard)
      if (state === undefined) return
      if (state.phase === 'stopped') Object.assign(state, newShard(shard))
      state.retryAt = 0
      want([shard])
    },
    stats: () => ({
      ...totals,
      ...chunks.counts(),
      shards: [...states.values()].map(({ shard, phase, next, error }) => ({
        shard,
        phase,
        next,
        error: error === null ? null : `${error.code}: ${error.message}`,
      })),
    }),
  }
}
