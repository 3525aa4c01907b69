import { LATEST_DAYS, laterModelDue, MODEL_GROWTH } from '@plumbline/training'
import type { ReleaseEntry } from './releases.ts'

/** Events of a tenant at which peers and everyone are first known; then at each doubling, until the first model. */
const FIRST_STATISTICS = 500
/** After a training that found too few usable rows, the next try comes when there are this many times the events. */
const TRY_AGAIN = 1.25
const DAY_MS = 86_400_000

export interface Pace {
  readonly trainAfterEvents: number
  /** Days of event time. */
  readonly retrainEveryDays: number
  /** A model is also replaced when there are so many times its events; default 2. */
  readonly modelGrowth?: number | undefined
}

export interface Progress {
  readonly events: number
  /** Newest event time, ms since epoch; only asked for once there is a release. */
  readonly lastTime: () => number
}

export type Due = 'none' | 'statistics' | 'model'

const nextDoubling = (events: number): number => {
  let at = FIRST_STATISTICS
  while (at <= events) at *= 2
  return at
}

/** Number of events at which the next release by count is due. */
export const nextAt = (releases: readonly ReleaseEntry[], pace: Pace): number => {
  const last = releases.at(-1)?.events ?? 0
  if (releases.some(({ modelled }) => modelled)) return (pace.modelGrowth ?? MODEL_GROWTH) * last
  if (last >= pace.trainAfterEvents) return Math.ceil(last * TRY_AGAIN)
  return Math.min(pace.trainAfterEvents, nextDoubling(last))
}

/** Newest event time that anything was learned from, and the number of events then. */
const learned = (releases: readonly ReleaseEntry[]): { readonly toTime: number; readonly events: number } => ({
  toTime: releases.reduce((most, { toTime }) => Math.max(most, toTime), 0),
  events: releases.at(-1)?.events ?? 0,
})

/** What a tenant with too few events for a model does changes too. */
const isStale = (last: ReturnType<typeof learned>, progress: Progress): boolean =>
  last.toTime > 0 && progress.events > last.events && progress.lastTime() >= last.toTime + LATEST_DAYS * DAY_MS

/** What a tenant's recorded history asks for now (contracts C8). */
export const due = (releases: readonly ReleaseEntry[], pace: Pace, progress: Progress): Due => {
  if (releases.some(({ modelled }) => modelled)) {
    const now = { events: progress.events, toTime: progress.lastTime() }
    return laterModelDue(learned(releases), now, pace.retrainEveryDays, pace.modelGrowth) ? 'model' : 'none'
  }
  if (progress.events < nextAt(releases, pace)) return isStale(learned(releases), progress) ? 'statistics' : 'none'
  return progress.events >= pace.trainAfterEvents ? 'model' : 'statistics'
}

/** What is left to be made so that the release in force is of everything that there is, as at the end of a history. */
export const unlearned = (releases: readonly ReleaseEntry[], pace: Pace, events: number): Due => {
  if (events <= learned(releases).events || events < FIRST_STATISTICS) return 'none'
  return events >= pace.trainAfterEvents || releases.some(({ modelled }) => modelled) ? 'model' : 'statistics'
}
