import { fastLn as ln, fastLog1p as log1p } from '../math/fast-ln.ts'
import { exp } from '../math/functions.ts'
import type { Work } from '../work.ts'
import { W, W_DAY, WINDOWS } from './layout.ts'
import { foldLevel, levelNats } from './level.ts'
import { hourOfDay, learnProfile, profileOf } from './profile.ts'
import { windowAt, windowCount, windowMean, windowValue, windowVariance } from './window-of.ts'

/** Spread of log bytes that is assumed before anything is seen, and how many windows that belief is worth. */
const ASSUMED_VARIANCE = 0.06
const ASSUMED_WORTH = 3
/** Nothing is known more exactly. */
const LEAST_VARIANCE = 0.0004
/** Variances beyond this need no care for what slips over a border. */
const NARROW = 0.25

/**
 * Variance of log bytes: what the identity shows, and what is assumed of all, which fades as evidence grows. Robots whose hours
 * are all alike are known to be such after some days; who is not, never is.
 */
const spreadOf = (w: Work, metric: number, variance: number, n: number): number => {
  const own = ownVariance(variance, n)
  return own > NARROW || metric === W.bytesOutMinute ? own : own + slipVariance(w, metric)
}

const ownVariance = (variance: number, n: number): number =>
  variance + (ASSUMED_WORTH * ASSUMED_VARIANCE) / (n + ASSUMED_WORTH) + LEAST_VARIANCE

/** Half an event more or less: of the few in an hour one may always slip over its border. */
const slipVariance = (w: Work, metric: number): number => 0.25 * exp(-2 * windowMean(w, metric < W_DAY ? W.eventsHour : W.eventsDay))

/** Windows after which the group's opinion of an identity's amounts counts half. */
const GROUP_FADES = 8
/** A Student's tail gets no lighter than with so many degrees of freedom. */
const MOST_FREEDOM = 30
/** Windows without which there is no record to speak of. */
const KNOWN_WINDOWS = 3
const MOST_NATS = 20

/**
 * Surprise of bytes in a current window whose logarithm is `x`, nats: minus the logarithm of a Student's upper tail with as many
 * degrees of freedom as there is evidence (the predictive distribution of a normal one whose spread is learned). Whose
 * amounts have heavier tails shows by the record: up to it n windows tell no more than ln(n + 1), beyond it the tail falls
 * on as it fell up to there. The least is a Pareto law beyond the record, for spreads that are those of two ways to work.
 * Bytes sent in an hour are held against that hour of the day.
 */
export const bytesSurprise = (w: Work, metric: number, x: number, group: Float32Array): number => {
  const { f32 } = w.seg
  const at = windowAt(w.base, metric)
  const n = windowCount(w, metric)
  const worth = (group[metric * 3 + 2]! > 0 ? 3 : 1.5) / (1 + n / GROUP_FADES)
  const total = n + worth
  // Where identities of a group differ more than the windows of this one, its own say more of its mean.
  const ofGroup = worth * Math.min(1, n < KNOWN_WINDOWS ? 1 : ownVariance(f32[at + 2]!, n) / group[metric * 3 + 1]!)
  const mean = (n * f32[at + 1]! + ofGroup * group[metric * 3]!) / (n + ofGroup)
  const distance = x - mean - (metric === W.bytesOutHour ? profileOf(w.seg, w.base, hourOfDay(w.timeMs)) : 0)
  if (distance <= 0) return 0
  const variance = spreadOf(w, metric, (n * f32[at + 2]! + worth * group[metric * 3 + 1]!) / total, n) * (1 + 1 / total)
  const freedom = Math.min(MOST_FREEDOM, n + ASSUMED_WORTH)
  const body = Math.min(MOST_NATS, ((freedom + 1) / 2) * log1p((distance * distance) / (variance * freedom)))
  if (n < KNOWN_WINDOWS) return body
  const told = ln(n + 1)
  const record = Math.max(0, f32[at + 3]! - mean)
  const beyond = distance - record
  if (beyond <= 0) return body < told ? body : told
  const spread = Math.sqrt(variance)
  const most = told + (told * beyond) / Math.max(record, spread)
  const least = Math.min(body, told) + Math.max(1, Math.min(4, 1 / spread)) * beyond
  return Math.min(MOST_NATS, Math.max(least, Math.min(body, most)))
}

/** Hours that must be known before a shift of their level can be told. */
const KNOWN_HOURS = 24

/** By how much the logarithm of an hour's bytes lies above what is usual at its time of day, and in spreads. */
const besideUsual = (w: Work, bytes: number, hour: number): number =>
  log1p(bytes) - windowMean(w, W.bytesOutHour) - profileOf(w.seg, w.base, hour)
const inSpreads = (w: Work, beside: number, n: number): number =>
  beside / Math.sqrt(spreadOf(w, W.bytesOutHour, windowVariance(w, W.bytesOutHour), n))

/** Surprise of the bytes sent in this hour and those before it, none of which need be much by itself: see level.ts. */
export const shiftNats = (w: Work, bytes: number): number => {
  const n = windowCount(w, W.bytesOutHour)
  if (n < KNOWN_HOURS) return 0
  const beside = besideUsual(w, windowValue(w, W.bytesOutHour) + bytes, hourOfDay(w.timeMs))
  return beside <= 0 ? 0 : levelNats(w.seg, w.base, inSpreads(w, beside, n), n)
}

/** One finished hour cannot bend the profile further than this many spreads. */
const WINSOR = 3

/**
 * Folds the finished hour into the sum of the level and, unless an alert lies in it, into the profile of the day. Returns what
 * the time of day explains of its bytes: the rest joins the mean of all hours.
 */
export const foldHour = (w: Work, n: number, tainted: boolean): number => {
  const { seg, base } = w
  const hour = seg.u32[((base + WINDOWS) >> 2) + 1]! % 24
  const usual = profileOf(seg, base, hour)
  if (n < KNOWN_WINDOWS) return usual
  const beside = besideUsual(w, windowValue(w, W.bytesOutHour), hour)
  foldLevel(seg, base, inSpreads(w, beside, n), n, tainted)
  if (tainted) return usual
  const reach = WINSOR * Math.sqrt(windowVariance(w, W.bytesOutHour) + 0.04)
  learnProfile(seg, base, hour, beside > reach ? reach : beside < -reach ? -reach : beside)
  return usual
}
