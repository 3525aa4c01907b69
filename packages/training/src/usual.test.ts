import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpackRelease } from '@plumbline/detector'
import { DetectionConfig, FEATURE_COUNT, FEATURE_INDEX } from '@plumbline/schemas'
import { buildRelease, inSessions } from './release-builder.ts'

const ROWS = 1000
/** What a release of statistics calls usual after rows of which each is filled by `of`. */
const usualAfter = async (of: (row: Float32Array, i: number) => void): Promise<Float32Array> => {
  const rows = new Float32Array(ROWS * FEATURE_COUNT)
  for (let i = 0; i < ROWS; i++) of(rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT), i)
  const built = await buildRelease({
    tenant: 't',
    sequence: 1,
    rows,
    alerted: new Uint8Array(ROWS),
    groups: Uint32Array.from({ length: ROWS }, (_, i) => i),
    eventsPerDay: ROWS,
    slots: [],
    groupNames: new Map(),
    config: DetectionConfig.parse({}),
    seed: 0,
    createdFrom: { positions: {}, events: ROWS, fromTime: 0, toTime: 1 },
    withModel: false,
  })
  return unpackRelease(built.bytes).section('typical')
}
const ACTION = FEATURE_INDEX['action_own']!
const OUTCOME = FEATURE_INDEX['outcome_own']!

test('the usual of whole acts is that of their sums, not the sum of what is usual of each part', async () => {
  // Rare actions never fail and what fails is never rare, in five of a hundred acts each.
  const usual = await usualAfter((row, i) => {
    if (i % 20 === 0) row[ACTION] = 9
    if (i % 20 === 10) row[OUTCOME] = 4
  })
  assert.deepEqual([usual.length, usual[ACTION], usual[OUTCOME]], [4 * FEATURE_COUNT + 8, 9, 4])
  assert.deepEqual([...usual.subarray(4 * FEATURE_COUNT)], [9, 1, 9, 1, 0, 1, 0, 1])
})

test('however narrow history was, less than a nat beyond it is no whole excess; where it was wide, its width counts', async () => {
  const usual = await usualAfter((row, i) => {
    row[ACTION] = 5 + 0.0001 * (i % 100)
    row[OUTCOME] = i % 25 === 0 ? 0.01 * i : 0
  })
  assert.equal(usual[FEATURE_COUNT + ACTION], 1)
  assert.ok(usual[FEATURE_COUNT + OUTCOME]! > 2)
})

test('recorded sessions come to the evidence that the detector gives them: a run within one, none across', () => {
  const straight = Float32Array.of(1, 2, 0, 12, 0, 12)
  const scores = new Float32Array(10).fill(2)
  const alone = inSessions(
    scores,
    straight,
    Uint32Array.from(scores, (_, i) => i),
  )
  assert.deepEqual([...alone], [...scores])
  const together = inSessions(scores, straight, new Uint32Array(10))
  assert.equal(together[0], 2)
  assert.ok(together[9]! > 2.6)
})
