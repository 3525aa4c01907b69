import { S } from '../record.ts'
import type { CountMap, GroupStats } from '../state/groups.ts'
import {
  ACTION_SETS,
  ACTIONS,
  CLASS_SETS,
  CLASSES,
  COUNTRIES,
  DELEGATES,
  OVERFLOW_FILTER,
  OVERFLOW_FILTER_BYTES,
  DESTINATION_SETS,
  DESTINATIONS,
  H,
  NETWORK_SETS,
  NETWORKS,
  RESOURCE_FILTER,
  RESOURCE_FILTER_BYTES,
  SEGMENTS,
  TRANSITION_SETS,
  TRANSITIONS,
  USER_AGENTS,
  VERSIONS,
} from '../state/layout.ts'
import { countOf, filterHas, overflowHash } from '../state/tables.ts'
import type { Work } from '../work.ts'
import { indexOf } from '../state/index-of.ts'
import { isRareAction, timesAmongRare } from '../state/rare-actions.ts'
import { provenanceFeatures } from './provenance.ts'
import { SEEN, surprise } from './surprise.ts'

const ACTION_OWN = indexOf('action_own')
const ACTION_AGAIN = indexOf('action_again')
const CLASS_OWN = indexOf('class_own')
const IDENTITY_NEW = indexOf('identity_new')
const TRANSITION_OWN = indexOf('transition_own')
const TRANSITION_PEER = indexOf('transition_peer')
const DESTINATION_OWN = indexOf('destination_own')
const DESTINATION_FIRST = indexOf('destination_first')
const DESTINATION_UNTOLD = indexOf('destination_untold')
const RESOURCE_FIRST = indexOf('resource_first')
const SOURCE_OWN = indexOf('source_own')
const COUNTRY_OWN = indexOf('country_own')
const USER_AGENT_OWN = indexOf('user_agent_own')
const OUTCOME_OWN = indexOf('outcome_own')
const VERSION_CHANGED = indexOf('version_changed')
const SEGMENT_OWN = indexOf('segment_own')
const DELEGATION_OWN = indexOf('delegation_own')
const SENSITIVE_FIRST = indexOf('sensitive_first')

/** Weight of the group's opinion beside the identity's own types, in events. */
const KAPPA = 2
/** Nats for each time that a rare action was among the last rare ones: by chance one in seven is as the one before. */
const AGAIN = 2
/** What is assumed of a name nobody has used: the share of one of so many unseen ones. */
const UNSEEN_ACTION = 1 / 64
const UNSEEN_CLASS = 1 / 32
const UNSEEN_DESTINATION = 1 / 128

/** Witten–Bell back-off from a group to a coarser prior: (count + types × prior) / (total + types). Witten & Bell 1991.
 * Whoever did it belongs to the group: at least once it was done there, though no table may have kept it. */
const backOff = (map: CountMap, fp: number, ownCount: number, prior: number): number => {
  const least = map.total === 0 ? 0 : Math.min(1, ownCount)
  return (Math.max(map.count(fp), least) + (map.types + 1) * prior) / (map.total + map.types + 1)
}

/** The same for an identity: types it has used so far stand for how readily it uses new ones. */
const own = (count: number, total: number, types: number, prior: number): number =>
  (count + (types + KAPPA) * prior) / (total + types + KAPPA)

/** Rarity of action, class, transition and destination: own, then drawn to the peers', then to everyone's. */
export const nameFeatures = (w: Work, group: GroupStats, everyone: GroupStats): void => {
  const { seg, base, features: x } = w
  const f32 = seg.f32
  const h = base >> 2
  const learned = f32[h + (H.learned >> 2)]!

  const actions = countOf(seg, base + ACTIONS, ACTION_SETS, w.action, w.actionHi) || pushedOutBefore(w, w.action)
  w.ownActions = actions
  const pActionAll = backOff(everyone.actions, w.action, actions, UNSEEN_ACTION)
  const pActionPeer = backOff(group.actions, w.action, actions, pActionAll)
  const pAction = own(actions, learned, f32[h + (H.typesAction >> 2)]!, pActionPeer)
  x[ACTION_OWN] = surprise(pAction)
  x[ACTION_OWN + 1] = surprise(pActionPeer)
  x[ACTION_OWN + 2] = surprise(pActionAll)
  x[ACTION_AGAIN] = isRareAction(x[ACTION_OWN]!) ? AGAIN * timesAmongRare(w) : 0
  w.newAction = actions < SEEN

  const classes = countOf(seg, base + CLASSES, CLASS_SETS, w.class_, w.classHi) || pushedOutBefore(w, w.class_)
  w.ownClasses = classes
  const pClassAll = backOff(everyone.classes, w.class_, classes, UNSEEN_CLASS)
  const pClassPeer = backOff(group.classes, w.class_, classes, pClassAll)
  const pClass = own(classes, learned, f32[h + (H.typesClass >> 2)]!, pClassPeer)
  x[CLASS_OWN] = surprise(pClass)
  x[CLASS_OWN + 1] = surprise(pClassPeer)
  x[IDENTITY_NEW] = identityNew(f32[h + (H.seen >> 2)]!, everyone)
  w.newClass = classes < SEEN
  x[SENSITIVE_FIRST] = w.newClass && w.sensitivity >= 2 ? (surprise(pClass) * w.maturity * w.sensitivity) / 3 : 0

  w.pActionAll = pActionAll
  transitions(w, group, pAction, pActionPeer)
  destinations(w, group, everyone)
  provenanceFeatures(w, group, everyone)
}

/** Events of the whole tenant from which on a release can tell how rare a new identity is. */
const ENOUGH_EVENTS = 200
/** Events over which an identity's newness halves, learned or not: an alert on its first ones must not keep it new for ever. */
const NEW_FOR = 8

/** How rare a new identity is here, fading as this one becomes known. */
const identityNew = (seen: number, everyone: GroupStats): number =>
  everyone.events < ENOUGH_EVENTS
    ? 0
    : (surprise((everyone.members + 1) / (everyone.events + everyone.members)) * NEW_FOR) / (NEW_FOR + seen)

/** What its table has pushed out counts as one event. */
const pushedOutBefore = (w: Work, fp: number): number =>
  filterHas(w.seg.u8, w.base + OVERFLOW_FILTER, OVERFLOW_FILTER_BYTES * 8, fp, overflowHash(fp)) ? 1 : 0

const transitions = (w: Work, group: GroupStats, pAction: number, pActionPeer: number): void => {
  const { seg, base, features: x } = w
  if (w.transition === 0) {
    x[TRANSITION_OWN] = 0
    x[TRANSITION_PEER] = 0
    w.likelihood = Math.max(pAction, pActionPeer)
    return
  }
  const count = countOf(seg, base + TRANSITIONS, TRANSITION_SETS, w.transition, w.transitionHi)
  // The set of the previous action is found by its fingerprint alone, so its own count is not at hand: the average
  // number of followers of an action stands in for it.
  const f32 = seg.f32
  const h = base >> 2
  const types = f32[h + (H.typesTransition >> 2)]! + 1
  const actionsKnown = f32[h + (H.typesAction >> 2)]! + 1
  const perAction = f32[h + (H.countTransition >> 2)]! / actionsKnown
  const followers = types / actionsKnown
  const pPeer = backOffTransition(group, w, pActionPeer)
  const prior = 0.5 * pAction + 0.5 * pPeer
  // What the order adds beyond the action itself: a new action is not counted again as a new transition.
  const pOwn = (count + (followers + KAPPA) * prior) / (Math.max(perAction, count) + followers + KAPPA)
  w.likelihood = Math.max(pOwn, pPeer)
  x[TRANSITION_OWN] = surprise(pOwn / pAction)
  x[TRANSITION_PEER] = surprise(pPeer / pActionPeer)
}

const backOffTransition = (group: GroupStats, w: Work, pAction: number): number => {
  const from = group.actions.count(w.previousAction)
  const followers = group.transitions.types / (group.actions.types + 1) + 1
  return Math.min(1, (group.transitions.count(w.transition) + followers * pAction) / (from + followers))
}

const destinations = (w: Work, group: GroupStats, everyone: GroupStats): void => {
  const { seg, base, features: x, event } = w
  const f32 = seg.f32
  const h = base >> 2
  const provenance = event.provenance
  x[DESTINATION_UNTOLD] = provenance === 255 || provenance === 0 ? 0 : 1
  w.newDestination = false
  if (w.destination === 0) {
    x[DESTINATION_OWN] = x[DESTINATION_OWN + 1] = x[DESTINATION_OWN + 2] = 0
    x[DESTINATION_FIRST] = 0
    return
  }
  let count = countOf(seg, base + DESTINATIONS, DESTINATION_SETS, w.destination, w.destinationHi)
  if (count === 0 && filterHas(seg.u8, base + OVERFLOW_FILTER, OVERFLOW_FILTER_BYTES * 8, w.destination, w.destinationHi)) count = 0.5
  w.ownDestinations = count
  const pAll = backOff(everyone.destinations, w.destination, count, UNSEEN_DESTINATION)
  const pPeer = backOff(group.destinations, w.destination, count, pAll)
  x[DESTINATION_OWN] = surprise(own(count, f32[h + (H.countDestination >> 2)]!, f32[h + (H.typesDestination >> 2)]!, pPeer))
  x[DESTINATION_OWN + 1] = surprise(pPeer)
  x[DESTINATION_OWN + 2] = surprise(pAll)
  w.newDestination = count < SEEN
  x[DESTINATION_FIRST] = w.newDestination ? 1 : 0
}

/** Surprise of one of three categories with counts in place; the prior favours the first. */
const categorical = (f32: Float32Array, at: number, which: number, kappa: number): number => {
  const total = f32[at]! + f32[at + 1]! + f32[at + 2]!
  const prior = which === 0 ? 0.8 : 0.1
  return surprise((f32[at + which]! + 2 * kappa * prior) / (total + 2 * kappa))
}

/** Everything that comes in few variants: source, agent, country, outcome, version, segment, delegate, resource. */
export const originFeatures = (w: Work, group: GroupStats): void => {
  const { seg, base, features: x } = w
  const f32 = seg.f32
  const h = base >> 2
  const learned = f32[h + (H.learned >> 2)]!
  const sources = f32[h + (H.countSource >> 2)]!
  const typesSource = f32[h + (H.typesSource >> 2)]!

  w.newNetwork = false
  x[SOURCE_OWN] = 0
  if (w.network !== 0) {
    const count = countOf(seg, base + NETWORKS, NETWORK_SETS, w.network, w.networkHi)
    const pPeer = backOff(group.networks, w.network, count, 0.01)
    x[SOURCE_OWN] = surprise(own(count, sources, typesSource, pPeer))
    w.newNetwork = count < SEEN
  }
  x[COUNTRY_OWN] = w.country === 0 ? 0 : few(w, COUNTRIES, w.country, 0, sources, 0.05)
  x[USER_AGENT_OWN] = w.userAgent === 0 ? 0 : few(w, USER_AGENTS, w.userAgent, w.userAgentHi, learned, 0.05)
  x[DELEGATION_OWN] = w.delegate === 0 ? 0 : few(w, DELEGATES, w.delegate, w.delegateHi, learned, 0.2)
  x[SEGMENT_OWN] = w.segments === 0 ? 0 : few(w, SEGMENTS, w.segments, w.segmentsHi, learned, 0.05)
  x[OUTCOME_OWN] = categorical(f32, h + (H.outcomes >> 2), w.event.outcome, 2)
  x[VERSION_CHANGED] =
    w.versions !== 0 &&
    learned > 0 &&
    seg.u32[(base + VERSIONS) >> 2] !== 0 &&
    countOf(seg, base + VERSIONS, 1, w.versions, w.versionsHi) === 0
      ? 1
      : 0
  resourceFeature(w, learned)
}

const few = (w: Work, table: number, fp: number, hi: number, total: number, unseen: number): number => {
  const count = countOf(w.seg, w.base + table, 1, fp, hi)
  return surprise((count + KAPPA * unseen) / (Math.max(total, count) + KAPPA))
}

/** New resources are normal for most: what counts is how often this identity meets one. */
const resourceFeature = (w: Work, learned: number): void => {
  w.newResource = false
  w.features[RESOURCE_FIRST] = 0
  if (w.resource === 0 || !w.event.has(S.resource)) return
  const u8 = w.seg.u8
  const half = RESOURCE_FILTER_BYTES / 2
  const at = w.base + RESOURCE_FILTER
  w.newResource = !filterHas(u8, at, half * 8, w.resource, w.resourceHi) && !filterHas(u8, at + half, half * 8, w.resource, w.resourceHi)
  if (!w.newResource) return
  const share = w.seg.f32[(w.base + H.typesResource) >> 2]!
  const known = learned / (learned + 20)
  w.features[RESOURCE_FIRST] = surprise(known * Math.max(share, 0.002) + (1 - known) * 0.5)
}
