import type { Quantity, Reason } from '@plumbline/schemas'
import { expm1 } from '../math/functions.ts'
import { N } from '../record.ts'
import { A, ANCHOR, W } from '../state/layout.ts'
import { indexOf } from '../state/index-of.ts'
import { hourOfDay, profileOf } from '../state/profile.ts'
import { windowCount, windowMean, windowValue } from '../state/window-of.ts'
import type { Work } from '../work.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

/** What a reason is about and how much: `observed` is always of `object`, or of everything the identity did. */
export type Detail = Omit<Reason, 'family' | 'feature' | 'weight'>

/** A window of the slot: what it counts of everything the identity does, and how much of that the event at hand is. */
interface Total {
  readonly metric: number
  readonly unit: Quantity['unit']
  readonly perMs: number
  readonly adds: (w: Work) => number
}

const one = (): number => 1
const amount = (field: number) => (w: Work) => Math.max(0, w.event.number[field]! || 0)
const outcome = (which: number) => (w: Work) => (w.event.outcome === which ? 1 : 0)
const sensitiveRead = (w: Work): number => (w.sensitivity >= 2 && !w.isWrite ? 1 : 0)
const newSource = (w: Work): number =>
  w.network === 0 || (w.seg.u32[(w.base + ANCHOR + A.lastSourceSet) >> 2]! & (1 << (w.network & 31))) !== 0 ? 0 : 1

/** By feature: the same windows that the features are made from, counted the same way. */
const TOTALS: Readonly<Record<string, Total>> = {
  sensitive_hour: { metric: W.sensitiveHour, unit: 'events', perMs: HOUR, adds: sensitiveRead },
  external_day: { metric: W.externalDay, unit: 'events', perMs: DAY, adds: (w) => (w.isExternal ? 1 : 0) },
  enumeration_hour: { metric: W.resourcesHour, unit: 'resources', perMs: HOUR, adds: (w) => (w.newInHour ? 1 : 0) },
  sources_hour: { metric: W.sourcesHour, unit: 'sources', perMs: HOUR, adds: newSource },
  failures_hour: { metric: W.failuresHour, unit: 'failures', perMs: HOUR, adds: outcome(1) },
  denied_hour: { metric: W.deniedHour, unit: 'denials', perMs: HOUR, adds: outcome(2) },
  rate_minute: { metric: W.eventsMinute, unit: 'events', perMs: MINUTE, adds: one },
  rate_hour: { metric: W.eventsHour, unit: 'events', perMs: HOUR, adds: one },
  rate_day: { metric: W.eventsDay, unit: 'events', perMs: DAY, adds: one },
  bytes_out_minute: { metric: W.bytesOutMinute, unit: 'bytes', perMs: MINUTE, adds: amount(N.bytesOut) },
  bytes_out_hour: { metric: W.bytesOutHour, unit: 'bytes', perMs: HOUR, adds: amount(N.bytesOut) },
  bytes_out_day: { metric: W.bytesOutDay, unit: 'bytes', perMs: DAY, adds: amount(N.bytesOut) },
  bytes_in_hour: { metric: W.bytesInHour, unit: 'bytes', perMs: HOUR, adds: amount(N.bytesIn) },
  bytes_in_day: { metric: W.bytesInDay, unit: 'bytes', perMs: DAY, adds: amount(N.bytesIn) },
  drift_rate: { metric: W.eventsDay, unit: 'events', perMs: DAY, adds: one },
  drift_bytes: { metric: W.bytesOutDay, unit: 'bytes', perMs: DAY, adds: amount(N.bytesOut) },
}

/**
 * The total a feature compares: over all classes, destinations and actions, so it has no object.
 * Undefined where the feature is no total, or no window speaks of the event.
 */
export const totalOf = (w: Work, feature: string): Detail | undefined => {
  const total = feature === 'drift_bytes' && isShift(w) ? TOTALS['bytes_out_hour'] : TOTALS[feature]
  if (total === undefined || w.behind) return undefined
  const { metric, unit, perMs, adds } = total
  const added = adds(w)
  if (added <= 0) return undefined
  const usual = feature.startsWith('drift') && perMs === DAY ? usualOverLong(w, metric) : usualOf(w, metric)
  return {
    observed: { value: windowValue(w, metric) + added, unit, perMs },
    ...(unit === 'bytes' ? { part: { value: added, unit } } : {}),
    ...(usual === undefined ? {} : { typical: { value: Math.round(expm1(usual) * 10) / 10, unit, perMs } }),
  }
}

/** Told by the hours rather than by the days: they say more, and the day may not be over yet. */
const isShift = (w: Work): boolean => w.shiftNats > 0 && w.shiftNats >= w.features[DRIFT_BYTES]!
const DRIFT_BYTES = indexOf('drift_bytes')

/** Mean of log(1 + amount) over windows that had events, at this time of day where that is known; none before three of them. */
const usualOf = (w: Work, metric: number): number | undefined => {
  if (windowCount(w, metric) < 3) return undefined
  const ofDay = metric === W.bytesOutHour ? profileOf(w.seg, w.base, hourOfDay(w.timeMs)) : 0
  return Math.max(0, windowMean(w, metric) + ofDay)
}

/** The slow memory of days, which growth in small steps has not moved yet. */
const usualOverLong = (w: Work, metric: number): number | undefined => {
  const { f32 } = w.seg
  const at = (w.base + ANCHOR) >> 2
  if (f32[at + (A.days >> 2)]! < 3) return undefined
  return f32[at + ((metric === W.eventsDay ? A.eventsMean : A.bytesMean) >> 2)]!
}
