import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leastAmount } from './search.ts'

test('finds the step, from above and within a twentieth', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (step) => {
      const { from, family } = leastAmount(1, 2 ** 40, (amount) => (amount >= step ? 'volume' : null))
      assert.equal(family, 'volume')
      assert.ok(from !== null && from >= step && (from === step || from <= step * 1.05), `${from} for ${step}`)
    }),
    { seed: 1, numRuns: 500 },
  )
})

test('small amounts are found to the one, also where a larger one is quiet', () => {
  const { from } = leastAmount(1, 4096, (amount) => (amount === 2 || amount >= 4 ? 'probing' : null))
  assert.equal(from, 4)
})

test('what not even the largest amount does is never', () => {
  assert.deepEqual(
    leastAmount(1, 4096, (amount) => (amount === 100 ? 'rate' : null)),
    { from: null, family: null },
  )
})

test('where anything alerts, the least amount that is tried', () => {
  assert.equal(leastAmount(1024, 2 ** 40, () => 'volume').from, 1024)
})

test('the family is that of the least amount', () => {
  assert.equal(leastAmount(1, 4096, (amount) => (amount >= 100 ? 'rate' : amount >= 10 ? 'volume' : null)).family, 'volume')
})

test('few trials are enough: each costs thousands of events at most', () => {
  let trials = 0
  leastAmount(1024, 2 ** 40, (amount) => {
    trials++
    return amount >= 41_000_000 ? 'volume' : null
  })
  assert.ok(trials <= 20, `${trials}`)
})
