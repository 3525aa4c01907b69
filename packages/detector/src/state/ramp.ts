import { fastLn as ln } from '../math/fast-ln.ts'
import { A, H, HG, HISTOGRAM_TOTALS } from './layout.ts'
import type { Segment } from './slots.ts'

/**
 * Growth in steps too small for any day's threshold: unusually large sends, counted per day (those within ten minutes once)
 * against how many the identity usually has, and summed over days while there are more (Page 1954, CUSUM). One
 * large day adds little, a week of them much; quiet days take it back.
 */

/** Nats from which on a send can be unusually large, and from which on it is whoever sends it. */
const LARGE_SEND = 4
const ALWAYS_LARGE = 6.5
/** Beyond the sends of a day: of so many, the identity itself makes one as large every other day. */
const BEYOND_DAY = 0.75
/** Where it goes speaks as well, by half of what exceeds so many nats: large things mostly go where they always go. */
const RARE_PLACE = 2
const PLACE_SHARE = 0.5

/**
 * Whether a send whose size and place have so many nats is one that a day of this identity hardly ever has: of a hundred
 * sends a day two have four nats by chance, and would hide a few that are not.
 */
export const isLargeSend = ({ f32 }: Segment, base: number, size: number, place: number): boolean => {
  const nats = size + (place > RARE_PLACE ? PLACE_SHARE * (place - RARE_PLACE) : 0)
  if (size < LARGE_SEND || nats >= ALWAYS_LARGE) return size >= LARGE_SEND
  const perDay = f32[((base + HISTOGRAM_TOTALS) >> 2) + HG.bytesOut]! / (f32[(base + H.activeDays) >> 2]! + 1)
  return perDay < 1 || nats >= ln(perDay) + BEYOND_DAY
}
/** Sends of a day that count at most: no single day can tell of growth. */
const MOST_SENDS = 4
/** Sends a day beyond the usual that are let pass. */
const SLACK = 0.75
/** Days known before there is a usual number. */
const KNOWN_DAYS = 4
/** Most that one day moves the usual number: who grows it slowly is seen before it is usual. */
const MOST_STEP = 0.1
/** Who comes to send large things more often is soon known for it by their sizes: more than this is learned only once it was told. */
const MOST_USUAL = 1
const MEMORY_DAYS = 30
/** At this sum it has been told for days: what is now is the usual from here on, and the sum begins anew. */
const RESTART = 14

/** The day's count stands in the low byte, above it the ten minutes of the last one, from 1. */
const COUNT = 0xff
const slotOf = (timeMs: number): number => 1 + Math.floor((timeMs % 86_400_000) / 600_000)
const countWith = (kept: number, timeMs: number): number =>
  kept >>> 8 === slotOf(timeMs) ? kept & COUNT : Math.min(MOST_SENDS, (kept & COUNT) + 1)

/** @param at index of the anchor in words */
export const markLargeSend = (u32: Uint32Array, at: number, timeMs: number): void => {
  const i = at + (A.largeToday >> 2)
  u32[i] = countWith(u32[i]!, timeMs) | (slotOf(timeMs) << 8)
}

/** The sum of days up to now if something large is sent now: in nats, for such sums exceed h about e^−h of the time. */
export const rampNats = (u32: Uint32Array, f32: Float32Array, at: number, timeMs: number): number => {
  if (f32[at + (A.days >> 2)]! < KNOWN_DAYS) return 0
  const today = countWith(u32[at + (A.largeToday >> 2)]!, timeMs)
  return Math.max(0, f32[at + (A.ramp >> 2)]! + today - f32[at + (A.largeUsual >> 2)]! - SLACK)
}

/** Takes in a finished day that had events. Call before its days are counted up. */
export const foldRamp = (u32: Uint32Array, f32: Float32Array, at: number): void => {
  const days = f32[at + (A.days >> 2)]!
  const sends = u32[at + (A.largeToday >> 2)]! & COUNT
  const usualAt = at + (A.largeUsual >> 2)
  const sumAt = at + (A.ramp >> 2)
  u32[at + (A.largeToday >> 2)] = 0
  const usual = f32[usualAt]!
  const step = (sends - usual) / Math.min(days + 1, MEMORY_DAYS)
  f32[usualAt] = days < KNOWN_DAYS ? usual + step : Math.min(usual + Math.min(MOST_STEP, step), Math.max(usual, MOST_USUAL))
  if (days < KNOWN_DAYS) return
  const sum = Math.max(0, f32[sumAt]! + sends - usual - SLACK)
  const over = sum >= RESTART
  f32[sumAt] = over ? 0 : sum
  if (over) f32[usualAt] = sends
}
