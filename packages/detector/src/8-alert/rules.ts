import { IDENTITY_KINDS, REASON_FAMILIES, type ReasonFamily } from '@plumbline/schemas'
import type { GroupStats } from '../state/groups.ts'
import { FLOWS, H, SE } from '../state/layout.ts'
import { indexOf } from '../state/index-of.ts'
import { peersKnown } from '../state/peers-known.ts'
import type { Work } from '../work.ts'
import { changedLately, flowIsForeign, foreignRule } from './foreign.ts'
import { hourRule } from './hour-rules.ts'
import { HALF_KNOWN, KNOWN, speaks } from './rule-evidence.ts'
import { goesOnSending, growsLarge, movesOut, movesOutAtNight, sendsWhereLured } from './sends.ts'
import { isAnother, takesRestricted, turns } from './turns.ts'

const FLOW = indexOf('session_flow')
const UNTOLD = indexOf('destination_untold')
const COUNTRY = indexOf('country_own')
const DENIED_THEN_ALLOWED = indexOf('denied_then_allowed')
const SENSITIVE_FIRST = indexOf('sensitive_first')
const ACTION = indexOf('action_own')
const CLASS = indexOf('class_own')
const RATE_HOUR = indexOf('rate_hour')
const HOUR = indexOf('hour_own')
const SOURCE = indexOf('source_own')

/** Share of peers that may do the same for it to count as unusual in the group. */
const PEER_SHARE = 0.1
const IMPOSSIBLE_KMH = 1000

/** Whether nobody wants to hear of a family now. */
type IsQuiet = (w: Work, family: ReasonFamily) => boolean
/** A fact that carries an alert; null where it does not speak. A rule that may name several families leaves out those that are quiet. */
type Rule = (w: Work, group: GroupStats, isQuiet: IsQuiet) => ReasonFamily | null

const deniedByPolicy: Rule = (w) => (w.deniedBy === null ? null : 'policy')

const flowToOutside: Rule = (w, group) => {
  if (w.event.outcome !== 0 || w.features[FLOW] !== 3 || !w.newDestination || !toldOtherwise(w)) return null
  if (flowIsForeign(w)) return 'toxic_flow'
  const enough = w.maturity >= KNOWN && speaks(w, w.event.kind === USER ? 'toxic_flow_of_people' : 'toxic_flow')
  return enough && (flowIsNew(w, group) || flowIsOdd(w)) ? 'toxic_flow' : null
}

const letInAfterDenials: Rule = (w) =>
  w.event.outcome === 0 && w.features[DENIED_THEN_ALLOWED] === 1 && w.sensitivity >= 2 && speaks(w, 'probing') ? 'probing' : null

const firstOfRestricted: Rule = (w, group) =>
  w.event.outcome === 0 &&
  w.newClass &&
  w.sensitivity >= 3 &&
  speaks(w, 'sensitive_access') &&
  w.maturity >= KNOWN &&
  w.features[SENSITIVE_FIRST]! >= 2.5 &&
  peersRarely(w, group) &&
  (!peersKnown(w, group) || w.foreignAfter >= 2)
    ? 'sensitive_access'
    : null

const fastJourney: Rule = (w) =>
  w.travelKmh >= IMPOSSIBLE_KMH && w.features[COUNTRY]! >= 4 && (fromNowhere(w) || (w.maturity >= KNOWN && speaks(w, 'travel')))
    ? 'travel'
    : null

/** In the order in which they have the word: what would be done about it first, then what tells more. */
const RULES: readonly Rule[] = [
  deniedByPolicy,
  flowToOutside,
  letInAfterDenials,
  firstOfRestricted,
  foreignRule,
  (w) => (movesOut(w) || movesOutAtNight(w) ? 'volume' : null),
  (w) => (sendsWhereLured(w) ? 'new_destination' : null),
  (w) => (isAnother(w) ? 'source' : null),
  (w) => (takesRestricted(w) ? 'sensitive_access' : null),
  (w) => (turns(w) ? 'new_behaviour' : null),
  (w, _, isQuiet) => hourRule(w, isQuiet),
  (w) => (growsLarge(w) ? 'volume' : null),
  (w) => (goesOnSending(w) ? 'drift' : null),
  fastJourney,
  (w) => (worksAtNight(w) ? 'off_hours' : null),
  (w) => (w.unannounced === 0 ? null : 'version_change'),
]

/**
 * Facts that carry an alert beside the learned score: each needs its own minimum of evidence, none needs the budget.
 * @param isQuiet whether nobody wants to hear of a family now: the word passes on to the next rule that speaks
 * @returns the family, one that is quiet only where no other speaks, or null when no rule does
 */
export const ruleOf = (w: Work, group: GroupStats, isQuiet: IsQuiet = NONE_IS_QUIET): ReasonFamily | null => {
  let quiet: ReasonFamily | null = null
  for (let i = 0; i < RULES.length; i++) {
    const family = RULES[i]!(w, group, isQuiet)
    if (family === null) continue
    if (!isQuiet(w, family)) return family
    quiet ??= family
  }
  return quiet
}
const NONE_IS_QUIET: IsQuiet = () => false

/**
 * A person well known goes on working when it is not active: more than it does in an hour, or many acts of one sitting.
 * Agents and services are started by others. In a large company somebody does every night.
 */
const worksAtNight = (w: Work): boolean =>
  w.event.kind === USER &&
  w.maturity >= KNOWN &&
  w.features[HOUR]! >= 2.9 + (w.tenant.release?.fleet ?? 0) &&
  (w.features[RATE_HOUR]! >= 1 || actsInSitting(w) >= MANY_ACTS)

/** Who is paged at night does a dozen acts and goes back to bed. */
const MANY_ACTS = 18
/** Longer than this a session reaches into hours that are usual. */
const SITTING_S = 7200
/** Acts of the session so far; none where it began at another time of day. */
const actsInSitting = (w: Work): number => {
  if (w.sessionIsNew) return 1
  const { u16, u32 } = w.seg
  const lasted = Math.floor(w.timeMs / 1000) - u32[(w.sessionAt + SE.startS) >> 2]!
  return lasted > SITTING_S ? 0 : u16[(w.sessionAt + SE.events) >> 1]! + 1
}
const USER = IDENTITY_KINDS.indexOf('user')

/** Neither the network nor the country was ever its own; the less it is known, the further off they are. */
const fromNowhere = (w: Work): boolean => {
  const x = w.features
  return (w.maturity >= HALF_KNOWN && x[SOURCE]! >= 6) || (w.maturity >= 0.25 && x[SOURCE]! >= 8 && x[COUNTRY]! >= 6)
}

/**
 * Who ends such flows at new destinations as a matter of course is not told by one more. Where provenance is known, the
 * course that matters is one to places that nobody asked for: a support agent answers new customers every day, but each
 * of them wrote the ticket.
 */
const flowIsNew = (w: Work, group: GroupStats): boolean => {
  const f32 = w.seg.f32
  const h = w.base >> 2
  if (f32[(w.base + FLOWS) >> 2]! >= USUAL_FLOWS) return false
  if (w.event.provenance !== 255) {
    const at = h + (H.provenances >> 2)
    const untold = f32[at + 1]! + f32[at + 2]!
    return untold < RARELY_UNTOLD * (f32[at]! + untold + 10)
  }
  const newShare = f32[h + (H.typesDestination >> 2)]! / (f32[h + (H.countDestination >> 2)]! + 10)
  return newShare < RARELY && group.novelty[2]! < RARELY * 1.5
}
/** Among flows that are usual for it, one whose steps are not: odd calls just before, or an act it hardly ever ends with. */
const flowIsOdd = (w: Work): boolean =>
  w.tailLog10 >= ODD_TAIL &&
  !changedLately(w) &&
  (w.unusualAfter >= 3 * 256 || Math.max(w.features[ACTION]!, w.features[CLASS]!) >= RARE_ACT)
const ODD_TAIL = 2.7
const RARE_ACT = 6
const USUAL_FLOWS = 2.5
const RARELY = 0.25
const RARELY_UNTOLD = 0.3

/** The destination did not come from the user's request; where provenance is unknown, nobody in the tenant may know it. */
const toldOtherwise = (w: Work): boolean =>
  w.event.provenance === 255 ? w.tenant.everyone.destinations.count(w.destination) === 0 : w.features[UNTOLD] === 1

const peersRarely = (w: Work, group: GroupStats): boolean =>
  group.members < 2 || group.classes.members(w.class_) / group.members < PEER_SHARE

/** Index of a family, as kept in the slot. */
export const familyIndex = (family: ReasonFamily): number => REASON_FAMILIES.indexOf(family)
