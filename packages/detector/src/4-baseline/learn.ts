import { N, tokensOf } from '../record.ts'
import type { Segment } from '../state/slots.ts'
import type { Pair, Work } from '../work.ts'
import { bucketPosition, record } from '../state/histogram.ts'
import {
  A,
  ACTION_SETS,
  ACTIONS,
  ANCHOR,
  CLASS_SETS,
  CLASSES,
  COUNTRIES,
  DELEGATES,
  OVERFLOW_FILTER,
  OVERFLOW_FILTER_BYTES,
  DESTINATION_SETS,
  DESTINATIONS,
  FLOWS,
  H,
  HG,
  NETWORK_SETS,
  NETWORKS,
  RESOURCE_FILL,
  RESOURCE_FILTER,
  RESOURCE_FILTER_BYTES,
  RESOURCE_HALF,
  SEGMENTS,
  TRANSITION_SETS,
  TRANSITIONS,
  USER_AGENTS,
  VERSIONS,
  W,
  WINDOWS,
} from '../state/layout.ts'
import { add, fade, filterAdd, filterFill, overflowHash } from '../state/tables.ts'
import { windowCount, windowMean, windowValue } from '../state/window-of.ts'
import { expm1 } from '../math/functions.ts'

const DAY_MS = 86_400_000
/** Counts that fade below this are forgotten. */
const FLOOR = 0.05
/** Events of the first day that count in full: there are no days before it yet that they could outweigh. */
const FIRST_DAY = 5000
/** Resources that one half of the filter takes before the halves change places: at most 1 % of first uses are missed (C5). */
const FILTER_HALF = 40
/** Bits of the overflow filter, of 1,024, beyond which it would miss more than 1 % of first uses. */
const MOST_OVERFLOW_BITS = 450

/**
 * Makes the event part of what is normal. Bounded (INV-5): beyond twice the identity's usual day, events of a day count
 * less and less, so that no flood of one day outweighs the months before.
 * @param trust weight of the event, 0 to 1: what is odd but did not alert counts a tenth, so that once is not yet a habit
 */
export const learn = (w: Work, halfLifeMs: number, trust = 1): void => {
  decay(w, halfLifeMs)
  const usual = windowCount(w, W.eventsDay) === 0 ? FIRST_DAY : Math.max(200, 2 * expm1(Math.min(20, windowMean(w, W.eventsDay))))
  const today = windowValue(w, W.eventsDay)
  const weight = trust * (today > usual ? usual / today : 1)
  learnNames(w, weight)
  // Histograms and filters count whole events: beyond the usual every second, then every third, and so on.
  if (today <= usual || today % Math.ceil(today / usual) === 0) learnAmounts(w)
}

const learnNames = (w: Work, weight: number): void => {
  const { seg, base, event } = w
  const f32 = seg.f32
  const h = base >> 2
  f32[h + (H.learned >> 2)]! += weight
  const action = add(seg, base + ACTIONS, ACTION_SETS, w.action, w.actionHi, weight, w.ownActions)
  if (action >= 0 && w.newAction) f32[h + (H.typesAction >> 2)]! += weight
  if (action > 0) keepPushedOut(w, action)
  const class_ = add(seg, base + CLASSES, CLASS_SETS, w.class_, w.classHi, weight, w.ownClasses)
  if (class_ >= 0 && w.newClass) f32[h + (H.typesClass >> 2)]! += weight
  if (class_ > 0) keepPushedOut(w, class_)
  if (w.transition !== 0) {
    if (add(seg, base + TRANSITIONS, TRANSITION_SETS, w.transition, w.transitionHi, weight) >= 0)
      f32[h + (H.typesTransition >> 2)]! += weight
    f32[h + (H.countTransition >> 2)]! += weight
  }
  if (w.hasOrigins) {
    learnPair(w, w.originsPair, weight)
    learnPair(w, w.anyOriginsPair, weight)
  }
  if (w.told) learnPair(w, w.toldPair, weight)
  if (w.lured) learnPair(w, w.luredPair, weight)
  if (w.destination !== 0) {
    if (add(seg, base + DESTINATIONS, DESTINATION_SETS, w.destination, w.destinationHi, weight, w.ownDestinations) >= 0) {
      if (w.newDestination) f32[h + (H.typesDestination >> 2)]! += weight
      rememberDestination(w)
    }
    f32[h + (H.countDestination >> 2)]! += weight
    if (event.provenance !== 255) f32[h + (H.provenances >> 2) + event.provenance]! += weight
  }
  if (w.network !== 0) {
    if (add(seg, base + NETWORKS, NETWORK_SETS, w.network, w.networkHi, weight) >= 0) f32[h + (H.typesSource >> 2)]! += weight
    f32[h + (H.countSource >> 2)]! += weight
  }
  if (w.country !== 0) add(seg, base + COUNTRIES, 1, w.country, 0, weight)
  if (w.userAgent !== 0) add(seg, base + USER_AGENTS, 1, w.userAgent, 0, weight)
  if (w.delegate !== 0) add(seg, base + DELEGATES, 1, w.delegate, 0, weight)
  if (w.segments !== 0) add(seg, base + SEGMENTS, 1, w.segments, 0, weight)
  if (w.versions !== 0) add(seg, base + VERSIONS, 1, w.versions, 0, weight)
  f32[h + (H.outcomes >> 2) + event.outcome]! += weight
  if (w.newDestination && w.flowStep === 3 && event.provenance !== 0) f32[(base + FLOWS) >> 2]! += weight
}

const learnPair = (w: Work, pair: Pair, weight: number): void => {
  add(w.seg, w.base + TRANSITIONS, TRANSITION_SETS, pair.lo, pair.hi, weight)
}

/** An action or class that made room for another is known still. */
const keepPushedOut = (w: Work, fp: number): void => remember(w, fp, overflowHash(fp))

const rememberDestination = (w: Work): void => remember(w, w.destination, w.destinationHi)

/** A filter that only ever fills says "seen" to everything in the end; emptied, it forgets what the table has pushed out. */
const remember = (w: Work, lo: number, hi: number): void => {
  const { u8 } = w.seg
  const at = w.base + OVERFLOW_FILTER
  const bits = OVERFLOW_FILTER_BYTES * 8
  if (filterFill(u8, at, bits) > MOST_OVERFLOW_BITS) u8.fill(0, at, at + OVERFLOW_FILTER_BYTES)
  filterAdd(u8, at, bits, lo, hi)
}

const learnAmounts = (w: Work): void => {
  const { seg, base, event } = w
  const n = event.number
  const out = n[N.bytesOut]!
  const in_ = n[N.bytesIn]!
  const tokens = tokensOf(event)
  if (out > 0) record(seg, base, HG.bytesOut, bucketPosition(out))
  if (in_ > 0) record(seg, base, HG.bytesIn, bucketPosition(in_))
  if (n[N.durationMs]! >= 0) record(seg, base, HG.durationMs, bucketPosition(n[N.durationMs]!))
  if (tokens > 0) record(seg, base, HG.tokens, bucketPosition(tokens))
  if (!w.isNew && w.gapMs >= 0) record(seg, base, HG.gap, bucketPosition(w.gapMs))
  learnHour(w)
  if (w.resource !== 0) learnResource(w)
}

/** An hour becomes part of the profile when its day is over: a night's work does not excuse itself. */
const learnHour = (w: Work): void => {
  const { u32 } = w.seg
  if (Math.floor(w.timeMs / DAY_MS) === u32[((w.base + WINDOWS) >> 2) + 2])
    u32[(w.base + ANCHOR + A.hoursToday) >> 2]! |= 1 << (w.hourOfWeek % 24)
}

const learnResource = (w: Work): void => {
  const { u8, u16, f32 } = w.seg
  const share = (w.base + H.typesResource) >> 2
  const alpha = Math.max(0.02, 1 / (f32[(w.base + H.learned) >> 2]! + 1))
  f32[share]! += alpha * ((w.newResource ? 1 : 0) - f32[share]!)
  if (!w.newResource) return
  const half = RESOURCE_FILTER_BYTES / 2
  if (u16[(w.base + RESOURCE_FILL) >> 1]! >= FILTER_HALF) {
    u8[w.base + RESOURCE_HALF]! ^= 1
    u16[(w.base + RESOURCE_FILL) >> 1] = 0
    const start = w.base + RESOURCE_FILTER + u8[w.base + RESOURCE_HALF]! * half
    u8.fill(0, start, start + half)
  }
  filterAdd(u8, w.base + RESOURCE_FILTER + u8[w.base + RESOURCE_HALF]! * half, half * 8, w.resource, w.resourceHi)
  u16[(w.base + RESOURCE_FILL) >> 1]! += 1
}

const FADED_TABLES: readonly (readonly [number, number])[] = [
  [ACTIONS, ACTION_SETS],
  [CLASSES, CLASS_SETS],
  [DESTINATIONS, DESTINATION_SETS],
  [TRANSITIONS, TRANSITION_SETS],
  [NETWORKS, NETWORK_SETS],
  [COUNTRIES, 1],
  [USER_AGENTS, 1],
  [DELEGATES, 1],
  [SEGMENTS, 1],
  [VERSIONS, 1],
]
const FADED_COUNTS = [
  H.learned,
  H.typesAction,
  H.typesClass,
  H.typesDestination,
  H.typesSource,
  H.typesTransition,
  H.countDestination,
  H.countSource,
  H.countTransition,
  H.outcomes,
  H.outcomes + 4,
  H.outcomes + 8,
  H.provenances,
  H.provenances + 4,
  H.provenances + 8,
  FLOWS,
]
/** A silence of any length costs at most this many halvings, so that whoever returns is not a stranger. */
const MOST_HALVINGS = 3

/** Halves all counts for every half-life of event time that has passed since the last learned event. */
const decay = (w: Work, halfLifeMs: number): void => {
  const { u32 } = w.seg
  const epoch = Math.floor(w.timeMs / halfLifeMs) + 1
  const at = (w.base + H.epoch) >> 2
  const before = u32[at]!
  if (before >= epoch) return
  u32[at] = epoch
  if (before !== 0) fadeAll(w.seg, w.base, 1 / (1 << Math.min(MOST_HALVINGS, epoch - before)))
}

const fadeAll = (seg: Segment, base: number, factor: number): void => {
  for (const [table, sets] of FADED_TABLES) fade(seg, base + table, sets, factor, FLOOR)
  for (const field of FADED_COUNTS) seg.f32[(base + field) >> 2]! *= factor
}
