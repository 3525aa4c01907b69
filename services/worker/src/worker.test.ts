import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import type { ChunkCommit, LogRecord, ShardLog, ShardProcessor } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { createWorker } from './index.ts'

const SHARDS = 4

const opened = async (t: TestContext): Promise<EmbeddedLog> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-worker-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  t.after(async () => {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return log
}

const append = (log: EmbeddedLog, shard: number, count: number, value = 'x'): Promise<readonly number[]> =>
  log.append(Array.from({ length: count }, () => ({ shard, ingestTimeMs: 1, key: Buffer.from('e:a'), value: Buffer.from(value) })))

/** Sums up what it sees in the shard's named state; one dead letter per record, so that doubling shows in the outbox. */
const createCounter = (onRecord: (shard: number, record: LogRecord) => void = () => {}) => {
  const sums = new Map<number, { settled: number; pending: number | null }>()
  const chunks: { shard: number; records: number }[] = []
  const processor: ShardProcessor = {
    open: (shard, { meta }) => void sums.set(shard, { settled: Number(Buffer.from(meta.get('sum') ?? []).toString() || 0), pending: null }),
    process(shard, records): ChunkCommit {
      const sum = sums.get(shard)
      if (sum === undefined || sum.pending !== null) throw new Error('Not open, or not settled.')
      for (const record of records) onRecord(shard, record)
      sum.pending = sum.settled + records.length
      chunks.push({ shard, records: records.length })
      const deadLetters = records.map(({ offset }) => ({
        v: 1 as const,
        stage: 'decode' as const,
        code: 'JSON_SYNTAX' as const,
        field: '',
        message: '',
        tenant: 't',
        topic: 'events',
        shard,
        offset,
        ingestTime: 1,
        payload: '',
      }))
      return {
        shard,
        nextOffset: records.at(-1)!.offset + 1,
        slots: [],
        meta: [{ name: 'sum', bytes: Buffer.from(String(sum.pending)) }],
        scored: null,
        alerts: [],
        capsules: [],
        deadLetters,
      }
    },
    settle(shard) {
      const sum = sums.get(shard)!
      sum.settled = sum.pending!
      sum.pending = null
    },
    forget: (shard) => void sums.delete(shard),
  }
  return { processor, chunks }
}

const outcome = async (log: EmbeddedLog, shard: number): Promise<{ sum: number; offsets: number[] }> => ({
  sum: Number(Buffer.from((await log.acquire(shard)).meta.get('sum') ?? []).toString() || 0),
  offsets: (await log.outbox.read('dead-letters', 0, 1e9)).filter((entry) => entry.shard === shard).map(({ firstOffset }) => firstOffset),
})
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const all = upTo(SHARDS)

test('records of all shards are processed once, in order, before and after the start', async (t) => {
  const log = await opened(t)
  await append(log, 0, 500)
  const { processor } = createCounter()
  const worker = createWorker({ log, processor, shards: all, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await append(log, 1, 300)
  await worker.drained()
  await Promise.all(Array.from({ length: 20 }, () => append(log, 2, 10)))
  await worker.drained()
  assert.deepEqual(await outcome(log, 0), { sum: 500, offsets: upTo(500) })
  assert.deepEqual(await outcome(log, 1), { sum: 300, offsets: upTo(300) })
  assert.deepEqual(await outcome(log, 2), { sum: 200, offsets: upTo(200) })
  assert.equal(worker.stats().records, 1_000)
})

test('an idle worker asks nothing of the log and wakes by itself', async (t) => {
  const log = await opened(t)
  let reads = 0
  const counted: ShardLog = { ...log, read: (...args) => (reads++, log.read(...args)) }
  const { processor } = createCounter()
  const worker = createWorker({ log: counted, processor, shards: all, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  const before = reads
  await new Promise((resolve) => setTimeout(resolve, 150))
  assert.equal(reads, before)
  await append(log, 3, 1)
  while (log.head(3).position < 1) await new Promise((resolve) => setImmediate(resolve))
})

test('after a commit with unknown outcome the shard is taken up again; nothing is lost or doubled', async (t) => {
  const log = await opened(t)
  let commits = 0
  const flaky: ShardLog = {
    ...log,
    async commit(chunks) {
      commits++
      if (commits % 3 === 0) throw new Error('broken before it took effect')
      await log.commit(chunks)
      if (commits % 3 === 1) throw new Error('broken after it took effect')
    },
  }
  const { processor } = createCounter()
  const failures: string[] = []
  const worker = createWorker({
    log: flaky,
    processor,
    shards: all,
    chunkRecords: 20,
    onRecords: log.onRecords,
    onFailure: ({ code }) => failures.push(code),
  })
  t.after(() => worker.stop())
  for (const shard of all) await append(log, shard, 100)
  worker.start()
  await worker.drained()
  assert.ok(failures.length > 3)
  for (const shard of all) assert.deepEqual(await outcome(log, shard), { sum: 100, offsets: upTo(100) })
})

test('a shard whose release cannot run here stops alone, says why, and goes on when resumed', async (t) => {
  const log = await opened(t)
  let unsupported = true
  const { processor } = createCounter((shard, record) => {
    if (unsupported && shard === 1 && record.offset >= 5) throw new PlumblineError('RELEASE_UNSUPPORTED', 'Release r9 needs detector 9.')
  })
  for (const shard of all) await append(log, shard, 10)
  const worker = createWorker({ log, processor, shards: all, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  const stopped = worker.stats().shards.filter(({ phase }) => phase === 'stopped')
  assert.deepEqual(
    stopped.map(({ shard, next, error }) => ({ shard, next, error })),
    [{ shard: 1, next: 5, error: 'RELEASE_UNSUPPORTED: Release r9 needs detector 9.' }],
  )
  for (const shard of [0, 2, 3]) assert.equal((await outcome(log, shard)).sum, 10)
  unsupported = false
  worker.resume(1)
  await worker.drained()
  assert.equal((await outcome(log, 1)).sum, 10)
})

test('a busy shard does not keep the others waiting', async (t) => {
  const log = await opened(t)
  await append(log, 0, 3_000)
  for (const shard of [1, 2, 3]) await append(log, shard, 10)
  const { processor, chunks } = createCounter()
  const worker = createWorker({ log, processor, shards: all, chunkRecords: 50, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  for (const shard of [1, 2, 3]) assert.ok(chunks.findIndex((chunk) => chunk.shard === shard) < 8, `shard ${shard} waited`)
})

test('chunks shrink until they leave the event loop free often enough', async (t) => {
  const log = await opened(t)
  await append(log, 0, 4_000)
  const { processor, chunks } = createCounter(() => {
    const until = performance.now() + 0.2
    while (performance.now() < until);
  })
  const worker = createWorker({ log, processor, shards: [0], chunkRecords: 4_000, chunkMs: 5, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  // 0.2 ms each: at most 25 fit into 5 ms, whatever else the machine does.
  assert.ok(
    chunks.slice(2).every(({ records }) => records <= 26),
    JSON.stringify(chunks.slice(0, 10)),
  )
})

test('a failure to process costs no take-over, and a release that is not there yet is waited for', async (t) => {
  const log = await opened(t)
  await append(log, 1, 100)
  let acquired = 0
  const counted: ShardLog = { ...log, acquire: (shard) => (acquired++, log.acquire(shard)) }
  let here = false
  const { processor } = createCounter((_, record) => {
    if (!here && record.offset >= 37) throw new PlumblineError('RELEASE_UNSUPPORTED', 'Release r9 is not here.', { retryable: true })
  })
  const told = Promise.withResolvers<void>()
  const worker = createWorker({ log: counted, processor, shards: [1], onRecords: log.onRecords, onFailure: () => told.resolve() })
  t.after(() => worker.stop())
  worker.start()
  await told.promise
  const [waiting] = worker.stats().shards
  assert.deepEqual([waiting?.next, waiting?.error], [37, 'RELEASE_UNSUPPORTED: Release r9 is not here.'])
  here = true
  worker.resume(1)
  await worker.drained()
  assert.deepEqual([await outcome(log, 1), acquired], [{ sum: 100, offsets: upTo(100) }, 1])
})

test('a replay that fails is begun anew from a take-over: the log may have taken its state, and no chunk is computed on top of itself', async (t) => {
  const log = await opened(t)
  await append(log, 0, 400)
  const first = createWorker({ log, processor: createCounter().processor, shards: [0], onRecords: log.onRecords })
  first.start()
  await first.drained()
  await first.stop()
  // Position of the state that the log has taken since the last take-over.
  let taken = 0
  let failures = 0
  const begun: { at: number; on: number }[] = []
  const replaying: ShardLog = {
    ...log,
    async acquire(shard) {
      taken = 0
      return { nextOffset: 0, replayTo: (await log.acquire(shard)).nextOffset, meta: new Map() }
    },
    replay({ nextOffset, deadLetters }) {
      begun.push({ at: deadLetters[0]!.offset, on: taken })
      taken = nextOffset
      if (taken > 100 && failures++ === 0) throw new Error('after the state was taken')
    },
  }
  const worker = createWorker({ log: replaying, processor: createCounter().processor, shards: [0], chunkRecords: 60 })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  assert.ok(failures > 1 && taken === 400)
  assert.deepEqual(
    begun.filter(({ at, on }) => at !== on),
    [],
  )
})

test('what a take-over asks to be replayed is computed once more, however long it takes, and put out by nobody', async (t) => {
  const log = await opened(t)
  const REPLAYED = 400
  await append(log, 2, REPLAYED)
  const first = createWorker({ log, processor: createCounter().processor, shards: [2], onRecords: log.onRecords })
  first.start()
  await first.drained()
  await first.stop()
  const replayed: ChunkCommit[] = []
  const behind: ShardLog = {
    ...log,
    // As if no state had been written since the beginning.
    acquire: async (shard) => ({ nextOffset: 0, replayTo: (await log.acquire(shard)).nextOffset, meta: new Map() }),
    replay: (commit) => void replayed.push(commit),
  }
  const slow = createCounter(() => {
    for (const until = performance.now() + 0.5; performance.now() < until; );
  })
  const worker = createWorker({ log: behind, processor: slow.processor, shards: [2], chunkMs: 5, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await append(log, 2, 50)
  await worker.drained()
  assert.deepEqual(
    replayed.flatMap(({ deadLetters }) => deadLetters.map(({ offset }) => offset)),
    upTo(REPLAYED),
  )
  assert.ok(replayed.length > 4, 'one chunk says nothing')
  await worker.stop()
  assert.deepEqual(await outcome(log, 2), { sum: REPLAYED + 50, offsets: upTo(REPLAYED + 50) })
})

test('a log that is away during a replay is asked again in a while, and the event loop has its turn meanwhile', async (t) => {
  const log = await opened(t)
  await append(log, 1, 30)
  let asked = 0
  let away = true
  const gone: ShardLog = {
    ...log,
    acquire: async (shard) => ({ nextOffset: 0, replayTo: 30, meta: (await log.acquire(shard)).meta }),
    replay: () => {},
    read: async (...args) => {
      if (!away) return log.read(...args)
      if (++asked > 1_000) throw new Error('asked without end')
      return []
    },
  }
  const codes: string[] = []
  const { processor } = createCounter()
  const worker = createWorker({ log: gone, processor, shards: [1], onRecords: log.onRecords, onFailure: ({ code }) => codes.push(code) })
  t.after(() => worker.stop())
  worker.start()
  setTimeout(() => (away = false), 250)
  await worker.drained()
  assert.equal(worker.stats().shards[0]?.next, 30)
  assert.deepEqual([asked > 1 && asked < 10, codes], [true, []])
})

/** A log that takes chunks of at most so many dead letters, and nothing of a commit with a larger one. */
const narrow = (log: EmbeddedLog, most: (shard: number) => number): { log: ShardLog; takeOvers: () => number } => {
  let takeOvers = 0
  return {
    takeOvers: () => takeOvers,
    log: {
      ...log,
      acquire: (shard) => (takeOvers++, log.acquire(shard)),
      async commit(chunks) {
        if (chunks.some(({ shard, deadLetters }) => deadLetters.length > most(shard)))
          throw new PlumblineError('RECORD_TOO_LARGE', 'Too large.')
        await log.commit(chunks)
      },
    },
  }
}

test('a chunk whose records are too large for the log is stored in smaller ones, without a take-over', async (t) => {
  const log = await opened(t)
  for (const shard of all) await append(log, shard, 200)
  const { log: small, takeOvers } = narrow(log, (shard) => (shard === 1 ? 3 : 50))
  const { processor } = createCounter()
  const codes: string[] = []
  const worker = createWorker({
    log: small,
    processor,
    shards: all,
    readAhead: SHARDS,
    onRecords: log.onRecords,
    onFailure: ({ code }) => codes.push(code),
  })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  assert.deepEqual([takeOvers(), codes], [SHARDS, []])
  for (const shard of all) assert.deepEqual(await outcome(log, shard), { sum: 200, offsets: upTo(200) })
})

test('one record that is too large for the log stops its shard, visibly, and no other', async (t) => {
  const log = await opened(t)
  for (const shard of [0, 1]) await append(log, shard, 20)
  const { log: small } = narrow(log, (shard) => (shard === 1 ? 0 : 1_000))
  const { processor } = createCounter()
  const worker = createWorker({ log: small, processor, shards: [0, 1], readAhead: 2, onRecords: log.onRecords })
  t.after(() => worker.stop())
  worker.start()
  await worker.drained()
  const [first, second] = worker.stats().shards
  assert.deepEqual([first!.next, first!.error], [20, null])
  assert.deepEqual([second!.phase, second!.next, second!.error], ['stopped', 0, 'RECORD_TOO_LARGE: Too large.'])
})
