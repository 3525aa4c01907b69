import { IDENTITY_KINDS, type IdentityKind } from '@plumbline/schemas'
import { expm1 } from '../../math/functions.ts'
import { A, ANCHOR, GROUP_BYTES, GROUP_COUNT, GROUPS, H, HOURS, W, WINDOW_COUNTS, WINDOW_VALUES } from '../../state/layout.ts'
import { packSlot, segmentOf } from '../../state/pack.ts'
import type { Segment } from '../../state/slots.ts'

const HOUR_MS = 3_600_000
const WEEK_HOURS = 168

/** What a packed slot says of how its identity works: when, how much, in how long sessions. */
export interface Habits {
  readonly kind: IdentityKind
  readonly lastMs: number
  /** Start of the next hour at which it is usually active, ms since epoch. */
  readonly usualHourMs: number
  /** Start of the next hour at which it never is; null where there is none. */
  readonly oddHourMs: number | null
  readonly actsPerHour: number
  readonly actsPerSession: number
  /** Usual value of an hour's window; null before the first was complete. */
  readonly usualOf: (metric: number) => number | null
}

/** Hours beside one in which activity makes it usual too, and what they count. */
const NEAR = [1, 0.75, 0.4] as const
/** Share of the busiest hour's activity that makes an hour usual, and up to which it is one of no activity. */
const USUAL_SHARE = 0.5
const ODD_SHARE = 0.02
/** Sessions of an identity from which on their length is known, and what is taken before. */
const KNOWN_SESSIONS = 3
const UNKNOWN_SESSION = 10

export const habitsOf = (packed: Uint8Array): Habits => {
  const { u8, u32, f32, f64 } = segmentOf(packed)
  const lastMs = f64[H.lastTime >> 3]!
  const hours = [...u8.subarray(HOURS, HOURS + WEEK_HOURS)]
  const next = Math.floor(lastMs / HOUR_MS) + 1
  const sessions = f32[(ANCHOR + A.sessions) >> 2]!
  const usualOf = (metric: number): number | null =>
    f32[(WINDOW_COUNTS >> 2) + 1]! > 0 ? expm1(f32[((WINDOW_VALUES + metric * 16) >> 2) + 1]!) : null
  // The first hour is current until another begins.
  const current = u32[H.firstTime >> 2] === 0 ? 0 : f32[(WINDOW_VALUES + W.eventsHour * 16) >> 2]!
  return {
    kind: IDENTITY_KINDS[u8[H.kind]!] ?? 'agent',
    lastMs,
    ...hoursOf(hours, next),
    actsPerHour: Math.max(1, Math.round(usualOf(W.eventsHour) ?? current)),
    actsPerSession: sessions < KNOWN_SESSIONS ? UNKNOWN_SESSION : Math.max(1, Math.round(expm1(f32[(ANCHOR + A.sessionMean) >> 2]!))),
    usualOf,
  }
}

/** Activity around an hour of the week, on its own weekday and less so on the others of its kind. */
const activityAt = (hours: readonly number[], hour: number): number => {
  const around = (h: number): number =>
    NEAR.reduce((sum, weight, by) => {
      const after = hours[(h + by) % WEEK_HOURS]!
      return sum + weight * (by === 0 ? after : after + hours[(h - by + WEEK_HOURS) % WEEK_HOURS]!)
    }, 0)
  const [from, to] = hour >= 120 ? [120, WEEK_HOURS] : [0, 120]
  let sum = around(hour)
  for (let h = from + (hour % 24); h < to; h += 24) if (h !== hour) sum += 0.5 * around(h)
  return sum
}

/** `next`: number of the first hour that may be taken, since 1970 (a Thursday; hour 0 of the week is Monday 00:00 UTC). */
const hoursOf = (hours: readonly number[], next: number): Pick<Habits, 'usualHourMs' | 'oddHourMs'> => {
  const ahead = Array.from({ length: WEEK_HOURS }, (_, i) => activityAt(hours, (next + i + 72) % WEEK_HOURS))
  const most = Math.max(...ahead)
  const usual = ahead.findIndex((activity) => activity >= USUAL_SHARE * most)
  const odd = most === 0 ? -1 : ahead.findIndex((activity) => activity <= ODD_SHARE * most)
  return { usualHourMs: (next + usual) * HOUR_MS, oddHourMs: odd < 0 ? null : (next + odd) * HOUR_MS }
}

/** The same slot with no alert group open: what is tried is told as news, not counted to what goes on already. */
export const withoutOpenGroups = (packed: Uint8Array): Uint8Array => {
  const seg: Segment = segmentOf(packed)
  seg.u8.fill(0, GROUPS, GROUPS + GROUP_COUNT * GROUP_BYTES)
  return packSlot(seg, 0)
}
