import { A } from './layout.ts'

/**
 * Growth in steps too small for any day's threshold: hours in which something unusually large was sent, counted per day
 * against how many such hours the identity usually has, and summed over days while there are more (Page 1954, CUSUM). One
 * large day adds little, a week of them much; quiet days take it back.
 */

/** Nats of the size of one event from which on it was unusually large to send. */
export const LARGE_SEND = 4
/** Hours of a day that count at most: no single day can tell of growth. */
const MOST_HOURS = 4
/** Hours a day beyond the usual that are let pass. */
const SLACK = 0.75
/** Days known before there is a usual number. */
const KNOWN_DAYS = 4
/** Most that one day moves the usual number: who grows it slowly is seen before it is usual. */
const MOST_STEP = 0.1
const MEMORY_DAYS = 30
/** At this sum it has been told for days: what is now is the usual from here on, and the sum begins anew. */
const RESTART = 14

const bitsIn = (x: number): number => {
  let n = 0
  for (let left = x >>> 0; left !== 0; left &= left - 1) n++
  return n
}

/** @param at index of the anchor in words */
export const markLargeSend = (u32: Uint32Array, at: number, hourOfDay: number): void => {
  u32[at + (A.largeHours >> 2)]! |= 1 << hourOfDay
}

/** The sum of days up to now if something large is sent in this hour: in nats, for such sums exceed h about e^−h of the time. */
export const rampNats = (u32: Uint32Array, f32: Float32Array, at: number, hourOfDay: number): number => {
  if (f32[at + (A.days >> 2)]! < KNOWN_DAYS) return 0
  const today = Math.min(MOST_HOURS, bitsIn(u32[at + (A.largeHours >> 2)]! | (1 << hourOfDay)))
  return Math.max(0, f32[at + (A.ramp >> 2)]! + today - f32[at + (A.largeUsual >> 2)]! - SLACK)
}

/** Takes in a finished day that had events. Call before its days are counted up. */
export const foldRamp = (u32: Uint32Array, f32: Float32Array, at: number): void => {
  const days = f32[at + (A.days >> 2)]!
  const hours = Math.min(MOST_HOURS, bitsIn(u32[at + (A.largeHours >> 2)]!))
  const usualAt = at + (A.largeUsual >> 2)
  const sumAt = at + (A.ramp >> 2)
  u32[at + (A.largeHours >> 2)] = 0
  const usual = f32[usualAt]!
  const step = (hours - usual) / Math.min(days + 1, MEMORY_DAYS)
  f32[usualAt] = usual + (days < KNOWN_DAYS ? step : Math.min(MOST_STEP, step))
  if (days < KNOWN_DAYS) return
  const sum = Math.max(0, f32[sumAt]! + hours - usual - SLACK)
  const over = sum >= RESTART
  f32[sumAt] = over ? 0 : sum
  if (over) f32[usualAt] = hours
}
