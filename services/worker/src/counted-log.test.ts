import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkCommit, LogRecord, ShardLog } from '@plumbline/detector'
import { createMetrics } from '@plumbline/runtime'
import type { DeadLetter } from '@plumbline/schemas'
import { countedLog, type Unaccounted } from './index.ts'

const record = (offset: number, prefix: string): LogRecord => ({
  offset,
  ingestTimeMs: 1,
  key: Buffer.from(`${prefix}a`),
  value: Buffer.from('x'),
})
const letter = (stage: DeadLetter['stage'], code: DeadLetter['code']): DeadLetter => ({
  v: 1,
  stage,
  code,
  field: '',
  message: '',
  tenant: 't',
  topic: 'events',
  shard: 0,
  offset: 0,
  ingestTime: 1,
  payload: '',
})
const commitOf = (nextOffset: number, rows: number, deadLetters: readonly DeadLetter[] = []): ChunkCommit => ({
  shard: 0,
  nextOffset,
  slots: [],
  meta: [],
  scored: rows === 0 ? null : { schemaVersion: 1, firstOffset: 0, lastOffset: nextOffset - 1, rows, bytes: new Uint8Array(0) },
  alerts: [],
  capsules: [],
  deadLetters,
})

/** A log of these records whose commits go through, or fail once. */
const counted = (records: readonly LogRecord[], failures = 0) => {
  let left = failures
  const log: ShardLog = {
    load: () => -1,
    acquire: async () => ({ nextOffset: 0, meta: new Map() }),
    read: async (_shard, from, max) => records.slice(from, from + max),
    commit: async () => {
      if (left-- > 0) throw new Error('disk full')
    },
  }
  const metrics = createMetrics()
  const found: Unaccounted[] = []
  const lines = async (name: string): Promise<string[]> =>
    (await metrics.registry.getSingleMetricAsString(name))
      .split('\n')
      .filter((line) => line.startsWith(name) && !line.endsWith(' 0'))
      .map((line) => line.slice(name.length))
      .sort()
  return { log: countedLog(log, metrics, (one) => void found.push(one)), lines, found }
}

test('what becomes of records is counted by stage once it is stored, and the sums agree', async () => {
  const records = ['e:', 'h:', 'c:', 'c:', 'e:', 'x:'].map((prefix, offset) => record(offset, prefix))
  const { log, lines, found } = counted(records, 1)
  const commit = commitOf(6, 2, [
    letter('decode', 'RECORD_KEY_INVALID'),
    letter('decode', 'CONTROL_INVALID'),
    letter('identify', 'SHARD_MISMATCH'),
  ])
  await log.read(0, 0, 10)
  await assert.rejects(log.commit([commit]), /disk full/)
  assert.deepEqual(await lines('plumbline_events_scored_total'), [], 'what was not stored does not count')
  await log.read(0, 0, 10)
  await log.commit([commit])
  assert.deepEqual(await lines('plumbline_events_read_total'), ['{kind="control"} 2', '{kind="event"} 4'])
  assert.deepEqual(await lines('plumbline_events_scored_total'), [' 2'])
  assert.deepEqual(await lines('plumbline_stage_outcomes_total'), [
    '{stage="decode",outcome="divert"} 1',
    '{stage="decode",outcome="pass"} 3',
    '{stage="decode",outcome="reject"} 2',
    '{stage="identify",outcome="pass"} 2',
    '{stage="identify",outcome="reject"} 1',
    '{stage="score",outcome="pass"} 2',
  ])
  assert.deepEqual(await lines('plumbline_dead_letters_total'), [
    '{stage="decode",code="CONTROL_INVALID"} 1',
    '{stage="decode",code="RECORD_KEY_INVALID"} 1',
    '{stage="identify",code="SHARD_MISMATCH"} 1',
  ])
  assert.deepEqual([await lines('plumbline_invariant_violations_total'), found], [[], []])
})

test('a chunk in which an event is lost or doubled is told of', async () => {
  const records = ['e:', 'e:', 'c:'].map((prefix, offset) => record(offset, prefix))
  for (const [rows, missing] of [
    [2, 0],
    [1, 1],
    [0, 2],
    [4, -1],
  ] as const) {
    const { log, lines, found } = counted(records)
    await log.read(0, 0, 10)
    await log.commit([commitOf(3, rows)])
    assert.deepEqual(found, missing === 0 ? [] : [{ shard: 0, nextOffset: 3, records: missing }])
    assert.deepEqual(await lines('plumbline_invariant_violations_total'), missing === 0 ? [] : ['{invariant="INV-2"} 1'])
  }
})
