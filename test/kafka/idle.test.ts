import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaLog, KafkaLogOptions, TakeOver } from '@plumbline/adapters/kafka'
import type { LogRecord, ShardProcessor } from '@plumbline/detector'
import { createWorker, type WorkerOptions } from '../../services/worker/src/index.ts'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, clusterFor, event } from '../support/kafka/cluster.ts'

/** Shards that nobody is busy with: what is stored of them on the side, and what becomes of them when that fails. */

const { brokers, skip } = await kafkaBroker()
const UNTIL_MS = 30_000

const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const end = performance.now() + UNTIL_MS; !condition(); await pause(20)) assert.ok(performance.now() < end, what)
}

const processor: ShardProcessor = {
  open() {},
  settle() {},
  forget() {},
  process: (shard, records: readonly LogRecord[]) => commitTo(shard, records.at(-1)!.offset + 1),
}

interface Working {
  readonly kafka: KafkaLog
  readonly taken: readonly TakeOver[]
  readonly codes: readonly string[]
  next(): number
}

/** A worker of shard 0 alone that does not save state by itself; `settle` does what its timer would. */
const work = async (
  t: TestContext,
  cluster: Cluster,
  options: Partial<KafkaLogOptions> = {},
  more: Partial<WorkerOptions> = {},
): Promise<Working> => {
  const [taken, codes]: [TakeOver[], string[]] = [[], []]
  const snapshots = { everyMs: 3_600_000, everyRecords: 1_000_000 }
  const kafka = await cluster.open({ snapshots, onAcquired: (one) => taken.push(one), ...options })
  const worker = createWorker({
    log: kafka,
    processor,
    shards: [0],
    ownership: { owns: async () => true, release: kafka.release },
    onRecords: kafka.onRecords,
    onFailure: ({ code }) => codes.push(code),
    ...more,
  })
  t.after(() => worker.stop())
  worker.start()
  return { kafka, taken, codes, next: () => worker.stats().shards[0]!.next }
}

test('a shard whose state could not be saved while it was idle is taken anew at once, and goes on', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  let [failing, failed] = [false, 0]
  const { kafka, taken, codes, next } = await work(t, cluster, {
    onPoint(point) {
      if (!failing || point !== 'commit:begin') return
      failing = false
      failed++
      throw new Error('broker away')
    },
  })
  await kafka.append([event(0, 'a'), event(0, 'b')])
  await until('the first chunk', () => next() === 2)
  failing = true
  await kafka.settle()
  assert.equal(failed, 1)
  // No record comes: it is told.
  await until('another take-over', () => taken.length === 2)
  assert.deepEqual([...new Set(codes)], ['SHARD_NOT_HELD'])
  await kafka.append([event(0, 'c')])
  await until('the third chunk', () => next() === 3)
})

test('a worker that meets another owner while its shard is idle asks whether the shard is still its own', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  let [ours, asked] = [false, 0]
  const owns = async (): Promise<boolean> => {
    asked++
    return ours
  }
  const release = (shards: readonly number[]): Promise<void> => kafka.release(shards)
  const working = await work(t, cluster, {}, { ownership: { owns, release } })
  const { kafka, taken, codes, next } = working
  await kafka.append([event(0, 'a'), event(0, 'b')])
  await until('the first chunk', () => next() === 2)
  const other = await cluster.open()
  await other.acquire(0)
  await kafka.settle()
  await until('the question', () => asked > 0)
  assert.deepEqual([taken.length, [...new Set(codes)]], [1, ['SHARD_FENCED']])
  // It was not taken from its owner.
  other.replay(commitTo(0, 2))
  await other.append([event(0, 'c')])
  await other.commit([commitTo(0, 3)])
  ours = true
  await until('its own again', () => taken.length === 2)
  assert.equal(taken[1]!.nextOffset, 3)
})
