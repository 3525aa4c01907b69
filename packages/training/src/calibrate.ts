import { CALIBRATION_VERSION, checkCalibration, MAX_TAIL_LOG10, type CalibrationTable } from '@plumbline/detector/calibration'
import { PlumblineError } from '@plumbline/schemas'

/** Scores needed for a table that says anything about rare events. */
export const MIN_CALIBRATION_SCORES = 50
/** Knots per factor of ten in probability. */
const KNOTS_PER_DECADE = 8
/** The fitted tail is written down to this −log10 p; beyond, its last line goes on. */
const TAIL_END = 8
/** The fit may not end in a wall closer than this shape gives, nor be heavier than that. */
const SHAPE_RANGE = [-1.2, 1] as const
/** Observations' worth of belief in an exponential tail: scores that are sums of surprises have one. */
const SHAPE_PRIOR = 40

/** Generalised Pareto distribution of excesses: p(y) = (1 + shape × y / scale)^(−1/shape). */
export interface ParetoTail {
  readonly shape: number
  readonly scale: number
}

/**
 * Fit after Zhang & Stephens (2009), "A New and Efficient Estimation Method for the Generalized Pareto Distribution",
 * Technometrics 51(3): a quasi-Bayesian mean over a grid of profile likelihoods; no iteration that could fail to converge.
 * The shape is drawn towards 0 (exponential). `excesses` rise and are positive.
 */
export const fitParetoTail = (excesses: Float64Array): ParetoTail => {
  const n = excesses.length
  const largest = excesses[n - 1]!
  const quarter = excesses[Math.floor(n / 4 + 0.5) - 1]!
  if (n < 5 || !(quarter > 0) || largest / quarter < 1 + 1e-9) {
    return { shape: 0, scale: Math.max(excesses.reduce((a, b) => a + b, 0) / Math.max(1, n), Number.MIN_VALUE) }
  }
  const meanLog = (theta: number): number => {
    let sum = 0
    for (const y of excesses) sum += Math.log1p(-theta * y)
    return sum / n
  }
  const points = 30 + Math.floor(Math.sqrt(n))
  const thetas = new Float64Array(points)
  const likelihood = new Float64Array(points)
  for (let j = 0; j < points; j++) {
    const theta = 1 / largest + (1 - Math.sqrt(points / (j + 0.5))) / (3 * quarter)
    const k = meanLog(theta)
    thetas[j] = theta
    likelihood[j] = n * (Math.log(-theta / k) - k - 1)
  }
  const top = likelihood.reduce((a, b) => Math.max(a, b), -Infinity)
  let weight = 0
  let theta = 0
  for (let j = 0; j < points; j++) {
    const w = Math.exp(likelihood[j]! - top)
    if (!Number.isFinite(w)) continue
    weight += w
    theta += w * thetas[j]!
  }
  theta /= weight
  const raw = meanLog(theta)
  // A tail that clearly ends is left as it is: the slightest pull outwards would put its end beyond all scores.
  const prior = SHAPE_PRIOR * Math.min(1, Math.max(0, 1 + 2 * raw))
  const shape = Math.min(SHAPE_RANGE[1], Math.max(SHAPE_RANGE[0], (raw * n) / (n + prior)))
  // Moving the shape must not move the middle of the tail: the scale follows so that the 90 % quantile stays.
  const middle = paretoExcess({ shape: raw, scale: theta === 0 ? excesses.reduce((a, b) => a + b, 0) / n : -raw / theta }, 0.1)
  return { shape, scale: middle / paretoExcess({ shape, scale: 1 }, 0.1) }
}

/** Excess over the threshold that is exceeded with probability `p` given that the threshold is. */
const paretoExcess = ({ shape, scale }: ParetoTail, p: number): number =>
  Math.abs(shape) < 1e-6 ? -scale * Math.log(p) : (scale * Math.expm1(-shape * Math.log(p))) / shape

/**
 * Table of tail probabilities from recorded scores: empirical quantiles in the body, a generalised Pareto fit above the
 * 98 % quantile (higher when there are many scores, lower when there are few). Equal scores get the probability of
 * "at least this much", so a score that half of all events share is usual, not rare.
 * Throws `CALIBRATION_SCORES` for fewer than MIN_CALIBRATION_SCORES or values that are not finite.
 */
export const calibrate = (scores: Float32Array): CalibrationTable => {
  const n = scores.length
  if (n < MIN_CALIBRATION_SCORES || !scores.every(Number.isFinite)) {
    throw new PlumblineError('CALIBRATION_SCORES', `Calibration needs at least ${MIN_CALIBRATION_SCORES} finite scores.`)
  }
  const sorted = Float32Array.from(scores).sort()
  const tailShare = Math.min(0.5, Math.max(Math.min(0.02, 1000 / n), Math.min(0.1, 250 / n), 30 / n))
  const threshold = sorted[Math.floor(n * (1 - tailShare))]!
  const aboveAt = firstAbove(sorted, threshold)
  const share = (n - aboveAt) / n

  const knots: [number, number][] = [[sorted[0]!, 0]]
  const bodyEnd = -Math.log10(tailShare)
  for (let t = 1 / KNOTS_PER_DECADE; t < bodyEnd; t += 1 / KNOTS_PER_DECADE) {
    const score = sorted[Math.min(n - 1, Math.floor(n * (1 - 10 ** -t)))]!
    knots.push([score, -Math.log10((n - firstAtLeast(sorted, score)) / n)])
  }
  if (share > 0)
    addTail(
      knots,
      Float64Array.from(sorted.subarray(aboveAt), (s) => s - threshold),
      threshold,
      share,
    )
  knots.push(...ending(knots, sorted[n - 1]!, n))
  return pack(knots)
}

const addTail = (knots: [number, number][], excesses: Float64Array, threshold: number, share: number): void => {
  const start = -Math.log10(share)
  knots.push([threshold, start])
  const fit = fitParetoTail(excesses)
  for (let t = start + 1 / KNOTS_PER_DECADE; t <= TAIL_END; t += 1 / KNOTS_PER_DECADE) {
    knots.push([threshold + paretoExcess(fit, 10 ** (start - t)), t])
  }
}

/** With one distinct score there is no line to go on: the first score above it is as improbable as n events without one say. */
const ending = (knots: readonly [number, number][], largest: number, n: number): [number, number][] =>
  knots.some(([score]) => score > largest) ? [] : [[largest + Math.max(1e-3, Math.abs(largest) * 1e-3), Math.log10(n + 1)]]

/** Rounds to float32, keeps the more usual of knots with equal scores, and forces both columns to rise. */
const pack = (knots: readonly [number, number][]): CalibrationTable => {
  const kept: [number, number][] = []
  for (const [score, tail] of knots) {
    const s = Math.fround(score)
    const t = Math.fround(Math.min(MAX_TAIL_LOG10, Math.max(0, tail)))
    const last = kept.at(-1)
    if (!Number.isFinite(s) || (last !== undefined && (s <= last[0] || t < last[1]))) continue
    kept.push([s, t])
  }
  const table = Float32Array.from([CALIBRATION_VERSION, kept.length, ...kept.map(([s]) => s), ...kept.map(([, t]) => t)])
  checkCalibration(table)
  return table
}

const bisect = (sorted: Float32Array, below: (s: number) => boolean): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (below(sorted[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}
const firstAtLeast = (sorted: Float32Array, score: number): number => bisect(sorted, (s) => s < score)
const firstAbove = (sorted: Float32Array, score: number): number => bisect(sorted, (s) => s <= score)
