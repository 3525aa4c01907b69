export { SLOT_BYTES, SLOT_VERSION } from '@plumbline/schemas'

/**
 * The slot: everything remembered of one identity, 4,096 bytes, no pointers, no objects (contracts C5).
 * Byte offsets; tables are arrays of 64-byte sets so that one lookup touches one cache line.
 * Change anything here only with a new SLOT_VERSION and a migration.
 */

/** Header, 128 bytes. */
export const H = {
  version: 0, // u8
  kind: 1, // u8, index into IDENTITY_KINDS
  flags: 2, // u16, see SLOT_FLAGS
  checksum: 4, // u32, set when packed
  keyLo: 8, // u32
  keyHi: 12, // u32
  firstTime: 16, // f64 ms
  lastTime: 24, // f64 ms
  learned: 32, // f32 decayed count of learned events
  seen: 36, // f32 count of events, not decayed
  epoch: 40, // u32 half-lives since 1970 that the counts stand for
  peer: 44, // u8 index of the peer group in the release + 1, 0 none
  peerSequence: 46, // u16 release sequence the peer group was chosen under, 1 + its rest by 65,535; 0 none
  typesAction: 48, // f32 decayed number of distinct actions seen (Witten-Bell T)
  typesClass: 52,
  typesDestination: 56,
  typesResource: 60,
  typesSource: 64,
  typesTransition: 68,
  countDestination: 72, // f32 learned events that had a destination
  countSource: 76, // f32 learned events that had a source address
  countTransition: 80, // f32 learned events that followed another in a session
  outcomes: 84, // f32 × 3
  provenances: 96, // f32 × 3
  country: 108, // u16, two letters; 0 unknown
  risk: 112, // f32
  riskAtS: 116, // u32 seconds
  activeDays: 120, // f32 days with events
  /** u32, six bits for each part of the version as it was told last, in the order of VERSION_PARTS; 0 never told. */
  parts: 124,
} as const

export const SLOT_FLAGS = { frozen: 1, erased: 2 } as const

/** Windows: three indexes, then per metric current, mean, variance and largest, all of log(1 + value) but the first (f32 each). */
export const WINDOWS = 128
export const W = {
  eventsMinute: 0,
  bytesOutMinute: 1,
  eventsHour: 2,
  bytesOutHour: 3,
  bytesInHour: 4,
  failuresHour: 5,
  deniedHour: 6,
  /** No amount: four bytes that are cleared with the hour, see rare-actions.ts. */
  rareActions: 7,
  sensitiveHour: 8,
  resourcesHour: 9,
  sourcesHour: 10,
  eventsDay: 11,
  bytesOutDay: 12,
  bytesInDay: 13,
  externalDay: 14,
} as const
export const WINDOW_METRICS = 15
/** First metric of the hour and of the day window. */
export const W_HOUR = 2
export const W_DAY = 11
export const WINDOW_VALUES = WINDOWS + 16
/** Eight bits of each of the last rare actions in the hour, oldest first; 0 none. */
export const RARE_ACTIONS = WINDOW_VALUES + W.rareActions * 16 // 4 × u8
export const RARE_ACTION_COUNT = 4

/** Slow anchor beside the fast windows: mean and variance of log daily events and bytes, session length, 64 bytes. */
export const ANCHOR = 384
export const A = {
  eventsMean: 0,
  eventsVariance: 4,
  bytesMean: 8,
  bytesVariance: 12,
  days: 16,
  sessionMean: 20,
  sessionVariance: 24,
  sessions: 28,
  largeUsual: 32, // f32 unusually large sends a day, see ramp.ts
  /** u32, a bit per hour of the current day in which something was learned; joins the profile when the day is over. */
  hoursToday: 36,
  lastDeniedClass: 40, // u32 fingerprint
  lastDeniedAtS: 44, // u32
  deniedRun: 48, // f32
  lastSourceSet: 52, // u32 bitmap of networks this hour
  ramp: 56, // f32 those beyond the usual, summed over days
  largeToday: 60, // u32, those of the current day and when the last was
} as const

export const HOURS = 448 // 168 × u8, days with activity in that hour of the week
/** Per open session how odd its last acts were, see 6-score/evidence. */
export const RUNS = 616 // 4 × u8
export const HOURS_TOTAL = 620 // f32
/** Per open session the indexes + 1 of the two peer groups it is held against, see 3-features/roles; 0 none. */
export const ROLES = 624 // 4 × 2 × u8
export const ROLES_BYTES = 8
export const ACTIONS = 640 // 8 sets
export const ACTION_SETS = 8
export const CLASSES = 1152 // 2 sets
export const CLASS_SETS = 2
export const DESTINATIONS = 1280 // 8 sets
export const DESTINATION_SETS = 8
/** Pairs: an action after another in a session, a class with the origins of its arguments and with how its destination was told. */
export const TRANSITIONS = 1792 // 8 sets
export const TRANSITION_SETS = 8
export const NETWORKS = 2304 // 2 sets
export const NETWORK_SETS = 2
export const COUNTRIES = 2432 // 1 set each from here
export const USER_AGENTS = 2496
export const DELEGATES = 2560
export const SEGMENTS = 2624
export const VERSIONS = 2688
export const HISTOGRAMS = 2752 // 5 × 32 × u16
export const HISTOGRAM_BUCKETS = 32
export const HG = { bytesOut: 0, bytesIn: 1, durationMs: 2, tokens: 3, gap: 4 } as const
export const HISTOGRAM_COUNT = 5
/** One event uses no billion of tokens: what is left of its histogram keeps hours of the day. */
export const TOKEN_BUCKETS = 24
/** Buckets that a histogram has; all lie HISTOGRAM_BUCKETS apart. */
export const bucketsOf = (which: number): number => (which === HG.tokens ? TOKEN_BUCKETS : HISTOGRAM_BUCKETS)
/** Per hour of the day an i8: log bytes sent in it beside those of all hours; 16 here and 8 before the actions. See profile.ts. */
const PROFILE = HISTOGRAMS + (HG.tokens * HISTOGRAM_BUCKETS + TOKEN_BUCKETS) * 2
const PROFILE_REST = 632
export const profileAt = (hour: number): number => (hour < 16 ? PROFILE + hour : PROFILE_REST + hour - 16)
export const RESOURCE_FILTER = 3072 // 1,024 bits, two halves that age by turns
export const RESOURCE_FILTER_BYTES = 128
export const HOUR_BITMAP = 3200 // 512 bits, distinct resources of the hour
export const HOUR_BITMAP_BYTES = 64
export const EVENT_IDS = 3264 // 32 × u32 ring
export const EVENT_ID_COUNT = 32
export const OVERFLOW_FILTER = 3392 // 1,024 bits: destinations, and actions and classes pushed out of their sets
export const OVERFLOW_FILTER_BYTES = 128

/** Four open sessions, 64 bytes each. */
export const SESSIONS = 3520
export const SESSION_COUNT = 4
export const SESSION_BYTES = 64
export const SE = {
  hash: 0, // u32
  startS: 4, // u32
  lastS: 8, // u32
  events: 12, // u16
  flow: 14, // u8 steps completed
  firsts: 15, // u8
  lastAction: 16, // u32 fingerprint
  roles: 20, // 2 × i16, how much better those groups explain the session than the identity itself, 1/64 nat
  untrustedAtS: 24, // u32
  untrustedClass: 28, // u32 fingerprint
  sensitiveAtS: 32, // u32
  sensitiveClass: 36, // u32 fingerprint
  unusual: 40, // u16 fading count of events unusual by themselves, 1/256
  foreign: 42, // u16 acts so far that are foreign to the peers and rare for the identity
  bytesOut: 44, // f32
  untrustedLabel: 48, // 16 bytes, start of the class name of the text read, for the words of an alert
} as const
export const LABEL_BYTES = 16

/** Four open alert groups, 48 bytes each. */
export const GROUPS = 3776
export const GROUP_COUNT = 4
export const GROUP_BYTES = 48
/** again: it was told of the same before. adopting: it has gone on for so long that it is learned. */
export const GROUP_FLAGS = { again: 1, adopting: 2 } as const
export const G = {
  key: 0, // u32 fingerprint of family and session or hour
  flags: 4, // u8, see GROUP_FLAGS
  severity: 5, // u8
  revision: 6, // u16
  firstOffset: 8, // f64
  firstTime: 16, // f64
  lastS: 24, // u32
  count: 28, // u32; 0 when the group is closed
  published: 32, // u32 count at the last published revision
  act: 36, // u32 what its events did to what, 0 once they differ
  pattern: 40, // u32 family and object: the same thing again within a day joins the group
  bytesOut: 44, // f32 what its events sent altogether
} as const

/** Eight patterns that an analyst called safe: fingerprint of family and object, and expiry. */
export const SAFE = 3968
export const SAFE_COUNT = 8
export const SAFE_BYTES = 8
/** Small change: how full the current half of the resource filter is, and which half that is. */
export const RESOURCE_FILL = 4032 // u16
export const RESOURCE_HALF = 4034 // u8
/** Identity's name for declared peer group: fingerprint, 0 none. */
export const DECLARED_GROUP = 4036 // u32
/** Completed windows per length: minutes, hours, days (f32 each). */
export const WINDOW_COUNTS = 4040
/** Bits for minute, hour, day: an alerted event lies in the current window, so it must not become the new record. */
export const TAINTED = 4052 // u8
/** What hours sent beyond the usual, summed up, and how high such a sum usually stands; see level.ts. */
export const LEVEL = 4053 // u8
export const LEVEL_USUAL = 4054 // u16
/** Exfiltration flows to new destinations that were part of normal work. */
export const FLOWS = 4056 // f32
/** Values counted in each histogram (f32 each). */
export const HISTOGRAM_TOTALS = 4060
/** When the last source country was seen; 0 before the first. */
export const COUNTRY_AT = 4080 // u32 seconds
/** The version met last that was new to the identity, and when it first was. */
export const VERSION = 4084 // u32 fingerprint
export const VERSION_AT = 4088 // u32 seconds
/** Per open session eight bits of the destination used last; 0 none. */
export const PLACES = 4092 // 4 × u8
export const SLOT_USED = 4096
