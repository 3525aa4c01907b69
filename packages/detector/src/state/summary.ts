import { IDENTITY_KINDS, OUTCOMES } from '@plumbline/schemas'
import { expm1 } from '../math/functions.ts'
import { countryCode } from './countries.ts'
import { maturityFrom } from '../3-features/maturity.ts'
import {
  ACTION_SETS,
  ACTIONS,
  CLASS_SETS,
  CLASSES,
  DESTINATION_SETS,
  DESTINATIONS,
  H,
  HOURS,
  NETWORK_SETS,
  NETWORKS,
  SE,
  SESSION_BYTES,
  SESSION_COUNT,
  SESSIONS,
  SLOT_FLAGS,
  W,
  W_DAY,
  W_HOUR,
  WINDOW_COUNTS,
  WINDOW_VALUES,
} from './layout.ts'
import { segmentOf } from './pack.ts'
import type { Segment } from './slots.ts'

/** What is usual in a window, and the most that there was: of all completed windows that had events. */
export interface UsualValue {
  readonly metric: string
  readonly window: 'minute' | 'hour' | 'day'
  readonly unit: 'events' | 'bytes' | 'names'
  readonly usual: number
  readonly largest: number
}

/** A baseline in words that a person can read. Names are kept as keyed hashes, so only their number can be told. */
export interface BaselineSummary {
  readonly kind: (typeof IDENTITY_KINDS)[number]
  readonly firstSeenMs: number
  readonly lastSeenMs: number
  /** All events, and how many of them the baseline stands for by now: old ones count less. */
  readonly events: number
  readonly learned: number
  readonly activeDays: number
  /** 0 for a stranger, towards 1: how much the baseline can be relied on. */
  readonly maturity: number
  /** 0–100, as it was at `riskAtMs`; it halves with time. */
  readonly risk: number
  readonly riskAtMs: number
  /** A verdict keeps it from learning. */
  readonly frozen: boolean
  /** Different names that it remembers now. */
  readonly remembers: { readonly actions: number; readonly classes: number; readonly destinations: number; readonly networks: number }
  /** Shares of the outcomes, of learned events. */
  readonly outcomes: Readonly<Record<(typeof OUTCOMES)[number], number>>
  /** Two letters; null unknown. */
  readonly country: string | null
  readonly openSessions: number
  /** Days with activity per hour of the week, hour 0 is Monday 00:00 UTC. */
  readonly hoursOfWeek: readonly number[]
  readonly usual: readonly UsualValue[]
}

const METRICS: readonly { readonly at: number; readonly metric: string; readonly unit: UsualValue['unit'] }[] = [
  { at: W.eventsMinute, metric: 'events', unit: 'events' },
  { at: W.bytesOutMinute, metric: 'sent', unit: 'bytes' },
  { at: W.eventsHour, metric: 'events', unit: 'events' },
  { at: W.bytesOutHour, metric: 'sent', unit: 'bytes' },
  { at: W.bytesInHour, metric: 'received', unit: 'bytes' },
  { at: W.failuresHour, metric: 'failures', unit: 'events' },
  { at: W.deniedHour, metric: 'denied', unit: 'events' },
  { at: W.sensitiveHour, metric: 'sensitive', unit: 'events' },
  { at: W.resourcesHour, metric: 'resources', unit: 'names' },
  { at: W.sourcesHour, metric: 'networks', unit: 'names' },
  { at: W.eventsDay, metric: 'events', unit: 'events' },
  { at: W.bytesOutDay, metric: 'sent', unit: 'bytes' },
  { at: W.bytesInDay, metric: 'received', unit: 'bytes' },
  { at: W.externalDay, metric: 'to outside', unit: 'events' },
]

const windowOf = (metric: number): UsualValue['window'] => (metric < W_HOUR ? 'minute' : metric < W_DAY ? 'hour' : 'day')
const windowNumber = (metric: number): number => (metric < W_HOUR ? 0 : metric < W_DAY ? 1 : 2)

/** Entries of a counting table (tables.ts). */
const entriesOf = ({ u32 }: Segment, table: number, sets: number): number => {
  let entries = 0
  for (let set = 0; set < sets; set++) for (let i = 0; i < 8; i++) if (u32[((table + set * 64) >> 2) + i] !== 0) entries++
  return entries
}

const usualValues = ({ f32 }: Segment): UsualValue[] =>
  METRICS.filter(({ at }) => f32[(WINDOW_COUNTS >> 2) + windowNumber(at)]! > 0).map(({ at, metric, unit }) => ({
    metric,
    window: windowOf(at),
    unit,
    usual: expm1(f32[((WINDOW_VALUES + at * 16) >> 2) + 1]!),
    largest: expm1(f32[((WINDOW_VALUES + at * 16) >> 2) + 3]!),
  }))

/** Reads a packed slot. Throws STATE_DAMAGED or STATE_VERSION. */
export const summariseSlot = (packed: Uint8Array): BaselineSummary => {
  const seg = segmentOf(packed)
  const { u8, u16, u32, f32, f64 } = seg
  const counts = OUTCOMES.map((_, i) => f32[(H.outcomes >> 2) + i]!)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const sessions = Array.from({ length: SESSION_COUNT }, (_, i) => u32[(SESSIONS + i * SESSION_BYTES + SE.hash) >> 2]!)
  return {
    kind: IDENTITY_KINDS[u8[H.kind]!] ?? 'agent',
    firstSeenMs: f64[H.firstTime >> 3]!,
    lastSeenMs: f64[H.lastTime >> 3]!,
    events: f32[H.seen >> 2]!,
    learned: f32[H.learned >> 2]!,
    activeDays: f32[H.activeDays >> 2]!,
    maturity: maturityFrom(f32[H.learned >> 2]!, f32[H.activeDays >> 2]!),
    risk: f32[H.risk >> 2]!,
    riskAtMs: u32[H.riskAtS >> 2]! * 1000,
    frozen: (u16[H.flags >> 1]! & SLOT_FLAGS.frozen) !== 0,
    remembers: {
      actions: entriesOf(seg, ACTIONS, ACTION_SETS),
      classes: entriesOf(seg, CLASSES, CLASS_SETS),
      destinations: entriesOf(seg, DESTINATIONS, DESTINATION_SETS),
      networks: entriesOf(seg, NETWORKS, NETWORK_SETS),
    },
    outcomes: Object.fromEntries(OUTCOMES.map((name, i) => [name, total === 0 ? 0 : counts[i]! / total])) as BaselineSummary['outcomes'],
    country: countryCode(u16[H.country >> 1]!) || null,
    openSessions: sessions.filter((hash) => hash !== 0).length,
    hoursOfWeek: [...u8.subarray(HOURS, HOURS + 168)],
    usual: usualValues(seg),
  }
}
