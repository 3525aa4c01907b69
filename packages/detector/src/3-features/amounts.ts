import { FEATURES } from '@plumbline/schemas'
import { N, tokensOf } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { bucketPosition, isOpen, lowerTail, upperTail } from '../state/histogram.ts'
import { A, ANCHOR, H, HG, HISTOGRAM_BUCKETS, HOUR_BITMAP, HOUR_BITMAP_BYTES, W } from '../state/layout.ts'
import { isLargeSend, rampNats } from '../state/ramp.ts'
import { shiftNats } from '../state/bytes.ts'
import { windowValue } from '../state/window-of.ts'
import { studentNats, windowSurprise } from '../state/window-surprise.ts'
import { fastLn as ln, fastLog1p as log1p } from '../math/fast-ln.ts'
import type { Work } from '../work.ts'
import { indexOf } from '../state/index-of.ts'

const BYTES_OUT = indexOf('bytes_out_own')
const BYTES_IN = indexOf('bytes_in_own')
const DESTINATION = indexOf('destination_own')
const DURATION = indexOf('duration_own')
const TOKENS = indexOf('tokens_own')
const GAP = indexOf('gap_own')
const BYTES_OUT_LOG = indexOf('bytes_out_log')
const BYTES_IN_LOG = indexOf('bytes_in_log')
const ENUMERATION = indexOf('enumeration_hour')
const RATE_MINUTE = indexOf('rate_minute')
const RATE_HOUR = indexOf('rate_hour')
const RATE_DAY = indexOf('rate_day')
const BYTES_OUT_MINUTE = indexOf('bytes_out_minute')
const BYTES_OUT_HOUR = indexOf('bytes_out_hour')
const BYTES_OUT_DAY = indexOf('bytes_out_day')
const BYTES_IN_HOUR = indexOf('bytes_in_hour')
const BYTES_IN_DAY = indexOf('bytes_in_day')
const FAILURES = indexOf('failures_hour')
const DENIED = indexOf('denied_hour')
const SENSITIVE = indexOf('sensitive_hour')
const EXTERNAL = indexOf('external_day')
const SOURCES = indexOf('sources_hour')
const DRIFT_RATE = indexOf('drift_rate')
const DRIFT_BYTES = indexOf('drift_bytes')
const SILENCE = indexOf('silence')

const WINDOWED = Uint8Array.from(FEATURES.flatMap((f, i) => (f.source === 'window' ? [i] : [])))

/** Observations that the group's opinion of a size is worth. */
const PRIOR_STRENGTH = 5

const nats = (p: number): number => {
  const v = -ln(p)
  return v > 20 ? 20 : v < 0 ? 0 : v
}

/** Sizes of one event against the identity's own histograms, and amounts of the current minute, hour and day. */
export const amountFeatures = (w: Work, group: GroupStats): void => {
  const { event, features: x } = w
  const n = event.number
  const bytesOut = n[N.bytesOut]! >= 0 ? n[N.bytesOut]! : 0
  const bytesIn = n[N.bytesIn]! >= 0 ? n[N.bytesIn]! : 0
  const tokens = tokensOf(event)
  x[BYTES_OUT] = bytesOut > 0 ? size(w, group, HG.bytesOut, bytesOut) : 0
  x[BYTES_IN] = bytesIn > 0 ? size(w, group, HG.bytesIn, bytesIn) : 0
  x[DURATION] = n[N.durationMs]! >= 0 ? size(w, group, HG.durationMs, n[N.durationMs]!) : 0
  x[TOKENS] = tokens > 0 ? size(w, group, HG.tokens, tokens) : 0
  x[BYTES_OUT_LOG] = log1p(bytesOut)
  x[BYTES_IN_LOG] = log1p(bytesIn)

  w.gapMs = w.isNew ? -1 : Math.max(0, w.timeMs - w.seg.f64[(w.base + H.lastTime) >> 3]!)
  x[SILENCE] = w.isNew ? 0 : log1p(w.gapMs / 1000)
  x[GAP] =
    w.isNew || w.timeMs < w.seg.f64[(w.base + H.lastTime) >> 3]!
      ? 0
      : nats(lowerTail(w.seg, w.base, HG.gap, bucketPosition(w.gapMs), 0.5, PRIOR_STRENGTH))

  if (w.behind) noWindowFeatures(w)
  else windowFeatures(w, group.windows, bytesOut, bytesIn)
}

const size = (w: Work, group: GroupStats, which: number, value: number): number => {
  const position = bucketPosition(value)
  const prior = group.tails[which * HISTOGRAM_BUCKETS + Math.floor(position)]!
  return nats(upperTail(w.seg, w.base, which, position, prior, PRIOR_STRENGTH))
}

/** An event from before the current hour came too late to be counted with its like: windows say nothing of it. */
const noWindowFeatures = (w: Work): void => {
  for (const i of WINDOWED) w.features[i] = 0
  w.rampNats = 0
  w.shiftNats = 0
  w.firsts = (w.newAction ? 1 : 0) + (w.newClass ? 1 : 0) + (w.newDestination ? 1 : 0)
  w.newInHour = false
}

const windowFeatures = (w: Work, g: Float32Array, bytesOut: number, bytesIn: number): void => {
  const x = w.features
  x[RATE_MINUTE] = windowSurprise(w, W.eventsMinute, windowValue(w, W.eventsMinute) + 1, g)
  x[RATE_HOUR] = windowSurprise(w, W.eventsHour, windowValue(w, W.eventsHour) + 1, g)
  x[RATE_DAY] = windowSurprise(w, W.eventsDay, windowValue(w, W.eventsDay) + 1, g)
  const anyOut = bytesOut > 0
  x[BYTES_OUT_MINUTE] = anyOut ? windowSurprise(w, W.bytesOutMinute, windowValue(w, W.bytesOutMinute) + bytesOut, g) : 0
  if (anyOut && x[BYTES_OUT_MINUTE]! > x[BYTES_OUT]! && isFirstAndOpen(w, bytesOut)) x[BYTES_OUT] = x[BYTES_OUT_MINUTE]!
  x[BYTES_OUT_HOUR] = anyOut ? windowSurprise(w, W.bytesOutHour, windowValue(w, W.bytesOutHour) + bytesOut, g) : 0
  x[BYTES_OUT_DAY] = anyOut ? windowSurprise(w, W.bytesOutDay, windowValue(w, W.bytesOutDay) + bytesOut, g) : 0
  const anyIn = bytesIn > 0
  x[BYTES_IN_HOUR] = anyIn ? windowSurprise(w, W.bytesInHour, windowValue(w, W.bytesInHour) + bytesIn, g) : 0
  x[BYTES_IN_DAY] = anyIn ? windowSurprise(w, W.bytesInDay, windowValue(w, W.bytesInDay) + bytesIn, g) : 0
  const outcome = w.event.outcome
  x[FAILURES] = outcome === 1 ? windowSurprise(w, W.failuresHour, windowValue(w, W.failuresHour) + 1, g) : 0
  x[DENIED] = outcome === 2 ? windowSurprise(w, W.deniedHour, windowValue(w, W.deniedHour) + 1, g) : 0
  w.firsts = (w.newAction ? 1 : 0) + (w.newClass ? 1 : 0) + (w.newDestination ? 1 : 0)
  x[SENSITIVE] = w.sensitivity >= 2 && !w.isWrite ? windowSurprise(w, W.sensitiveHour, windowValue(w, W.sensitiveHour) + 1, g) : 0
  x[EXTERNAL] = w.isExternal ? windowSurprise(w, W.externalDay, windowValue(w, W.externalDay) + 1, g) : 0
  w.newInHour = w.resource !== 0 && !inBitmap(w)
  x[ENUMERATION] = !w.newInHour ? 0 : windowSurprise(w, W.resourcesHour, windowValue(w, W.resourcesHour) + 1, g)
  const bit = 1 << (w.network & 31)
  const seen = w.network === 0 || (w.seg.u32[(w.base + ANCHOR + A.lastSourceSet) >> 2]! & bit) !== 0
  x[SOURCES] = seen ? 0 : windowSurprise(w, W.sourcesHour, windowValue(w, W.sourcesHour) + 1, g)
  drift(w, bytesOut)
}

/** The first send of its minute is held against minutes where the histogram tells no more: a bucket of it is a factor of two wide. */
const isFirstAndOpen = (w: Work, bytesOut: number): boolean =>
  windowValue(w, W.bytesOutMinute) === 0 && isOpen(w.seg, w.base, HG.bytesOut, bucketPosition(bytesOut))

const inBitmap = (w: Work): boolean => {
  const bit = w.resource & (HOUR_BITMAP_BYTES * 8 - 1)
  return (w.seg.u8[w.base + HOUR_BITMAP + (bit >> 3)]! & (1 << (bit & 7))) !== 0
}

/** Today against the slow anchor: what grows a little every day shows here long after the windows have got used to it. */
const drift = (w: Work, bytesOut: number): void => {
  const { u32, f32 } = w.seg
  const at = (w.base + ANCHOR) >> 2
  const days = f32[at + (A.days >> 2)]!
  const x = w.features
  x[DRIFT_RATE] = 0
  w.rampNats = bytesOut > 0 && isLargeSend(w.seg, w.base, x[BYTES_OUT]!, x[DESTINATION]!) ? rampNats(u32, f32, at, w.timeMs) : 0
  w.shiftNats = bytesOut > 0 ? shiftNats(w, bytesOut) : 0
  x[DRIFT_BYTES] = Math.min(20, Math.max(w.rampNats, w.shiftNats))
  if (days < 5) return
  x[DRIFT_RATE] = beyondAnchor(windowValue(w, W.eventsDay) + 1, f32[at]!, f32[at + 1]!, days)
  if (bytesOut > 0) {
    const today = beyondAnchor(windowValue(w, W.bytesOutDay) + bytesOut, f32[at + 2]!, f32[at + 3]!, days)
    x[DRIFT_BYTES] = Math.max(x[DRIFT_BYTES]!, today)
  }
}

const beyondAnchor = (value: number, mean: number, variance: number, days: number): number => {
  const distance = log1p(value) - mean
  return distance <= 0 ? 0 : studentNats((distance * distance) / (variance * (1 + 1 / days) + 0.04))
}
