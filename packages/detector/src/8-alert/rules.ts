import { IDENTITY_KINDS, REASON_FAMILIES, type ReasonFamily } from '@plumbline/schemas'
import { N } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { FLOWS, H, SE, W } from '../state/layout.ts'
import { indexOf } from '../state/index-of.ts'
import { peersKnown } from '../state/peers-known.ts'
import { windowMean, windowValue, windowVariance } from '../state/window-of.ts'
import type { Work } from '../work.ts'
import { changedLately, flowIsForeign, foreignRule } from './foreign.ts'

const FLOW = indexOf('session_flow')
const UNTOLD = indexOf('destination_untold')
const COUNTRY = indexOf('country_own')
const DENIED_THEN_ALLOWED = indexOf('denied_then_allowed')
const SENSITIVE_FIRST = indexOf('sensitive_first')
const ACTION = indexOf('action_own')
const CLASS = indexOf('class_own')
const RATE_MINUTE = indexOf('rate_minute')
const RATE_HOUR = indexOf('rate_hour')
const BYTES_OUT = indexOf('bytes_out_own')
const DESTINATION = indexOf('destination_own')
const BYTES_OUT_HOUR = indexOf('bytes_out_hour')
const HOUR = indexOf('hour_own')
const SOURCE = indexOf('source_own')

/** An identity must be known this well before "it never did that" carries weight on its own. */
const KNOWN = 0.55
/** Share of peers that may do the same for it to count as unusual in the group. */
const PEER_SHARE = 0.1
const IMPOSSIBLE_KMH = 1000

/**
 * How improbable the event must be as well, −log10 of its tail: rules on single steps need more, those that already
 * weigh several facts need little. A rule that lacks its evidence leaves the word to the next.
 */
const RULE_TAIL = {
  toxic_flow: 2.5,
  sensitive_access: 3.75,
  probing: 3.5,
  rate: 1.5,
  volume: 1.5,
  travel: 1.5,
  drift: 1.5,
  drift_of_odd: 2.3,
} as const
/** The minima hold where the budget asks for 1e-5; where it asks for more, or a larger fleet has ten times the events, rules need as much more. */
const USUAL_THRESHOLD = 5
const speaks = (w: Work, family: keyof typeof RULE_TAIL): boolean => {
  const { release } = w.tenant
  const threshold = release?.header.thresholds.alertTailLog10 ?? USUAL_THRESHOLD
  const least = w.modelled && release !== null ? Math.min(RULE_TAIL[family], release.resolution) : RULE_TAIL[family]
  return w.tailLog10 >= least + Math.max(0, threshold - USUAL_THRESHOLD, release?.fleet ?? 0)
}

/**
 * Facts that carry an alert beside the learned score: each needs its own minimum of evidence, none needs the budget.
 * @returns the family, or null when no rule speaks
 */
export const ruleOf = (w: Work, group: GroupStats): ReasonFamily | null => {
  const x = w.features
  if (w.deniedBy !== null) return 'policy'
  if (w.event.outcome === 0) {
    if (
      x[FLOW] === 3 &&
      w.newDestination &&
      toldOtherwise(w) &&
      (flowIsForeign(w) || (speaks(w, 'toxic_flow') && w.maturity >= KNOWN && (flowIsNew(w, group) || flowIsOdd(w))))
    )
      return 'toxic_flow'
    if (x[DENIED_THEN_ALLOWED] === 1 && w.sensitivity >= 2 && speaks(w, 'probing')) return 'probing'
    if (
      w.newClass &&
      w.sensitivity >= 3 &&
      speaks(w, 'sensitive_access') &&
      w.maturity >= KNOWN &&
      x[SENSITIVE_FIRST]! >= 2.5 &&
      peersRarely(w, group) &&
      (!peersKnown(w, group) || w.foreignAfter >= 2)
    )
      return 'sensitive_access'
  }
  const foreign = foreignRule(w)
  if (foreign !== null) return foreign
  if (rateExplodes(w) && speaks(w, 'rate')) return 'rate'
  if (((movesOut(w) || amountExplodes(w)) && speaks(w, 'volume')) || movesOutAtNight(w)) return 'volume'
  if (goesOnSending(w)) return 'drift'
  if (w.travelKmh >= IMPOSSIBLE_KMH && x[COUNTRY]! >= 4 && (fromNowhere(w) || (w.maturity >= KNOWN && speaks(w, 'travel')))) return 'travel'
  if (worksAtNight(w)) return 'off_hours'
  return w.unannounced === 0 ? null : 'version_change'
}

/** Events a minute or an hour far beyond all that this identity ever did: for constant robots the only sign there is. */
const RATE_NATS = 6
const rateExplodes = (w: Work): boolean => w.maturity >= KNOWN && Math.max(w.features[RATE_MINUTE]!, w.features[RATE_HOUR]!) >= RATE_NATS

/** Bytes of an hour that its own hours all but exclude: whose amounts hardly vary is told by half as much again. */
const BYTES_NATS = 15
/** From so many nats on the amount is a matter of how often it acts, which the rule on rate judges. */
const OFTEN = 2
const amountExplodes = (w: Work): boolean =>
  w.features[BYTES_OUT_HOUR]! >= BYTES_NATS && w.features[RATE_HOUR]! < OFTEN && sendsEveryHour(w)
/**
 * Well known, and most of its hours send something: to begin to send is another matter than to send more. What people send
 * goes up and down with their work for hours on end.
 */
const sendsEveryHour = (w: Work): boolean => {
  const mean = windowMean(w, W.bytesOutHour)
  return w.event.kind !== USER && w.maturity >= KNOWN && mean * mean > 4 * windowVariance(w, W.bytesOutHour)
}

/** Unusually large sends that go on over days, seldom by chance; fewer where the one at hand is odd in itself. */
const goesOnSending = (w: Work): boolean =>
  shifts(w) || (w.rampNats >= 9 && speaks(w, 'drift')) || (w.rampNats >= 6.5 && speaks(w, 'drift_of_odd'))

/** Hours in a row that each send more than is usual at their time: the level has shifted. */
const SHIFT_NATS = 10
const shifts = (w: Work): boolean => w.shiftNats >= SHIFT_NATS && sendsEveryHour(w) && speaks(w, 'drift')

/** Below this nobody needs to be woken for the size of one transfer, however unusual it is. */
const LEAST_BYTES = 25_000_000
/** A transfer far beyond the identity's own, to a place outside that it does not use. */
const movesOut = (w: Work): boolean =>
  w.isExternal &&
  w.maturity >= KNOWN &&
  w.event.number[N.bytesOut]! >= LEAST_BYTES &&
  w.features[BYTES_OUT]! >= 6 &&
  w.features[DESTINATION]! >= 5

/**
 * Much in an hour, in pieces that need not be large, to a place outside that it hardly uses, at an hour when it is not active:
 * each is life, together they are a few in ten thousand identities a day.
 */
const movesOutAtNight = (w: Work): boolean =>
  w.isExternal &&
  w.maturity >= HALF_KNOWN &&
  w.features[HOUR]! >= 3.5 &&
  w.features[BYTES_OUT_HOUR]! >= 3 &&
  w.features[DESTINATION]! >= 2.5 &&
  windowValue(w, W.bytesOutHour) + w.event.number[N.bytesOut]! >= LEAST_BYTES
/** Where several habits must be left at once, each may be less well known. */
const HALF_KNOWN = 0.4

/**
 * A person well known goes on working when it is not active: more than it does in an hour, or many acts of one sitting.
 * Agents and services are started by others. In a large company somebody does every night.
 */
const worksAtNight = (w: Work): boolean =>
  w.event.kind === USER &&
  w.maturity >= KNOWN &&
  w.features[HOUR]! >= 3 + (w.tenant.release?.fleet ?? 0) &&
  (w.features[RATE_HOUR]! >= 1 || actsInSitting(w) >= MANY_ACTS)

/** Who is paged at night does a dozen acts and goes back to bed. */
const MANY_ACTS = 20
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

/** Neither the network nor the country was ever its own. */
const fromNowhere = (w: Work): boolean => w.maturity >= HALF_KNOWN && w.features[SOURCE]! >= 6

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
