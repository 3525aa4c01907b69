import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { LogRecord, ShardProcessor } from '@plumbline/detector'
import { EVENT_LIMITS, FEATURE_COUNT, SCORED_COLUMNS, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { createWorker } from '../../services/worker/src/index.ts'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor, event } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'

/** Chunks and state that are large for a broker. */

const { brokers, skip } = await kafkaBroker()
const UNTIL_MS = 60_000
const LIMIT = 8 * 1024 * 1024

test('rows that would make one record too large are stored in smaller chunks, without another take-over', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const [events, rowBytes] = [2_000, 20_000]
  let takeOvers = 0
  const log = await open({ onAcquired: () => takeOvers++ })
  await log.append(Array.from({ length: events }, (_, i) => event(0, `${i}`)))
  let largest = 0
  const processor: ShardProcessor = {
    open() {},
    settle() {},
    forget() {},
    process(shard, records: readonly LogRecord[]) {
      const [firstOffset, lastOffset, rows] = [records[0]!.offset, records.at(-1)!.offset, records.length]
      largest = Math.max(largest, rows * rowBytes)
      const bytes = new Uint8Array(rows * rowBytes)
      return commitTo(shard, lastOffset + 1, {
        scored: { schemaVersion: SCORED_SCHEMA_VERSION, firstOffset, lastOffset, rows, bytes },
      })
    },
  }
  const codes: string[] = []
  const worker = createWorker({
    log,
    processor,
    shards: [0],
    chunkMs: 1_000,
    chunksPerCommit: 1,
    onRecords: log.onRecords,
    onFailure: ({ code }) => codes.push(code),
  })
  t.after(() => worker.stop())
  worker.start()
  for (const end = performance.now() + UNTIL_MS; worker.stats().shards[0]!.next < events; await pause(50))
    assert.ok(performance.now() < end, JSON.stringify([worker.stats(), codes]))
  await worker.stop()
  assert.ok(largest > LIMIT, 'a chunk was too large at first')
  assert.deepEqual([takeOvers, codes], [1, []])
  const rows = (await readCommitted(kafka, names.scored)).map(({ headers }) => Number(headers!['rows']!.toString()))
  assert.equal(
    rows.reduce((sum, count) => sum + count, 0),
    events,
  )
})

test('one event never makes a row that is too large: its texts are the texts of an event, the rest is numbers', () => {
  const numbers = SCORED_COLUMNS.length * 9 + 2 * FEATURE_COUNT * 5 + FEATURE_COUNT * 4
  assert.ok(100 * (EVENT_LIMITS.eventBytes + numbers) < LIMIT)
})

test('named state that is larger than what a broker takes by default is stored and restored', { skip, timeout: 60_000 }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const log = await open()
  await log.append([event(0, 'a')])
  await log.acquire(0)
  // Not of one letter: what is compressed would pass.
  const bytes = Buffer.from(Uint8Array.from({ length: 2_500_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24))
  await log.commit([commitTo(0, 1, { meta: [{ name: 'tenant', bytes }] })])
  const next = await open()
  const { nextOffset, meta } = await next.acquire(0)
  assert.equal(nextOffset, 1)
  assert.ok(bytes.equals(meta.get('tenant')!))
})
