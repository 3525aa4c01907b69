import type { ChunkCommit, ShardLog, ShardProcessor } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { type WorkerPoint, createChunks } from './chunks.ts'
import { type ShardPhase, type ShardState, failShard, newShard } from './shard.ts'

export interface WorkerOptions {
  readonly log: ShardLog
  readonly processor: ShardProcessor
  /** Shards this worker owns. */
  readonly shards: readonly number[]
  /** Most records of one shard in one chunk. Default 1,000. */
  readonly chunkRecords?: number
  /** Target for the time one chunk keeps the event loop, ms. Default 10: with one chunk under way HTTP stays within 20. */
  readonly chunkMs?: number
  /** Most chunks stored in one commit. Default 16. */
  readonly chunksPerCommit?: number
  /** Tells of shards that got records; returns how to stop. Without it the log is asked every `pollMs`. */
  readonly onRecords?: (listener: (shards: readonly number[]) => void) => () => void
  /** Default 50 ms; only used without `onRecords`. */
  readonly pollMs?: number
  readonly onPoint?: (point: WorkerPoint) => void
  /** Called for each failure; the worker goes on by itself. */
  readonly onFailure?: (failure: {
    readonly shards: readonly number[]
    readonly code: string
    readonly message: string
    readonly stopped: boolean
  }) => void
}

export interface WorkerStats {
  readonly records: number
  readonly chunks: number
  readonly commits: number
  readonly failures: number
  /** Time spent in the processor, ms. */
  readonly busyMs: number
  readonly longestChunkMs: number
  readonly shards: readonly { readonly shard: number; readonly phase: ShardPhase; readonly next: number; readonly error: string | null }[]
}

/** Moves records of its shards through the detector into the outbox, exactly once in effect (INV-3). */
export interface Worker {
  start(): void
  /** Finishes the commit under way, then lets all shards go. */
  stop(): Promise<void>
  /** Resolves when every shard that is not stopped has processed and stored all its records. */
  drained(): Promise<void>
  /** Tries a stopped shard again, after its cause was removed. */
  resume(shard: number): void
  stats(): WorkerStats
}

export const createWorker = (options: WorkerOptions): Worker => {
  const {
    log,
    processor,
    chunkRecords = 1_000,
    chunkMs = 10,
    chunksPerCommit = 16,
    pollMs = 50,
    onPoint = () => {},
    onFailure = () => {},
  } = options
  const states = new Map(options.shards.map((shard) => [shard, newShard(shard)]))
  /** Shards that may have work, in the order of their turn. */
  const turn = new Set<number>(options.shards)
  const chunks = createChunks({ log, processor, chunkRecords, chunkMs, turn, onPoint })
  const totals = { commits: 0, failures: 0 }
  let running = false
  let loop: Promise<void> = Promise.resolve()
  let storing: Promise<void> | null = null
  let wake: (() => void) | null = null
  let unsubscribe = (): void => {}
  let waiters: { resolve: () => void; reject: (error: Error) => void }[] = []

  const rouse = (): void => {
    wake?.()
    wake = null
  }

  const fail = (failed: readonly ShardState[], error: unknown): void => {
    const now = performance.now()
    totals.failures++
    for (const state of failed) {
      processor.forget(state.shard)
      failShard(state, error, now)
      if (state.phase === 'lost') turn.add(state.shard)
    }
    const { code, message } = failed[0]?.error ?? { code: 'UNEXPECTED', message: String(error) }
    onFailure({ shards: failed.map(({ shard }) => shard), code, message, stopped: failed[0]?.phase === 'stopped' })
  }

  const ready = (state: ShardState, now: number): boolean => (state.phase === 'held' || state.phase === 'lost') && state.retryAt <= now

  /** Chunks of several shards, up to the commit's size; gives the event loop its turn between chunks. */
  const collect = async (): Promise<{ commits: ChunkCommit[]; chunkStates: ShardState[] }> => {
    const commits: ChunkCommit[] = []
    const chunkStates: ShardState[] = []
    const until = performance.now() + 2 * chunkMs
    const queue = [...turn]
    for (const shard of queue) {
      const state = states.get(shard)
      if (state === undefined || !ready(state, performance.now())) continue
      try {
        const commit = await chunks.advance(state)
        if (commit !== null) {
          commits.push(commit)
          chunkStates.push(state)
          await new Promise((resolve) => setImmediate(resolve))
        }
      } catch (error) {
        turn.delete(shard)
        fail([state], error)
      }
      if (!running || commits.length >= chunksPerCommit || performance.now() > until) break
    }
    return { commits, chunkStates }
  }

  const store = async (commits: readonly ChunkCommit[], chunkStates: readonly ShardState[]): Promise<void> => {
    try {
      onPoint('worker:committing')
      await log.commit(commits)
      onPoint('worker:committed')
    } catch (error) {
      fail(chunkStates, error)
      return
    }
    totals.commits++
    commits.forEach((commit, i) => {
      const state = chunkStates[i]!
      processor.settle(state.shard)
      state.next = commit.nextOffset
      state.phase = 'held'
      state.failures = 0
      state.limit *= 2
      state.error = null
    })
    onPoint('worker:settled')
  }

  const sleep = (): Promise<void> => {
    const now = performance.now()
    const due = [...turn].map((shard) => states.get(shard)!).filter((state) => state.phase === 'lost' || state.phase === 'held')
    const retryMs = Math.min(...due.map((state) => Math.max(1, state.retryAt - now)))
    const waitMs = options.onRecords === undefined ? Math.min(retryMs, pollMs) : retryMs
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(rouse, waitMs) : undefined
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  const noteIdle = (): void => {
    const open = [...states.values()].some((state) => state.phase !== 'stopped' && (turn.has(state.shard) || state.phase === 'storing'))
    if (open) return
    for (const { resolve } of waiters) resolve()
    waiters = []
  }

  const run = async (): Promise<void> => {
    while (running) {
      const { commits, chunkStates } = await collect()
      // The next chunks are computed while the last commit is being flushed.
      if (storing !== null) await storing
      storing = null
      if (commits.length > 0) {
        storing = store(commits, chunkStates)
        continue
      }
      noteIdle()
      const now = performance.now()
      if (!running || [...turn].some((shard) => ready(states.get(shard)!, now))) continue
      await sleep()
      if (options.onRecords === undefined) for (const [shard, state] of states) if (state.phase !== 'stopped') turn.add(shard)
    }
    await storing
  }

  return {
    start() {
      if (running) return
      running = true
      unsubscribe =
        options.onRecords?.((shards) => {
          for (const shard of shards) if (states.has(shard) && states.get(shard)!.phase !== 'stopped') turn.add(shard)
          rouse()
        }) ?? unsubscribe
      loop = run()
    },
    async stop() {
      running = false
      unsubscribe()
      rouse()
      await loop
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
    drained: () =>
      new Promise((resolve, reject) => {
        waiters.push({ resolve, reject })
        for (const state of states.values()) if (state.phase !== 'stopped') turn.add(state.shard)
        rouse()
      }),
    resume(shard) {
      const state = states.get(shard)
      if (state?.phase !== 'stopped') return
      Object.assign(state, newShard(shard))
      turn.add(shard)
      rouse()
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
