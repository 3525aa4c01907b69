const DAY_MS = 86_400_000

/**
 * A model of a young history has seen little: it is replaced when there are this many times its events, however few days
 * that took, so that a large fleet is not judged for a week by what its first hour looked like.
 */
export const MODEL_GROWTH = 2

export interface Reach {
  /** Events of the tenant so far. */
  readonly events: number
  /** Newest event time, ms since epoch. */
  readonly toTime: number
}

/** Whether a tenant that has a model is due another, by what the last training reached and what there is now (contracts C8). */
export const laterModelDue = (last: Reach, now: Reach, retrainEveryDays: number, growth = MODEL_GROWTH): boolean =>
  // Nothing new can make nothing due, however the times of events stand to each other.
  now.events > last.events && (now.events >= growth * last.events || now.toTime >= last.toTime + retrainEveryDays * DAY_MS)
