/** What the correlator holds at most; whatever is left out or forgotten for it is counted. */
export interface Limits {
  /** Signals of windows that are not closed yet. */
  readonly pending: number
  /** Alerts whose rows have not come yet. */
  readonly alerts: number
  /** Tenants; the one that was quiet longest is forgotten. */
  readonly tenants: number
  /** Per tenant: causes that are followed at present. */
  readonly episodes: number
  /** Per episode: identities that are told apart. */
  readonly members: number
  /** Per tenant: sources, and destinations, that are known. */
  readonly places: number
  /** Per tenant: agents, releases and usual numbers of causes that are known. */
  readonly names: number
}

export const LIMITS: Limits = {
  pending: 200_000,
  alerts: 50_000,
  tenants: 256,
  episodes: 4_096,
  members: 1_024,
  places: 20_000,
  names: 8_192,
}

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** Windows are closed in steps of this size. */
export const WINDOW_MS = 60_000
/** How much later than others a row may come and still be in its window (contracts C13). */
export const LATENESS_MS = 5 * MINUTE
/** What comes later than this is counted and left out. */
export const TOO_LATE_MS = 24 * HOUR
