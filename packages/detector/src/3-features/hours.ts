import { fastLn as ln } from '../math/fast-ln.ts'
import type { GroupStats } from '../state/groups.ts'
import { indexOf } from '../state/index-of.ts'
import { H, HOURS, HOURS_TOTAL, WINDOWS } from '../state/layout.ts'
import type { Work } from '../work.ts'

const HOUR_OWN = indexOf('hour_own')
const HOUR_PEER = indexOf('hour_peer')
const HOUR_SIN = indexOf('hour_sin')

const DAY_MS = 86_400_000

/** Sine of 2π × hour / 24, rounded: the detector has no sine of its own and needs none. */
const SINES = [0, 0.258819, 0.5, 0.707107, 0.866025, 0.965926, 1, 0.965926, 0.866025, 0.707107, 0.5, 0.258819]
const sine = (hour: number): number => (hour < 12 ? SINES[hour]! : -SINES[hour - 12]!)

/** What activity at hours close by says of this one, by distance: on the same weekday, and on other days of its kind. */
const NEAR = [1, 0.75, 0.4] as const
const NEAR_SUM = NEAR[0] + 2 * (NEAR[1] + NEAR[2])
const ELSE = [0.6, 0.5, 0.3] as const
const ELSE_SUM = ELSE[0] + 2 * (ELSE[1] + ELSE[2])
/** What the group's profile is worth, in active hours to be expected around this one. */
const PEERS_WORTH = 0.3

const nats = (p: number): number => {
  if (p >= 1) return 0
  const v = -ln(p)
  return v > 20 ? 20 : v
}

/**
 * Hour of the week against the identity's habit: how active it was around this hour, on this weekday and on days of its kind,
 * against what is to be expected if all hours were alike, drawn towards its peers. Weekdays that it has not lived through
 * yet say nothing.
 */
export const hourFeatures = (w: Work, group: GroupStats): void => {
  const { features: x, seg, base } = w
  const h = w.hourOfWeek
  const peer = group.hours[h]! * 168
  const total = seg.f32[(base + HOURS_TOTAL) >> 2]!
  x[HOUR_OWN] = total === 0 ? nats(peer) : ownNats(w, h, peer, total * shareAround(w, h) + PEERS_WORTH)
  x[HOUR_PEER] = nats(peer)
  x[HOUR_SIN] = sine(h % 24)
  x[HOUR_SIN + 1] = sine(((h % 24) + 6) % 24)
}

/** Weighed days with activity around the hour against those expected; what this weekday has is mostly enough to tell that it is usual. */
const ownNats = (w: Work, h: number, peer: number, expected: number): number => {
  const { u8 } = w.seg
  const at = w.base + HOURS
  const hour = h % 24
  // Only the first and last hours of a week reach around its end.
  const inside = hour >= 2 && hour < 22
  let mass = PEERS_WORTH * peer + (inside ? sumNear(u8, at + h) : sumAcross(u8, at, h, NEAR))
  if (mass >= expected) return 0
  const last = h >= 120 ? 168 : 120
  for (let i = h >= 120 ? 120 + hour : hour; i < last; i += 24)
    if (i !== h) mass += inside ? sumElse(u8, at + i) : sumAcross(u8, at, i, ELSE)
  return nats(mass / expected)
}

const sumNear = (u8: Uint8Array, i: number): number => u8[i]! + NEAR[1] * (u8[i - 1]! + u8[i + 1]!) + NEAR[2] * (u8[i - 2]! + u8[i + 2]!)
const sumElse = (u8: Uint8Array, i: number): number =>
  ELSE[0] * u8[i]! + ELSE[1] * (u8[i - 1]! + u8[i + 1]!) + ELSE[2] * (u8[i - 2]! + u8[i + 2]!)
const sumAcross = (u8: Uint8Array, at: number, i: number, weights: readonly [number, number, number]): number => {
  const of = (by: number): number => u8[at + ((i + by + 168) % 168)]!
  return weights[0] * u8[at + i]! + weights[1] * (of(-1) + of(1)) + weights[2] * (of(-2) + of(2))
}

/** Of the days beyond whole weeks, so many (0 to 6) from so a weekday on, how many lie on a weekend: at weekday × 7 + days. */
const WEEKEND_DAYS = Uint8Array.from({ length: 49 }, (_, i) => {
  let n = 0
  for (let day = 0; day < i % 7; day++) if ((Math.floor(i / 7) + day) % 7 >= 5) n++
  return n
})

/** Share of all the identity's active hours that would lie around this one if all hours since its first were alike. */
const shareAround = (w: Work, h: number): number => {
  const firstDay = Math.floor(w.seg.f64[(w.base + H.firstTime) >> 3]! / DAY_MS)
  const days = w.seg.u32[((w.base + WINDOWS) >> 2) + 2]! - firstDay
  if (days <= 0) return 0
  const weekday = Math.floor(h / 24)
  const weeks = Math.floor(days / 7)
  const rest = days - 7 * weeks
  // 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
  const start = (firstDay + 3) % 7
  const onWeekend = WEEKEND_DAYS[start * 7 + rest]!
  const same = weeks + ((weekday - start + 7) % 7 < rest ? 1 : 0)
  const alike = weekday >= 5 ? 2 * weeks + onWeekend : 5 * weeks + rest - onWeekend
  return (same * NEAR_SUM + (alike - same) * ELSE_SUM) / (24 * days)
}
