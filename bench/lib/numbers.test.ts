import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auroc } from '../detection/adbench.ts'
import { averagePrecision } from '../detection/company.ts'
import { bootstrap, median, quantile, random } from './numbers.ts'

test('median and quantile of known values', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.equal(quantile([0, 10], 0.25), 2.5)
})

test('a bootstrap interval holds the mean, is narrower with more values, and repeats', () => {
  const few = Array.from({ length: 10 }, (_, i) => (i < 8 ? 1 : 0))
  const many = Array.from({ length: 1000 }, (_, i) => (i < 800 ? 1 : 0))
  const [a, b] = [bootstrap(few), bootstrap(many)]
  assert.ok(a[0] <= 0.8 && a[1] >= 0.8 && b[0] <= 0.8 && b[1] >= 0.8)
  assert.ok(b[1] - b[0] < a[1] - a[0])
  assert.deepEqual(bootstrap(few), a)
})

test('average precision and AUROC: perfect, reversed, all equal', () => {
  const rows = (scores: readonly number[]) => scores.map((score, i) => ({ score, positive: i < 2 }))
  assert.equal(averagePrecision(rows([4, 3, 2, 1])), 1)
  assert.equal(averagePrecision(rows([1, 1, 1, 1])), 0.5)
  assert.ok(Math.abs(averagePrecision(rows([1, 2, 3, 4])) - (1 / 3 + 2 / 4) / 2) < 1e-12)
  const of = (...s: number[]) => auroc(Float32Array.from(s), (i) => i < 2)
  assert.deepEqual([of(4, 3, 2, 1), of(1, 2, 3, 4), of(1, 1, 1, 1)], [100, 0, 50])
})

test('the generator stays in [0, 1) and repeats by seed', () => {
  const next = random(9)
  const values = Array.from({ length: 1000 }, next)
  assert.ok(values.every((x) => x >= 0 && x < 1))
  const again = random(9)
  assert.deepEqual(Array.from({ length: 1000 }, again), values)
})
