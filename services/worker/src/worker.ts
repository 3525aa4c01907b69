import type { ChunkCommit, LogRecord } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { createChunks } from './chunks.ts'
import { createFetcher } from './fetcher.ts'
import type { Ownership, Worker, WorkerFailure, WorkerOptions } from './options.ts'
import { createRouser } from './rouser.ts'
import { type ShardState, failShard, halveShard, isReplaying, isTooLarge, newShard, settleShard } from './shard.ts'

interface Computed {
  readonly state: ShardState
  readonly commit: ChunkCommit
  readonly records: number
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
  const chunks = createChunks({ processor, chunkRecords, chunkMs, turn, onChunk: options.onChunk ?? (() => {}) })
  let running = false
  let due = Number.POSITIVE_INFINITY
  let loop: Promise<void> = Promise.resolve()
  let unsubscribe = (): void => {}
  let waiters: PromiseWithResolvers<void>[] = []

  const tell = (failure: WorkerFailure): void => {
    totals.failures++
    onFailure(failure)
  }

  const fail = (failed: readonly ShardState[], error: unknown, from: 'ownership' | 'work'): void => {
    const now = performance.now()
    for (const state of failed) {
      processor.forget(state.shard)
      state.opened = false
      failShard(state, error, from, now)
      if (state.phase === 'stopped') turn.delete(state.shard)
      else turn.add(state.shard)
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
    onFailed(state, error, from) {
      // A take-over that was given up at the end is no failure.
      if (running || state.phase !== 'acquiring') fail([state], error, from)
      else state.phase = 'lost'
    },
    onDone: done,
  })

  /** Its outputs are stored already: only the state is taken. */
  const replay = (state: ShardState, commit: ChunkCommit): null => {
    try {
      log.replay?.(commit)
    } catch (error) {
      // The log may have taken the state all the same: computed on top of that, the chunk would be learned twice.
      fail([state], error, 'ownership')
      return null
    }
    processor.settle(state.shard)
    settleShard(state, commit)
    turn.add(state.shard)
    return null
  }

  const compute = (state: ShardState, records: readonly LogRecord[]): Computed | null => {
    try {
      const commit = chunks.process(state, records)
      if (commit === null) return null
      if (isReplaying(state)) return replay(state, commit)
      state.phase = 'storing'
      state.busy = true
      // At the end of the queue: every other shard gets its turn before this one's next chunk.
      turn.add(state.shard)
      onPoint('worker:processed')
      return { state, commit, records: records.length }
    } catch (error) {
      fail([state], error, 'work')
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
      // Nothing to store, but the shard goes on: a replay, or a smaller chunk.
      if (computed === null) rouser.rouse()
      else batch.push(computed)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return batch
  }

  /** A chunk that the log does not take for its size is computed again in a half of it; one record that is too large ends the shard. */
  const shrink = ({ state, records }: Computed, error: unknown): void => {
    if (records === 1) return fail([state], error, 'work')
    processor.forget(state.shard)
    halveShard(state, records)
    turn.add(state.shard)
  }

  const storeAll = async (batch: readonly Computed[]): Promise<void> => {
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
        settleShard(state, commit)
      }
      onPoint('worker:settled')
    } catch (error) {
      if (!isTooLarge(error)) {
        fail(
          still().map(({ state }) => state),
          error,
          'ownership',
        )
      } else if (here.length > 1) for (const one of here) await storeAll([one])
      else still().forEach((one) => shrink(one, error))
    }
  }

  const store = async (batch: readonly Computed[]): Promise<void> => {
    await storeAll(batch)
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

  /** Ends take-overs under way: their state may take long to read. Whoever is busy with them sees them fail. */
  const giveUp = (shards: readonly number[]): void => {
    ownership.release(shards).catch(() => {
      // What is busy with them lets them go again, and tells.
    })
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
    else if (state.phase === 'acquiring') giveUp([shard])
  }

  const left = async (): Promise<void> => void (await Promise.all([...leaving.values()].map(({ promise }) => promise)))

  const finish = async (): Promise<void> => {
    running = false
    unsubscribe()
    rouser.rouse()
    giveUp([...states.values()].filter(({ phase }) => phase === 'acquiring').map(({ shard }) => shard))
    await loop
    await left()
  }

  return {
    start() {
      if (running) return
      running = true
      unsubscribe = onRecords?.(want) ?? poll()
      loop = run()
    },
    finish,
    async stop() {
      await finish()
      for (const { reject } of waiters)
        reject(new PlumblineError('WORKER_STOPPED', 'The worker was stopped before it had processed everything.'))
      waiters = []
      for (const state of states.values()) {
        if (state.phase === 'stopped') continue
        processor.forget(state.shard)
        Object.assign(state, newShard(state.shard))
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
      shards: [...states.values()].map(({ shard, phase, next, replayTo, error }) => ({
        shard,
        phase,
        next: Math.max(next, replayTo),
        error: error === null ? null : `${error.code}: ${error.message}`,
      })),
    }),
  }
}
