import { HOURS, profileAt } from './layout.ts'
import type { Segment } from './slots.ts'

/**
 * What an identity sends in an hour of the day (UTC) beside what it sends in all, in the logarithm: a nightly batch is usual at
 * night and nowhere else. An i8 each; a factor of e^4 either way is the most that is told apart.
 */
const UNIT = 32
const MOST = 127
/** Days whose average an hour keeps. */
const MEMORY_DAYS = 6

export const hourOfDay = (timeMs: number): number => Math.floor(timeMs / 3_600_000) % 24

const signed = (byte: number): number => (byte << 24) >> 24

/** Logarithm of what is sent in that hour of the day, beside the mean of all hours. */
export const profileOf = (seg: Segment, base: number, hour: number): number => signed(seg.u8[base + profileAt(hour)]!) / UNIT

/** Days on which the identity was active in that hour of the day. */
const daysSeen = (seg: Segment, base: number, hour: number): number => {
  let days = 0
  for (let h = base + HOURS + hour; h < base + HOURS + 168; h += 24) days += seg.u8[h]!
  return days
}

/** Takes in by how much a finished hour lay beside its profile. What rounding takes away is noise: alike hours stay at 0. */
export const learnProfile = (seg: Segment, base: number, hour: number, beside: number): void => {
  const i = base + profileAt(hour)
  const moved = signed(seg.u8[i]!) + Math.round((beside * UNIT) / Math.min(MEMORY_DAYS, daysSeen(seg, base, hour) + 2))
  seg.u8[i] = moved > MOST ? MOST : moved < -MOST ? -MOST : moved
}
