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
  const v = -ln(p)
  return v > 20 ? 20 : v < 0 ? 0 : v
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
  x[HOUR_OWN] = nats(total === 0 ? peer : (around(w, h) + PEERS_WORTH * peer) / (total * shareAround(w, h) + PEERS_WORTH))
  x[HOUR_PEER] = nats(peer)
  x[HOUR_SIN] = sine(h % 24)
  x[HOUR_SIN + 1] = sine(((h % 24) + 6) % 24)
}

/** Weighed days with activity around the hour. */
const around = (w: Work, h: number): number => {
  const u8 = w.seg.u8
  const at = w.base + HOURS
  const hour = h % 24
  const first = h >= 120 ? 120 : 0
  const last = h >= 120 ? 168 : 120
  let mass = 0
  for (let day = first; day < last; day += 24) {
    const weights = day === h - hour ? NEAR : ELSE
    mass += weights[0] * u8[at + day + hour]!
    for (let by = 1; by <= 2; by++) mass += weights[by]! * (u8[at + ((day + hour + by) % 168)]! + u8[at + ((day + hour + 168 - by) % 168)]!)
  }
  return mass
}

/** Share of all the identity's active hours that would lie around this one if all hours since its first were alike. */
const shareAround = (w: Work, h: number): number => {
  const firstDay = Math.floor(w.seg.f64[(w.base + H.firstTime) >> 3]! / DAY_MS)
  const days = w.seg.u32[((w.base + WINDOWS) >> 2) + 2]! - firstDay
  if (days <= 0) return 0
  const weekday = Math.floor(h / 24)
  const weekend = weekday >= 5
  const weeks = Math.floor(days / 7)
  let same = weeks
  let alike = weeks * (weekend ? 2 : 5)
  // 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
  for (let day = firstDay + 7 * weeks; day < firstDay + days; day++) {
    const which = (day + 3) % 7
    if (which === weekday) same++
    if (which >= 5 === weekend) alike++
  }
  return (same * NEAR_SUM + (alike - same) * ELSE_SUM) / (24 * days)
}
