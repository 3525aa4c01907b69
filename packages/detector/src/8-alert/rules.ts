import { REASON_FAMILIES, type ReasonFamily } from '@plumbline/schemas'
import type { GroupStats } from '../4-baseline/groups.ts'
import { SE } from '../4-baseline/layout.ts'
import { indexOf } from '../3-features/index-of.ts'
import type { Work } from '../work.ts'

const FLOW = indexOf('session_flow')
const UNTOLD = indexOf('destination_untold')
const COUNTRY = indexOf('country_own')
const DENIED_THEN_ALLOWED = indexOf('denied_then_allowed')
const SENSITIVE_FIRST = indexOf('sensitive_first')
const VERSION = indexOf('version_changed')

/** An identity must be known this well before "it never did that" carries weight on its own. */
const KNOWN = 0.55
/** Share of peers that may do the same for it to count as unusual in the group. */
const PEER_SHARE = 0.1
const IMPOSSIBLE_KMH = 1000

/**
 * Facts that carry an alert beside the learned score: each needs its own minimum of evidence, none needs the budget.
 * @returns the family, or null when no rule speaks
 */
export const ruleOf = (w: Work, group: GroupStats): ReasonFamily | null => {
  const x = w.features
  if (x[FLOW] === 3 && w.newDestination && w.maturity >= 0.3 && toldOtherwise(w)) return 'toxic_flow'
  if (w.newClass && w.sensitivity >= 2 && w.maturity >= KNOWN && x[SENSITIVE_FIRST]! >= 2.5 && peersRarely(w, group)) return 'sensitive_access'
  if (w.travelKmh >= IMPOSSIBLE_KMH && w.maturity >= KNOWN && x[COUNTRY]! >= 4) return 'travel'
  if (x[DENIED_THEN_ALLOWED] === 1 && w.sensitivity >= 2) return 'probing'
  return null
}

/** The destination did not come from the user's request; where provenance is unknown, nobody in the tenant may know it. */
const toldOtherwise = (w: Work): boolean =>
  w.event.provenance === 255 ? w.tenant.everyone.destinations.count(w.destination) === 0 : w.features[UNTOLD] === 1

const peersRarely = (w: Work, group: GroupStats): boolean =>
  group.members < 2 || group.classes.members(w.class_) / group.members < PEER_SHARE

/** Index of a family, as kept in the slot. */
export const familyIndex = (family: ReasonFamily): number => REASON_FAMILIES.indexOf(family)
export const unannouncedChange = (w: Work): boolean => w.features[VERSION] === 1
export const untrustedAt = (w: Work): number => (w.sessionIsNew ? 0 : w.seg.u32[(w.sessionAt + SE.untrustedAtS) >> 2]!)
