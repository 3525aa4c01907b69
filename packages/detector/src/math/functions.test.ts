import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { exp, expm1, ln, log10, log1p, tanh } from './functions.ts'

const close = (actual: number, expected: number, what: string) => {
  if (Object.is(actual, expected) || actual === expected) return
  // Subnormal results have fewer digits to be right in.
  const room = 1e-12 * Math.abs(expected) + 5e-324
  assert.ok(Math.abs(actual - expected) <= room, `${what}: ${actual} for ${expected}`)
}
const options = { seed: 5, numRuns: 20000 }
const any = fc.double({ noNaN: true })

test('logarithms agree with the engine to 1e-12', () => {
  fc.assert(
    fc.property(fc.oneof(fc.double({ min: 0, noNaN: true }), fc.double({ min: 0.5, max: 2, noNaN: true })), (x) => {
      close(ln(x), Math.log(x), `ln ${x}`)
      close(log10(x), Math.log10(x), `log10 ${x}`)
    }),
    options,
  )
  fc.assert(
    fc.property(fc.oneof(fc.double({ min: -0.999999, noNaN: true }), fc.double({ min: -1e-3, max: 1e-3, noNaN: true })), (x) =>
      close(log1p(x), Math.log1p(x), `log1p ${x}`),
    ),
    options,
  )
})

test('exponentials and tanh agree with the engine to 1e-12', () => {
  fc.assert(
    fc.property(fc.oneof(any, fc.double({ min: -750, max: 712, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })), (x) => {
      close(exp(x), Math.exp(x), `exp ${x}`)
      close(expm1(x), Math.expm1(x), `expm1 ${x}`)
      close(tanh(x), Math.tanh(x), `tanh ${x}`)
    }),
    options,
  )
})

test('edges', () => {
  for (const [f, g] of [
    [ln, Math.log],
    [exp, Math.exp],
    [tanh, Math.tanh],
    [log1p, Math.log1p],
    [expm1, Math.expm1],
  ] as const) {
    for (const x of [0, -0, NaN, Infinity, -Infinity, -1, 1])
      assert.equal(Object.is(f(x) + 0, g(x) + 0) || Math.abs(f(x) - g(x)) < 1e-15, true, `${g.name} ${x}`)
  }
  assert.ok(Object.is(tanh(-0), -0))
})

test('the bits stay what they are', () => {
  const values = new Float64Array(3000)
  for (let i = 0; i < 1000; i++) {
    const x = (i - 500) / 7
    values.set([ln(i / 3 + 1e-9), exp(x), tanh(x / 20)], i * 3)
  }
  assert.equal(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16), '1cd23abc2914d402')
})
