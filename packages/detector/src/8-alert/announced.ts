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

/** What a changed model, prompt, tool or program does otherwise, wherever it goes and whatever it touches. */
const ALWAYS = [
  'action_own',
  'action_peer',
  'action_global',
  'transition_own',
  'transition_peer',
  'resource_first',
  'duration_own',
  'tokens_own',
  'gap_own',
  'rate_minute',
  'rate_hour',
  'rate_day',
  'drift_rate',
  'failures_hour',
  'firsts_hour',
  'session_length',
  'session_firsts',
  'user_agent_own',
  'version_changed',
]
/** The same where the data is not confidential. */
const IF_HARMLESS = ['class_own', 'class_peer', 'bytes_in_own', 'bytes_in_log', 'bytes_in_hour', 'bytes_in_day']
/** The same where nothing leaves and nobody but the request named the place. */
const IF_INSIDE = ['destination_own', 'destination_peer', 'destination_global', 'destination_first']
const IF_NOT_DENIED = ['outcome_own']

const maskOf = (names: readonly string[]): Uint8Array => {
  const mask = new Uint8Array(FEATURE_COUNT)
  for (const name of names) mask[indexOf(name)] = 1
  return mask
}
const [always, ifHarmless, ifInside, ifNotDenied] = [ALWAYS, IF_HARMLESS, IF_INSIDE, IF_NOT_DENIED].map(maskOf) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]
const UNTOLD = indexOf('destination_untold')
const DENIED = 2

const isHarmless = (w: Work): boolean => w.sensitivity < 2
const isInside = (w: Work): boolean => !leaves(w) && !w.lured && w.features[UNTOLD] !== 1

/** What is left of an event once all that the announced change explains is as it usually is. */
export interface Remainder {
  readonly tailLog10: number
  readonly surprise: number
  /** A rule speaks of it. */
  readonly ruled: boolean
}

/**
 * The event scored again with what the change explains at what is typical: a wider prior for what a deploy changes, the same
 * as ever for data that matters, for where it goes, and for rules.
 */
export const remainderOf = (w: Work, group: GroupStats, score: (w: Work) => void): Remainder => {
  const typical = w.tenant.release?.mean ?? null
  const [harmless, inside, allowed] = [isHarmless(w), isInside(w), w.event.outcome !== DENIED]
  const features = w.features.map((x, i) => {
    const explained =
      always[i] === 1 || (harmless && ifHarmless[i] === 1) || (inside && ifInside[i] === 1) || (allowed && ifNotDenied[i] === 1)
    return explained ? Math.min(x, typical?.[i] ?? 0) : x
  })
  const other = Object.assign(new Work(w), w, { features, contributions: new Float32Array(FEATURE_COUNT) })
  other.newAction = false
  if (harmless) other.newClass = false
  if (inside && isOnOwnGround(w)) other.foreign = false
  score(other)
  return { tailLog10: other.tailLog10, surprise: other.surprise, ruled: ruleOf(other, group) !== null }
}
