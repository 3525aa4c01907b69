import type { ReleaseEntry } from './releases.ts'

const DAY_MS = 86_400_000
/** Events of a tenant at which peers and everyone are first known; then at each doubling, until the first model. */
const FIRST_STATISTICS = 500
/** After a training that found too few usable rows, the next try comes when there are this many times the events. */
const TRY_AGAIN = 1.25

export interface Pace {
  readonly trainAfterEvents: number
  /** Days of event time. */
  readonly retrainEveryDays: number
}

export interface Progress {
  readonly events: number
  /** Newest event time, ms since epoch; only asked for once there is a model. */
  readonly lastTime: () => number
}

export type Due = 'none' | 'statistics' | 'model'

const nextDoubling = (events: number): number => {
  let at = FIRST_STATISTICS
  while (at <= events) at *= 2
  return at
}

/** Number of events at which the next release by count is due; Infinity once there is a model. */
export const nextAt = (releases: readonly ReleaseEntry[], pace: Pace): number => {
  if (releases.some(({ modelled }) => modelled)) return Number.POSITIVE_INFINITY
  const last = releases.at(-1)?.events ?? 0
  if (last >= pace.trainAfterEvents) return Math.ceil(last * TRY_AGAIN)
  return Math.min(pace.trainAfterEvents, nextDoubling(last))
}

/** What a tenant's recorded history asks for now (contracts C8). */
export const due = (releases: readonly ReleaseEntry[], pace: Pace, progress: Progress): Due => {
  const model = releases.findLast(({ modelled }) => modelled)
  if (model !== undefined) return progress.lastTime() >= model.toTime + pace.retrainEveryDays * DAY_MS ? 'model' : 'none'
  if (progress.events < nextAt(releases, pace)) return 'none'
  return progress.events >= pace.trainAfterEvents ? 'model' : 'statistics'
}
