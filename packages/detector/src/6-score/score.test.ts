import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FEATURE_COUNT, FEATURE_INDEX } from '@plumbline/schemas'
import { sumSurprise, wholeNats } from './score.ts'

const vector = (values: Readonly<Record<string, number>>): Float32Array => {
  const x = new Float32Array(FEATURE_COUNT)
  for (const [name, value] of Object.entries({ maturity: 1, ...values })) x[FEATURE_INDEX[name]!] = value
  return x
}
/** A history in which every feature goes up to 6 nats, rarely to 8, and whole acts to `act`, rarely to two more. */
const usualWith = (act: number): Float32Array => {
  const level = (usual: number): number[] => [...Array<number>(FEATURE_COUNT).fill(usual), ...Array<number>(FEATURE_COUNT).fill(1)]
  return Float32Array.from([...level(6), ...level(8), act, 1, act + 2, 1])
}
const scored = (x: Float32Array, usual: Float32Array) => {
  const c = new Float32Array(FEATURE_COUNT)
  return { sum: sumSurprise(x, usual, c), c }
}
const of = (c: Float32Array, name: string): number => c[FEATURE_INDEX[name]!]!

test('an act whose parts are each within their usual is told when together they are not', () => {
  const x = vector({ action_own: 5, outcome_own: 4, source_own: 5 })
  assert.equal(wholeNats(x, 0), 14)
  const { sum, c } = scored(x, usualWith(9))
  assert.ok(sum > 1)
  assert.ok(Math.abs(c.reduce((a, b) => a + b, 0) - sum) < 1e-5, 'what is added is told by its parts')
  assert.ok(Math.abs(of(c, 'action_own') / of(c, 'outcome_own') - 5 / 4) < 1e-5)
  assert.equal(of(c, 'destination_own'), 0)
})

test('nothing is added to an act within the usual of acts, nor by a release that has no usual of acts', () => {
  const x = vector({ action_own: 5, outcome_own: 4, source_own: 5 })
  assert.equal(scored(x, usualWith(14)).sum, 0)
  assert.equal(scored(x, usualWith(9).subarray(0, 4 * FEATURE_COUNT)).sum, 0)
})

test('the rarer the act as a whole, the higher the sum, without a step', () => {
  let before = 0
  for (let nats = 0; nats <= 20; nats += 0.25) {
    const { sum } = scored(vector({ identity_new: nats / 2, destination_own: nats / 2 }), usualWith(9))
    assert.ok(sum >= before && sum - before < 0.3, `${nats}: ${before} to ${sum}`)
    before = sum
  }
  assert.ok(before > 1)
})

test('amounts add up as a whole, as far as the identity is known, and only under a release that knows the usual of it', () => {
  const amounts = { bytes_out_own: 5, bytes_out_hour: 5, drift_bytes: 5 }
  const usual = Float32Array.from([...usualWith(9), 8, 1, 10, 1])
  const { sum, c } = scored(vector(amounts), usual)
  assert.ok(sum > 1 && Math.abs(of(c, 'drift_bytes') - sum / 3) < 1e-5)
  const stranger = scored(vector({ ...amounts, maturity: 0 }), usual).sum
  assert.ok(stranger > 0 && stranger < sum / 3)
  assert.equal(scored(vector(amounts), usualWith(9)).sum, 0)
})
