import { fastLn as ln, fastLog1p as log1p } from '../math/fast-ln.ts'
import type { Work } from '../work.ts'
import { bytesSurprise } from './bytes.ts'
import { isBytes, windowAt, windowCount } from './window-of.ts'

/**
 * Surprise of a current window value, nats; of counts here, of bytes in bytes.ts. Below the identity's record: minus the
 * logarithm of a Student-t-like upper tail, at most what n windows can tell. Above it: the record itself has probability
 * 1 / (n + 1), and beyond it the tail falls as a Pareto law whose exponent comes from the spread of the log values: a robot
 * that always made 5 calls and now makes 5,000 is as surprising as can be.
 * The mean is drawn towards the group's by a few windows; counting noise keeps constant robots from scoring at every jitter.
 */
export const windowSurprise = (w: Work, metric: number, value: number, group: Float32Array): number => {
  const x = log1p(value)
  if (isBytes(metric)) return bytesSurprise(w, metric, x, group)
  const f32 = w.seg.f32
  const at = windowAt(w.base, metric)
  const n = windowCount(w, metric)
  const groupWeight = group[metric * 3 + 2]! > 0 ? 3 : 1.5
  const total = n + groupWeight
  const mean = (n * f32[at + 1]! + groupWeight * group[metric * 3]!) / total
  const distance = x - mean
  if (distance <= 0) return 0
  const spread = (n * f32[at + 2]! + groupWeight * group[metric * 3 + 1]!) / total
  // In expectation of log counts: variance about 1 / count, hence the term for counting noise.
  const variance = spread * (1 + 1 / total) + 0.02 + 1 / (2 + mean * mean * mean)
  const body = studentNats((distance * distance) / variance)
  if (n < 3) return body
  const sparse = ln(n + 1)
  const beyond = x - Math.max(f32[at + 3]!, mean)
  if (beyond <= 0) return body < sparse ? body : sparse
  const exponent = Math.max(1, Math.min(4, 1 / Math.sqrt(variance)))
  return Math.min(20, Math.min(body, sparse) + exponent * beyond)
}

/** 3.5 ln(1 + z²/6), from a rational bound that needs no logarithm below one spread. */
export const studentNats = (zSquared: number): number => Math.min(20, 3.5 * log1p(zSquared / 6))
