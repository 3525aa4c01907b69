import { LEVEL, LEVEL_USUAL } from './layout.ts'
import type { Segment } from './slots.ts'

/**
 * A shift of the level: hours that each send a little more than is usual at their time of day, none of them much, summed up
 * while they go on (Page 1954, CUSUM). What such a sum usually rises to is learned: whose busy hours come in rows is used to it.
 */

/** Spreads above the expected that every hour may have. */
const SLACK = 0.75
/** Spreads that one hour counts at most, either way: a single hour is for the windows to judge. */
const MOST_HOUR = 3
/** The sum goes no higher, so that a shift that ended is forgotten within a day. */
const MOST_SUM = 12
/** How high a sum stands on average where hours are independent, and how many hours that belief is worth. */
const USUAL_SUM = 0.25
const USUAL_WORTH = 50
const MEMORY_HOURS = 500
/** What an hour adds to the usual at most: a shift must not be what is usual while it is told. */
const MOST_USUAL = 2
const UNIT = 16
/** The usual moves in small steps: a unit as coarse as that of the sum would round all of them away. */
const FINE = 5000

const sumOf = (seg: Segment, base: number): number => seg.u8[base + LEVEL]! / UNIT
const usualOf = (seg: Segment, base: number, hours: number): number => {
  const n = Math.min(hours, MEMORY_HOURS)
  return (n * (seg.u16[(base + LEVEL_USUAL) >> 1]! / FINE) + USUAL_WORTH * USUAL_SUM) / (n + USUAL_WORTH)
}

const bounded = (z: number): number => (z > MOST_HOUR ? MOST_HOUR : z < -MOST_HOUR ? -MOST_HOUR : z)

/**
 * Takes in a finished hour that lay `z` spreads above what was expected. What an alert was raised in says nothing of how
 * high the sum usually stands.
 */
export const foldLevel = (seg: Segment, base: number, z: number, hours: number, tainted = false): void => {
  const sum = Math.min(MOST_SUM, Math.max(0, sumOf(seg, base) + bounded(z) - SLACK))
  seg.u8[base + LEVEL] = Math.round(sum * UNIT)
  if (tainted) return
  const at = (base + LEVEL_USUAL) >> 1
  const usual = seg.u16[at]! / FINE
  seg.u16[at] = Math.round((usual + (Math.min(sum, MOST_USUAL) - usual) / Math.min(hours + 1, MEMORY_HOURS)) * FINE)
}

/** Forgets the hours so far: those to come are of another run of time. */
export const startLevel = (seg: Segment, base: number): void => void (seg.u8[base + LEVEL] = 0)

/**
 * Nats of the sum if the current hour ends as it stands. Of independent hours such a sum exceeds h about e^(−2 × slack × h) of
 * the time; where it usually stands higher, so much more rarely is it told.
 */
export const levelNats = (seg: Segment, base: number, z: number, hours: number): number => {
  if (z <= SLACK) return 0
  const sum = Math.min(MOST_SUM, sumOf(seg, base) + bounded(z) - SLACK)
  return (2 * SLACK * sum * USUAL_SUM) / Math.max(USUAL_SUM, usualOf(seg, base, hours))
}
