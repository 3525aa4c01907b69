export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Linear between the two nearest; NaN of nothing. */
export const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)] ?? Number.NaN
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] ?? below) - below)
}

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** 32-bit generator (mulberry32), 0 ≤ x < 1. The benches draw with it, so that a run can be repeated. */
export const random = (seed: number): (() => number) => {
  let s = seed | 0
  return () => {
    s = (s + 0x6d2b79f5) | 0
    let t = Math.imul(s ^ (s >>> 15), 1 | s)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** 95 % bootstrap interval of the mean, over `groups` drawn with replacement. NaN of nothing. */
export const bootstrap = (values: readonly number[], seed = 1, draws = 2000): readonly [number, number] => {
  const next = random(seed)
  const means = Array.from({ length: draws }, () => {
    let total = 0
    for (let i = 0; i < values.length; i++) total += values[Math.floor(next() * values.length)]!
    return total / values.length
  })
  return [quantile(means, 0.025), quantile(means, 0.975)]
}
