import { IDENTITY_KINDS, type ReasonFamily } from '@plumbline/schemas'
import { N } from '../record.ts'
import { W } from '../state/layout.ts'
import { indexOf } from '../state/index-of.ts'
import { windowMean, windowValue, windowVariance } from '../state/window-of.ts'
import type { Work } from '../work.ts'
import { KNOWN, LEAST_BYTES, speaks } from './rule-evidence.ts'

const CLASS = indexOf('class_own')
const SENSITIVE_HOUR = indexOf('sensitive_hour')
const DENIED_HOUR = indexOf('denied_hour')
const FAILURES_HOUR = indexOf('failures_hour')
const ENUMERATION_HOUR = indexOf('enumeration_hour')
const RATE_MINUTE = indexOf('rate_minute')
const RATE_HOUR = indexOf('rate_hour')
const BYTES_OUT_HOUR = indexOf('bytes_out_hour')
const BYTES_IN_HOUR = indexOf('bytes_in_hour')
const USER = IDENTITY_KINDS.indexOf('user')

/** From so many nats on an hour is none of the identity's hours: what an hour of few acts can tell lies just above. */
const HOUR_NATS = 6
/** Refused or failing: who tries doors meets closed ones. */
const TURNED_AWAY_NATS = 5
/** Restricted data of a class that it hardly touches needs fewer reads. */
const RESTRICTED_NATS = 4
const RARE_CLASS = 4

type HourRule = (w: Work, fleet: number, often: number) => ReasonFamily | null

const RULES: readonly HourRule[] = [
  (w, fleet) => (Math.max(w.features[DENIED_HOUR]!, w.features[FAILURES_HOUR]!) >= TURNED_AWAY_NATS + fleet ? 'probing' : null),
  (w, fleet, often) => (w.event.outcome !== DENIED && readsSensitive(w, fleet, often) ? 'sensitive_access' : null),
  (w, fleet, often) => (isBesidesPace(w.features[ENUMERATION_HOUR]! - fleet, often) ? 'enumeration' : null),
  (w, _, often) => (often >= HOUR_NATS || (often >= OFTEN_AND_MORE && movesMore(w)) ? 'rate' : null),
  (w, fleet) => (bytesExplode(w, fleet) ? 'volume' : null),
]

/**
 * An hour that is none of a well-known identity's: for constant robots the only sign there is, and what spreading over sessions
 * does not hide. A log-compressed sum of surprises cannot say it, as one amount however large is one feature.
 * @returns the family that names it, one that is quiet only where no other does, or null
 */
export const hourRule = (w: Work, isQuiet: (w: Work, family: ReasonFamily) => boolean): ReasonFamily | null => {
  if (w.maturity < KNOWN || !speaks(w, 'far')) return null
  // Among ten times the events an hour as rare comes ten times as often.
  const fleet = (w.tenant.release?.fleet ?? 0) * LN_10
  const often = Math.max(w.features[RATE_MINUTE]!, w.features[RATE_HOUR]!)
  let quiet: ReasonFamily | null = null
  for (let i = 0; i < RULES.length; i++) {
    const family = RULES[i]!(w, fleet, often)
    if (family === null) continue
    if (!isQuiet(w, family)) return family
    quiet ??= family
  }
  return quiet
}
const DENIED = 2
const LN_10 = 2.3

const readsSensitive = (w: Work, fleet: number, often: number): boolean => {
  const nats = w.features[SENSITIVE_HOUR]! - fleet
  return isBesidesPace(nats, often) || (w.sensitivity >= 3 && nats >= RESTRICTED_NATS && w.features[CLASS]! >= RARE_CLASS)
}

/** Who does more of everything does more of each: only what says much more than the pace is news of its own. */
const BESIDES_PACE = 3
const isBesidesPace = (nats: number, often: number): boolean => nats >= HOUR_NATS && nats >= often + BESIDES_PACE

/**
 * Bytes of an hour beyond its own hours: many of them, sent or read, wherever they go, as what is gathered leaves later; or any
 * amount that its hours all but exclude: whose amounts hardly vary is told by half as much again.
 */
const bytesExplode = (w: Work, fleet: number): boolean =>
  isFarMore(w, BYTES_OUT_HOUR, W.bytesOutHour, N.bytesOut, fleet) || isFarMore(w, BYTES_IN_HOUR, W.bytesInHour, N.bytesIn, fleet)
/** Who does more, and moves more with it, than its hours allow: both say the same, and neither need say it alone. */
const OFTEN_AND_MORE = 4
const movesMore = (w: Work): boolean => w.features[BYTES_OUT_HOUR]! >= FAR_NATS && isSteady(w, W.bytesOutHour)
const FAR_NATS = 8
const ANY_NATS = 15
/** What is a smaller part of the hour's total is not the act to tell of. */
const PIECES = 100
const isFarMore = (w: Work, feature: number, metric: number, field: number, fleet: number): boolean => {
  const nats = w.features[feature]!
  const moved = w.event.number[field]!
  const total = windowValue(w, metric) + moved
  if (nats < FAR_NATS + fleet || moved * PIECES < total) return false
  return total >= LEAST_BYTES || (nats >= ANY_NATS && isSteady(w, metric))
}

/** Most of its hours move something: to begin is another matter than to do more. What people move goes up and down for hours on end. */
export const movesMostHours = (w: Work, metric: number): boolean => {
  const mean = windowMean(w, metric)
  return w.event.kind !== USER && mean * mean > 4 * windowVariance(w, metric)
}

/** And about as much, on its own account: what people have agents move goes up and down as well. */
const isSteady = (w: Work, metric: number): boolean => movesMostHours(w, metric) && w.delegate === 0 && windowVariance(w, metric) <= STEADY
/** Variance of the logarithm: two hours in three within a factor of e. */
const STEADY = 1
