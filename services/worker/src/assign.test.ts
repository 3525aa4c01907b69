import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChunkCommit, LogRecord, ShardLog, ShardProcessor } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { createWorker, type Ownership, type Worker } from './index.ts'

/**
 * A log that several workers share, as small as it can be: the latest owner of a shard stores, all others are fenced.
 * How long a call takes, and whether it fails before or after its effect, is drawn.
 */
const createShared = (shards: number, records: number, draw: () => number, failures: boolean) => {
  const epochs = Array<number>(shards).fill(0)
  const positions = Array<number>(shards).fill(0)
  const stored: number[][] = Array.from({ length: shards }, () => [])
  const pass = async (): Promise<void> => {
    for (let turns = draw() % 6; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
  }
  const fails = (): boolean => failures && draw() % 23 === 0

  /** The log as one worker sees it. */
  const view = (): { log: ShardLog; release: Ownership['release']; holds: (shard: number) => boolean } => {
    const held = new Map<number, number>()
    const log: ShardLog = {
      load: () => -1,
      async acquire(shard) {
        await pass()
        if (fails()) throw new PlumblineError('SHARD_ACQUIRE_FAILED', 'on purpose', { retryable: true })
        held.set(shard, ++epochs[shard]!)
        const nextOffset = positions[shard]!
        await pass()
        return { nextOffset, meta: new Map() }
      },
      async read(shard, from, max) {
        await pass()
        const all = Array.from({ length: Math.max(0, Math.min(max, records - from)) }, (_, i): LogRecord => {
          const text = Buffer.from(`e:${from + i}`)
          return { offset: from + i, ingestTimeMs: 1, key: text, value: text }
        })
        await pass()
        return all.map((record) => ({ ...record, shard }))
      },
      async commit(commits) {
        await pass()
        for (const { shard, nextOffset } of commits) {
          if (fails()) throw new PlumblineError('COMMIT_UNKNOWN', 'on purpose, before', { retryable: true })
          if (held.get(shard) !== epochs[shard]) throw new PlumblineError('SHARD_FENCED', 'another owner', { retryable: true })
          for (let offset = positions[shard]!; offset < nextOffset; offset++) stored[shard]!.push(offset)
          positions[shard] = nextOffset
          if (fails()) throw new PlumblineError('COMMIT_UNKNOWN', 'on purpose, after', { retryable: true })
        }
        await pass()
      },
    }
    return {
      log,
      async release(shards_) {
        await pass()
        for (const shard of shards_) held.delete(shard)
      },
      holds: (shard) => held.has(shard),
    }
  }
  return { view, stored, positions, epochs }
}

/** Fails when it is driven out of order: not open, opened twice without being forgotten, or not settled. */
const createStrict = () => {
  const open = new Map<number, { next: number; pending: number | null }>()
  const faults: string[] = []
  const check = (fine: boolean, words: string): void => void (fine || faults.push(words))
  const processor: ShardProcessor = {
    open(shard, { nextOffset }) {
      check(!open.has(shard), `shard ${shard} opened twice`)
      open.set(shard, { next: nextOffset, pending: null })
    },
    process(shard, records): ChunkCommit {
      const state = open.get(shard)
      check(state !== undefined && state.pending === null, `shard ${shard} not open or not settled`)
      check(records[0]!.offset === state?.next, `shard ${shard} at ${state?.next} got ${records[0]!.offset}`)
      const nextOffset = records.at(-1)!.offset + 1
      if (state !== undefined) state.pending = nextOffset
      return { shard, nextOffset, slots: [], meta: [], scored: null, alerts: [], capsules: [], deadLetters: [] }
    },
    settle(shard) {
      const state = open.get(shard)
      check(typeof state?.pending === 'number', `shard ${shard} settled without a chunk`)
      if (state !== undefined) Object.assign(state, { next: state.pending, pending: null })
    },
    forget: (shard) => void open.delete(shard),
  }
  return { processor, open, faults }
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

interface Running {
  readonly worker: Worker
  readonly strict: ReturnType<typeof createStrict>
  readonly holds: (shard: number) => boolean
}

test('shards that move between workers at any moment are stored once, in order, and let go whole', async () => {
  const SHARDS = 5
  const RECORDS = 60
  const move = fc.record({ shard: fc.nat(SHARDS - 1), to: fc.nat(2), after: fc.nat(12) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(move, { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(1_000), { minLength: 50, maxLength: 50 }),
      fc.boolean(),
      fc.constantFrom([1, 16, 1], [8, 1, 8], [3, 2, 2]),
      async (moves, draws, failures, [readAhead, chunksPerCommit, commitsAtOnce]) => {
        let drawn = 0
        const shared = createShared(SHARDS, RECORDS, () => draws[drawn++ % draws.length]! + drawn, failures)
        const owner = Array.from({ length: SHARDS }, (_, shard) => shard % 3)
        const of = (index: number): number[] => owner.flatMap((at, shard) => (at === index ? [shard] : []))
        const all = [0, 1, 2].map((index): Running => {
          const { log, release, holds } = shared.view()
          const strict = createStrict()
          const worker = createWorker({
            log,
            processor: strict.processor,
            shards: of(index),
            ownership: { owns: async (shard) => owner[shard] === index, release },
            chunkRecords: 10,
            onRecords: () => () => {},
            readAhead,
            chunksPerCommit,
            commitsAtOnce,
          })
          worker.start()
          return { worker, strict, holds }
        })
        for (const { shard, to, after } of moves) {
          await turns(after)
          const from = owner[shard]!
          owner[shard] = to
          // Gone and back at once, before its former turn has ended.
          if (after % 4 === 0) void all[from]!.worker.assign(of(from).filter((own) => own !== shard))
          if (after % 8 === 0) owner[shard] = from
          // Told in an order of its own: for a moment both or neither believe that it is theirs.
          for (const index of after % 2 === 0 ? [0, 1, 2] : [2, 1, 0]) {
            void all[index]!.worker.assign(of(index))
            await turns(after % 3)
          }
        }
        await Promise.all(all.map(({ worker }, index) => worker.assign(of(index))))
        await Promise.all(all.map(({ worker }) => worker.drained()))
        for (const [index, { strict, holds }] of all.entries()) {
          assert.deepEqual(strict.faults, [])
          for (let shard = 0; shard < SHARDS; shard++) if (owner[shard] !== index) assert.ok(!holds(shard) && !strict.open.has(shard))
        }
        for (const { worker } of all) await worker.stop()
        for (const { strict } of all) assert.equal(strict.open.size, 0)
        for (const offsets of shared.stored)
          assert.deepEqual(
            offsets,
            Array.from({ length: RECORDS }, (_, i) => i),
          )
      },
    ),
    { numRuns: 60, timeout: 20_000, endOnFailure: true },
  )
})

/** A log with one shard whose calls wait until they are let through. */
const createGated = () => {
  const gates: Record<'acquire' | 'read' | 'commit', PromiseWithResolvers<void> | null> = { acquire: null, read: null, commit: null }
  const { view, positions, epochs } = createShared(1, 10, () => 6, false)
  const { log, release, holds } = view()
  const gated: ShardLog = {
    ...log,
    acquire: async (shard) => (await gates.acquire?.promise, log.acquire(shard)),
    read: async (...args) => (await gates.read?.promise, log.read(...args)),
    commit: async (commits) => (await gates.commit?.promise, log.commit(commits)),
  }
  return { gates, gated, release, holds, positions, epochs }
}

for (const [call, stored] of [
  ['acquire', 0],
  ['read', 0],
  ['commit', 10],
] as const)
  test(`a shard that goes while its ${call} is under way is let go after it, with all or nothing stored`, async () => {
    const { gates, gated, release, holds, positions } = createGated()
    gates[call] = Promise.withResolvers<void>()
    const { processor, open, faults } = createStrict()
    const worker = createWorker({
      log: gated,
      processor,
      shards: [0],
      ownership: { owns: async () => true, release },
      onRecords: () => () => {},
    })
    worker.start()
    await turns(20)
    let gone = false
    const going = worker.assign([]).then(() => (gone = true))
    await turns(20)
    assert.equal(gone, false)
    gates[call].resolve()
    await going
    assert.deepEqual([positions[0], open.size, holds(0), worker.stats().shards, faults], [stored, 0, false, [], []])
    await worker.assign([0])
    await worker.drained()
    assert.deepEqual([positions[0], faults], [10, []])
    await worker.stop()
  })

test('a worker that met another owner asks whether the shard is still its own, and leaves it alone until it is', async () => {
  const { gated, release, positions, epochs } = createGated()
  const { processor } = createStrict()
  const asked: number[] = []
  let mine = false
  const gate = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const worker = createWorker({
    log: { ...gated, commit: async (commits) => (await gate.promise, gated.commit(commits)) },
    processor,
    shards: [0],
    ownership: {
      async owns(shard) {
        asked.push(shard)
        if (asked.length === 2) answered.resolve()
        return mine
      },
      release,
    },
    onRecords: () => () => {},
  })
  worker.start()
  await turns(20)
  epochs[0]!++
  const taken = epochs[0]
  gate.resolve()
  await answered.promise
  assert.deepEqual([epochs[0], positions[0]], [taken, 0], 'it was taken over although it is somebody else’s')
  mine = true
  await worker.drained()
  assert.deepEqual([epochs[0], positions[0]], [taken! + 1, 10])
  await worker.stop()
})
