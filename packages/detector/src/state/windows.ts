import { foldHour } from './bytes.ts'
import { startLevel } from './level.ts'
import { foldRamp } from './ramp.ts'
import { fastLog1p as log1p } from '../math/fast-ln.ts'
import type { Work } from '../work.ts'
import { isBytes } from './window-of.ts'
import type { Segment } from './slots.ts'
import {
  A,
  ANCHOR,
  COUNTRY_AT,
  H,
  HOUR_BITMAP,
  HOUR_BITMAP_BYTES,
  HOURS,
  HOURS_TOTAL,
  TAINTED,
  VERSION,
  W,
  W_DAY,
  W_HOUR,
  WINDOW_COUNTS,
  WINDOW_METRICS,
  WINDOW_VALUES,
  WINDOWS,
} from './layout.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** Least number of windows an average runs over, per metric kind: minutes turn over fast, days count more each. */
const MEMORY_MINUTES = 400
const MEMORY_HOURS = 200
const MEMORY_DAYS = 21
const ANCHOR_DAYS = 90

/** How far one completed window may lie from its mean when it is folded in, in spreads: INV-5 for windows. */
const WINSOR = 3

/**
 * Brings the windows of a slot up to the event's time: completed windows are folded into their averages, current ones
 * start at zero. Idempotent, so a slot taken after it replays to the same numbers. Only windows that had events count.
 */
export const advance = (w: Work, dailyDriftBudget: number, learning: boolean): void => {
  const { u32, f32 } = w.seg
  const ids = (w.base + WINDOWS) >> 2
  w.behind = Math.floor(w.timeMs / HOUR_MS) < u32[ids + 1]!
  const minute = Math.floor(w.timeMs / MINUTE_MS)
  if (minute <= u32[ids]!) return
  if (!learning) drop(w, 0, W_HOUR)
  else if (u32[ids] !== 0) fold(w, 0, 0, W_HOUR, MEMORY_MINUTES, Number.POSITIVE_INFINITY)
  u32[ids] = minute
  const hour = Math.floor(w.timeMs / HOUR_MS)
  if (hour <= u32[ids + 1]!) return
  if (!learning) drop(w, W_HOUR, W_DAY)
  else if (u32[ids + 1] !== 0) fold(w, 1, W_HOUR, W_DAY, MEMORY_HOURS, Number.POSITIVE_INFINITY)
  u32[ids + 1] = hour
  w.seg.u8.fill(0, w.base + HOUR_BITMAP, w.base + HOUR_BITMAP + HOUR_BITMAP_BYTES)
  u32[(w.base + ANCHOR + A.lastSourceSet) >> 2] = 0
  const day = Math.floor(w.timeMs / DAY_MS)
  if (day <= u32[ids + 2]!) return
  if (!learning) {
    drop(w, W_DAY, WINDOW_METRICS)
    u32[(w.base + ANCHOR + A.largeToday) >> 2] = 0
  } else if (u32[ids + 2] !== 0) {
    foldHours(w, u32[ids + 2]!)
    anchor(w)
    fold(w, 2, W_DAY, WINDOW_METRICS, MEMORY_DAYS, dailyDriftBudget)
    f32[(w.base + H.activeDays) >> 2]! += 1
  }
  u32[ids + 2] = day
}

/** The hours of a finished day join the profile of the week. 1970-01-01 was a Thursday; hour 0 is Monday 00:00 UTC. */
const foldHours = (w: Work, day: number): void => {
  const { u8, u32, f32 } = w.seg
  const at = (w.base + ANCHOR + A.hoursToday) >> 2
  const first = w.base + HOURS + ((day * 24 + 72) % 168)
  let full = false
  for (let hours = u32[at]!; hours !== 0; hours &= hours - 1) {
    const hour = 31 - Math.clz32(hours & -hours)
    full = ++u8[first + hour]! === 255 || full
    f32[(w.base + HOURS_TOTAL) >> 2]! += 1
  }
  u32[at] = 0
  if (full) halveHours(w)
}

const halveHours = (w: Work): void => {
  const { u8, f32 } = w.seg
  let total = 0
  for (let h = w.base + HOURS; h < w.base + HOURS + 168; h++) total += u8[h] = u8[h]! >> 1
  f32[(w.base + HOURS_TOTAL) >> 2] = total
}

/** A window that is over while baselines are frozen counts for nothing (C9). */
const drop = (w: Work, from: number, to: number): void => {
  for (let metric = from; metric < to; metric++) w.seg.f32[(w.base + WINDOW_VALUES + metric * 16) >> 2] = 0
}

/**
 * A slot copied for a session that begins before what it was copied from ended: its current windows, and what came
 * last, belong to another run of time. Baselines stay.
 */
export const startAnew = (seg: Segment, base: number, timeMs: number): void => {
  if (timeMs >= seg.f64[(base + H.lastTime) >> 3]!) return
  const ids = (base + WINDOWS) >> 2
  seg.u32.fill(0, ids, ids + 3)
  for (let metric = 0; metric < WINDOW_METRICS; metric++) seg.f32[(base + WINDOW_VALUES + metric * 16) >> 2] = 0
  seg.u8.fill(0, base + HOUR_BITMAP, base + HOUR_BITMAP + HOUR_BITMAP_BYTES)
  seg.u32[(base + ANCHOR + A.lastSourceSet) >> 2] = 0
  seg.u32[(base + ANCHOR + A.largeToday) >> 2] = 0
  startLevel(seg, base)
  seg.u32[(base + ANCHOR + A.lastDeniedClass) >> 2] = 0
  seg.u32[(base + COUNTRY_AT) >> 2] = 0
  seg.u32[(base + VERSION) >> 2] = 0
  // A millisecond ahead of the first event: its gap is unknown, that of the next is right.
  seg.f64[(base + H.lastTime) >> 3] = timeMs + 1
}

/**
 * Records fade by this much per folded window (log units), so that one old peak does not excuse for ever. Those of bytes last
 * from month end to month end, whichever the window: minute, hour, day.
 */
const RECORD_FADE = 0.002
const BYTES_FADE = [0.00005, 0.0001, 0.001] as const

/** Folds metrics [from, to) of window length 0 minute, 1 hour, 2 day into mean, variance and record of log(1 + value). */
const fold = (w: Work, length: 0 | 1 | 2, from: number, to: number, memory: number, driftBudget: number): void => {
  const f32 = w.seg.f32
  const countAt = ((w.base + WINDOW_COUNTS) >> 2) + length
  const n = f32[countAt]!
  const tainted = (w.seg.u8[w.base + TAINTED]! & (1 << length)) !== 0
  const alpha = 1 / Math.min(n + 1, memory)
  for (let metric = from; metric < to; metric++) {
    const at = (w.base + WINDOW_VALUES + metric * 16) >> 2
    if (metric === W.rareActions) {
      f32[at] = 0
      continue
    }
    const x = log1p(f32[at]!) - (metric === W.bytesOutHour ? foldHour(w, n, tainted) : 0)
    const mean = f32[at + 1]!
    const variance = f32[at + 2]!
    const reach = n >= 3 ? WINSOR * Math.sqrt(variance + 0.04) : 100
    const bounded = x > mean + reach ? mean + reach : x < mean - reach ? mean - reach : x
    let step = alpha * (bounded - mean)
    if (n >= 7) {
      const most = driftBudget * Math.sqrt(variance + 0.04)
      step = step > most ? most : step < -most ? -most : step
    }
    const moved = mean + step
    f32[at + 1] = moved
    f32[at + 2] = (1 - alpha) * variance + alpha * (bounded - mean) * (bounded - moved)
    f32[at + 3] = Math.max(f32[at + 3]! - (isBytes(metric) ? BYTES_FADE[length] : RECORD_FADE), tainted ? bounded : x)
    f32[at] = 0
  }
  f32[countAt] = n + 1
  w.seg.u8[w.base + TAINTED]! &= ~(1 << length)
}

/** The slow memory of whole days, against which a ramp below every daily threshold still shows. */
const anchor = (w: Work): void => {
  const { u32, f32 } = w.seg
  const at = (w.base + ANCHOR) >> 2
  const days = f32[at + (A.days >> 2)]!
  foldRamp(u32, f32, at)
  const alpha = 1 / Math.min(days + 1, ANCHOR_DAYS)
  const metrics = [W.eventsDay, W.bytesOutDay]
  for (let i = 0; i < 2; i++) {
    const x = log1p(f32[(w.base + WINDOW_VALUES + metrics[i]! * 16) >> 2]!)
    const mean = f32[at + i * 2]!
    const variance = f32[at + i * 2 + 1]!
    const reach = WINSOR * Math.sqrt(variance + 0.04)
    const bounded = days < 3 ? x : x > mean + reach ? mean + reach : x < mean - reach ? mean - reach : x
    const moved = mean + alpha * (bounded - mean)
    f32[at + i * 2] = moved
    f32[at + i * 2 + 1] = (1 - alpha) * variance + alpha * (bounded - mean) * (bounded - moved)
  }
  f32[at + (A.days >> 2)] = days + 1
}
