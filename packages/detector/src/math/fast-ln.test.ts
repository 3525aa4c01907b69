import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fastLn, fastLog1p } from './fast-ln.ts'

test('fastLn stays within 5e-8 of the logarithm and never falls', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-12, max: 1e18, noNaN: true }), (x) => {
      assert.ok(Math.abs(fastLn(x) - Math.log(x)) < 5e-8)
      assert.ok(fastLn(x * (1 + 1e-9)) >= fastLn(x))
    }),
    { seed: 7, numRuns: 5000 },
  )
  assert.equal(fastLn(1), 0)
  assert.ok(Math.abs(fastLog1p(9) - Math.log(10)) < 5e-8)
})
