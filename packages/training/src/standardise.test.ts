import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from './random.ts'
import { standardise } from './standardise.ts'

test('a few absurd values do not widen the spread', () => {
  const r = createRandom(1)
  const rows = Float32Array.from({ length: 10_000 }, (_, i) => (i % 1000 === 0 ? 1e9 : 5 + 2 * r.normal()))
  const { mean, invStd } = standardise(rows, 1)
  assert.ok(Math.abs(mean[0]! - 5) < 0.2 && Math.abs(1 / invStd[0]! - 2) < 0.2, `${mean[0]} ${1 / invStd[0]!}`)
})

test('constant, nearly constant and varying features are told apart, in short and in long histories', () => {
  for (const n of [500, 120_000]) {
    const rows = new Float32Array(n * 3)
    for (let i = 0; i < n; i++) rows.set([7, i === 13 ? 1 : 0, i % 2], i * 3)
    const { mean, invStd, constant } = standardise(rows, 3)
    assert.deepEqual([...constant], [1, 0, 0])
    assert.deepEqual([mean[0], invStd[0]], [7, Math.fround(1 / 7)])
    assert.ok(invStd[1]! > 1 && Number.isFinite(invStd[1]))
    assert.ok(Math.abs(mean[2]! - 0.5) < 0.01 && Math.abs(invStd[2]! - 2) < 0.01)
  }
})
