import { FEATURE_COUNT, IDENTITY_KINDS } from '@plumbline/schemas'
import { indexOf } from '../state/index-of.ts'
import type { GroupStats } from '../state/groups.ts'
import { VERSION } from '../state/layout.ts'
import { changedParts, toldParts } from '../state/version-parts.ts'
import { Work } from '../work.ts'
import { isOnOwnGround, leaves } from './foreign.ts'
import { ruleOf } from './rules.ts'

const VERSION_CHANGED = indexOf('version_changed')
const USER = IDENTITY_KINDS.indexOf('user')

/**
 * Bits of the parts of its version that changed with this event and that nobody announced, where changes are announced. Told
 * with the first event of a version: what follows under it is judged as any other.
 */
export const unannouncedParts = (w: Work, historic: boolean): number => {
  if (w.features[VERSION_CHANGED] !== 1 || historic || w.late || w.event.kind === USER) return 0
  if (w.seg.u32[(w.base + VERSION) >> 2] === w.versions >>> 0 || !w.tenant.changes.areUsual(w.timeMs)) return 0
  const changed = changedParts(w)
  // Before this build nothing was kept of single parts: then any announced change may be this one.
  if (changed === null) return w.announced === null ? toldParts(w) : 0
  return changed & ~(w.announced?.parts ?? 0)
}

/**
 * What a changed model, prompt, tool or program does otherwise: what it does in which order, how fast and how much of it, on which
 * kinds of data, at which places inside, and how often it fails.
 */
const EXPLAINED = new Uint8Array(FEATURE_COUNT)
for (const name of [
  'action_own',
  'action_peer',
  'action_global',
  'class_own',
  'class_peer',
  'transition_own',
  'transition_peer',
  'destination_own',
  'destination_peer',
  'destination_global',
  'destination_first',
  'resource_first',
  'bytes_in_own',
  'bytes_in_log',
  'bytes_in_hour',
  'bytes_in_day',
  'duration_own',
  'tokens_own',
  'gap_own',
  'rate_minute',
  'rate_hour',
  'rate_day',
  'drift_rate',
  'failures_hour',
  'outcome_own',
  'action_again',
  'session_length',
  'session_firsts',
  'user_agent_own',
  'version_changed',
])
  EXPLAINED[indexOf(name)] = 1

const UNTOLD = indexOf('destination_untold')
const DENIED = 2

/**
 * Whether an announced change speaks of such an act at all: one on harmless data, from where the identity is at home, of which
 * nothing leaves, to no place but one that the request named, and not refused. Of any other nothing is explained, so that no
 * attack on what matters is told later or less for an announcement.
 */
const isOfChange = (w: Work): boolean =>
  isOnOwnGround(w) && !leaves(w) && !w.lured && w.features[UNTOLD] !== 1 && w.event.outcome !== DENIED

/** What is left of an event once all that the announced change explains is as it usually is. */
export interface Remainder {
  readonly tailLog10: number
  /** A rule speaks of it. */
  readonly ruled: boolean
}

/**
 * The event scored again with what the change explains at what is typical: a wider prior for what a deploy changes. Null for an
 * act that no announced change speaks of.
 */
export const remainderOf = (w: Work, group: GroupStats, score: (w: Work) => void): Remainder | null => {
  if (!isOfChange(w)) return null
  const typical = w.tenant.release?.mean ?? null
  const features = w.features.map((x, i) => (EXPLAINED[i] === 1 ? Math.min(x, typical?.[i] ?? 0) : x))
  const other = Object.assign(new Work(w), w, { features, contributions: new Float32Array(FEATURE_COUNT) })
  Object.assign(other, { newAction: false, newClass: false, newDestination: false, foreign: false })
  score(other)
  return { tailLog10: other.tailLog10, ruled: ruleOf(other, group) !== null }
}
