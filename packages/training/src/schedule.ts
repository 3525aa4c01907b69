const DAY_MS = 86_400_000

/**
 * A model of a young history has seen little: it is replaced when there are this many times its events, however few days
 * that took, so that a large fleet is not judged for a week by what its first hour looked like.
 */
export const MODEL_GROWTH = 2
/** After a day a model is replaced when there is this much more: daily in the first week, which is unlike every week after it. */
export const DAILY_GROWTH = 1.15

/** A model is never older than this many days of event time, however far apart trainings are asked for. */
export const LATEST_DAYS = 30

export interface Reach {
  /** Events of the tenant so far. */
  readonly events: number
  /** Newest event time, ms since epoch. */
  readonly toTime: number
}

/**
 * Whether a tenant that has a model is due another, by what the last training reached and what there is now (contracts C8).
 * A pace that names its own growth goes by that alone.
 */
export const laterModelDue = (last: Reach, now: Reach, retrainEveryDays: number, growth?: number): boolean =>
  // Nothing new can make nothing due, however the times of events stand to each other.
  now.events > last.events &&
  (now.events >= (growth ?? MODEL_GROWTH) * last.events ||
    (growth === undefined && now.toTime >= last.toTime + DAY_MS && now.events >= DAILY_GROWTH * last.events) ||
    now.toTime >= last.toTime + Math.min(LATEST_DAYS, retrainEveryDays) * DAY_MS)
