import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chanceOf } from './common.ts'

/** Sum of the probabilities of a negative binomial, by its recurrence. */
const tail = (k: number, mean: number, shape: number): number => {
  const p = mean / (shape + mean)
  let term = (1 - p) ** shape
  let below = 0
  for (let i = 0; i < k; i++) {
    below += term
    term *= (p * (shape + i)) / (i + 1)
  }
  return 1 - below
}

test('the chance of a crowd is the tail of a Poisson count with a gamma-distributed mean', () => {
  for (const [k, mean, shape] of [
    [3, 0.5, 0.5],
    [6, 2, 4],
    [12, 4, 1.5],
  ] as const)
    assert.ok(Math.abs(chanceOf(k, mean, shape) - tail(k, mean, shape)) < 1e-9, `${k} ${mean} ${shape}`)
  assert.equal(chanceOf(2, 5, 4), 1)
  assert.ok(chanceOf(400, 0.01, 0.5) >= 0 && chanceOf(400, 0.01, 0.5) < 1e-100)
  assert.ok(chanceOf(20, 4, 4) > chanceOf(20, 4, 40), 'less certain of the mean, less surprised')
})
