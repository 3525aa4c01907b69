import type { Work } from '../work.ts'
import { W, W_DAY, W_HOUR, WINDOW_COUNTS, WINDOW_VALUES } from './layout.ts'

/** Index of a metric's window length: 0 minute, 1 hour, 2 day. */
const lengthOf = (metric: number): number => (metric < W_HOUR ? 0 : metric < W_DAY ? 1 : 2)

/** Where a metric's current value, mean, variance and record stand, in words. */
export const windowAt = (base: number, metric: number): number => (base + WINDOW_VALUES + metric * 16) >> 2
export const windowValue = (w: Work, metric: number): number => w.seg.f32[windowAt(w.base, metric)]!
export const windowMean = (w: Work, metric: number): number => w.seg.f32[windowAt(w.base, metric) + 1]!
export const windowVariance = (w: Work, metric: number): number => w.seg.f32[windowAt(w.base, metric) + 2]!
/** Finished windows of the metric's length. */
export const windowCount = (w: Work, metric: number): number => w.seg.f32[((w.base + WINDOW_COUNTS) >> 2) + lengthOf(metric)]!

/** Metrics that are amounts of data; the others count. */
export const isBytes = (metric: number): boolean =>
  metric === W.bytesOutMinute ||
  metric === W.bytesOutHour ||
  metric === W.bytesInHour ||
  metric === W.bytesOutDay ||
  metric === W.bytesInDay
