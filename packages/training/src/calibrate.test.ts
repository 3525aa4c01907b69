import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCalibration, MAX_TAIL_LOG10, tailLog10 } from '@plumbline/detector/calibration'
import { calibrate, fitParetoTail } from './calibrate.ts'
import { createRandom, type Random } from './random.ts'

const exponential = (r: Random) => -Math.log(1 - r.next())
const DISTRIBUTIONS: Record<string, (r: Random) => number> = {
  normal: (r) => r.normal(),
  exponential,
  uniform: (r) => r.next(),
  lognormal: (r) => Math.exp(r.normal()),
  'student t, 4 degrees': (r) => r.normal() / Math.sqrt((r.normal() ** 2 + r.normal() ** 2 + r.normal() ** 2 + r.normal() ** 2) / 4),
  'sum of 12 squares': (r) => Array.from({ length: 12 }, () => r.normal() ** 2).reduce((a, b) => a + b),
  'two populations': (r) => (r.next() < 0.97 ? 1 + 0.1 * r.normal() : 2 + exponential(r)),
  'half at zero': (r) => (r.next() < 0.5 ? 0 : exponential(r)),
}

for (const [name, draw] of Object.entries(DISTRIBUTIONS)) {
  test(`expected exceedances are observed on fresh scores: ${name}`, () => {
    const r = createRandom(11)
    const table = calibrate(Float32Array.from({ length: 200_000 }, () => draw(r)))
    const fresh = createRandom(12)
    const n = 400_000
    const seen = [0, 0, 0]
    for (let i = 0; i < n; i++) {
      const t = tailLog10(table, draw(fresh))
      for (let k = 0; k < 3; k++) if (t >= k + 2) seen[k]!++
    }
    seen.forEach((count, k) => {
      const ratio = count / (n * 10 ** -(k + 2))
      // The last thousandths before a hard end cannot be resolved from outside: there the table may only err towards quiet.
      const least = name === 'uniform' && k === 2 ? 0 : 0.5
      assert.ok(ratio >= least && ratio <= 2, `at 1e-${k + 2}: observed / expected = ${ratio}`)
    })
    assert.ok(table.length < 200)
  })
}

test('tails never fall as the score rises, and stay in range whatever comes', () => {
  const r = createRandom(3)
  for (const draw of Object.values(DISTRIBUTIONS)) {
    const table = calibrate(Float32Array.from({ length: 300 }, () => draw(r)))
    let last = 0
    for (let s = -20; s < 200; s += 0.07) {
      const t = tailLog10(table, s)
      assert.ok(t >= last && t <= MAX_TAIL_LOG10)
      last = t
    }
    assert.equal(tailLog10(table, Infinity), MAX_TAIL_LOG10)
    assert.equal(tailLog10(table, -Infinity), 0)
    assert.equal(tailLog10(table, NaN), 0)
  }
})

test('a stream of one single score is usual, anything above it is as rare as the history is long', () => {
  const table = calibrate(new Float32Array(999).fill(2.5))
  assert.equal(tailLog10(table, 2.5), 0)
  assert.ok(Math.abs(tailLog10(table, 2.5026) - 3) < 0.2)
  assert.equal(tailLog10(table, 1e9), MAX_TAIL_LOG10)
})

test('few distinct scores give few knots, not nonsense', () => {
  const r = createRandom(4)
  const table = calibrate(Float32Array.from({ length: 5000 }, () => Math.min(3, Math.floor(-Math.log2(1 - r.next()) / 3))))
  assert.equal(tailLog10(table, 0), 0)
  assert.ok(Math.abs(tailLog10(table, 1) - Math.log10(8)) < 0.2)
  assert.ok(tailLog10(table, 3) > 2 && tailLog10(table, 3) < 4)
})

test('the fit finds the shape of a generalised Pareto sample', () => {
  const r = createRandom(6)
  for (const shape of [-0.3, 0.001, 0.4]) {
    const sample = Float64Array.from({ length: 4000 }, () => (2 * ((1 - r.next()) ** -shape - 1)) / shape).sort()
    const fit = fitParetoTail(sample)
    assert.ok(Math.abs(fit.shape - shape) < 0.06, `${fit.shape} for ${shape}`)
    assert.ok(Math.abs(fit.scale - 2) < 0.15, `${fit.scale}`)
  }
})

test('damaged tables are refused', () => {
  const good = calibrate(Float32Array.from({ length: 100 }, (_, i) => i))
  for (const [at, value] of [
    [0, 2],
    [1, 3],
    [1, 1.5],
    [2, 1e9],
    [good.length - 1, -1],
    [good.length - 1, 99],
    [3, NaN],
  ] as const) {
    const bad = good.slice()
    bad[at] = value
    assert.throws(() => checkCalibration(bad), { code: 'CALIBRATION_INVALID' })
  }
  assert.throws(() => calibrate(new Float32Array(10)), { code: 'CALIBRATION_SCORES' })
  assert.throws(() => calibrate(new Float32Array(100).fill(NaN)), { code: 'CALIBRATION_SCORES' })
})
