import type { Segment } from './slots.ts'
import { bucketsOf, HISTOGRAM_BUCKETS, HISTOGRAM_TOTALS, HISTOGRAMS } from './layout.ts'

/** Buckets per octave: 32 buckets reach 2^40 (a terabyte, a month of milliseconds). */
const PER_OCTAVE = 0.8
const FULL = 60_000

/**
 * Position of a value on the bucket scale, 0 to 32: 0.8 × log2(1 + value), the logarithm linear inside an octave.
 * Monotone, exact, and made of integer operations and one division.
 */
export const bucketPosition = (value: number): number => {
  const v = value + 1
  let exponent = 0
  let mantissa = v
  if (v >= 4_294_967_296) {
    exponent = 32
    mantissa = v / 4_294_967_296
    if (mantissa >= 4_294_967_296) return HISTOGRAM_BUCKETS - 0.001
  }
  const whole = 31 - Math.clz32(mantissa)
  const fraction = mantissa / ((1 << whole) >>> 0) - 1
  return Math.min((exponent + whole + fraction) * PER_OCTAVE, HISTOGRAM_BUCKETS - 0.001)
}

/**
 * Probability that a value is at least as large (or as small) as the one at `position`, from the identity's own counts
 * drawn towards a prior worth `strength` observations. Beyond the largest value seen the tail falls by half per octave
 * (a Pareto tail with exponent 1), so a thousand times the record stays more surprising than twice the record.
 */
export const upperTail = (seg: Segment, base: number, which: number, position: number, prior: number, strength: number): number => {
  const u16 = seg.u16
  const at = (base + HISTOGRAMS + which * HISTOGRAM_BUCKETS * 2) >> 1
  const buckets = bucketsOf(which)
  const bucket = Math.min(Math.floor(position), buckets - 1)
  const total = seg.f32[((base + HISTOGRAM_TOTALS) >> 2) + which]!
  let above = 0
  for (let i = bucket + 1; i < buckets; i++) above += u16[at + i]!
  const here = u16[at + bucket]!
  // Where most values lie in one bucket they are alike: half of them lie above none of them.
  const share = 2 * here > total ? 1 : 1 - (position - bucket)
  const tail = (above + here * share + strength * prior) / (total + strength)
  if (above + here > 0 || total === 0) return tail
  let top = bucket - 1
  while (top >= 0 && u16[at + top] === 0) top--
  const beyond = position - (top + 1)
  return beyond > 0 ? tail / (1 + beyond * beyond + beyond / PER_OCTAVE) : tail
}

/** Whether the buckets tell no more of a value: nothing as large was met, or most are in the same bucket. */
export const isOpen = (seg: Segment, base: number, which: number, position: number): boolean => {
  const { u16 } = seg
  const at = (base + HISTOGRAMS + which * HISTOGRAM_BUCKETS * 2) >> 1
  const buckets = bucketsOf(which)
  const bucket = Math.min(Math.floor(position), buckets - 1)
  const here = u16[at + bucket]!
  if (2 * here > seg.f32[((base + HISTOGRAM_TOTALS) >> 2) + which]!) return true
  for (let i = bucket; i < buckets; i++) if (u16[at + i] !== 0) return false
  return true
}

export const lowerTail = (seg: Segment, base: number, which: number, position: number, prior: number, strength: number): number => {
  const u16 = seg.u16
  const at = (base + HISTOGRAMS + which * HISTOGRAM_BUCKETS * 2) >> 1
  const bucket = Math.floor(position)
  let below = u16[at + bucket]! * (position - bucket)
  for (let i = 0; i < bucket; i++) below += u16[at + i]!
  return (below + strength * prior) / (seg.f32[((base + HISTOGRAM_TOTALS) >> 2) + which]! + strength)
}

export const record = (seg: Segment, base: number, which: number, position: number): void => {
  const u16 = seg.u16
  const at = (base + HISTOGRAMS + which * HISTOGRAM_BUCKETS * 2) >> 1
  const totalAt = ((base + HISTOGRAM_TOTALS) >> 2) + which
  const buckets = bucketsOf(which)
  const bucket = at + Math.min(Math.floor(position), buckets - 1)
  seg.f32[totalAt]! += 1
  if (++u16[bucket]! < FULL) return
  let total = 0
  for (let i = 0; i < buckets; i++) total += u16[at + i] = u16[at + i]! >> 1
  seg.f32[totalAt] = total
}
