import { IDENTITY_KINDS, type ReasonFamily } from '@plumbline/schemas'
import { VERSION_AT } from '../state/layout.ts'
import { isExternalDestination } from '../policy/index.ts'
import { S } from '../record.ts'
import { indexOf } from '../state/index-of.ts'
import type { Work } from '../work.ts'

const DESTINATION = indexOf('destination_own')
const COUNTRY = indexOf('country_own')
const SEGMENT = indexOf('segment_own')
const VERSION_CHANGED = indexOf('version_changed')
const USER = IDENTITY_KINDS.indexOf('user')

/** Acts of a session that are foreign to all peers and to the identity itself: one is a slip or a favour, three are a turn. */
const ACTS = 3
/** More are needed for each ten times the usual events a day, as somebody in a large company takes on another's work every day. */
const ACTS_PER_FLEET = 2
/** People do so more than agents, whose tools are given to them; what they then touch need not be sensitive. */
const ACTS_OF_PEOPLE = 5
const MORE_OF_PEOPLE_PER_FLEET = 6
const RESTRICTED_OF_PEOPLE_PER_FLEET = 5
/** For so long after a change of its version new tools of an agent are what the change brought. */
const CHANGE_S = 86_400
/** Nats from which on the identity hardly uses the destination. */
const HARDLY_USED = 5

/**
 * Goes on with what none of its peers ever does. Needs no long history of the identity: peers tell what its kind does.
 * @returns the family that names it, or null
 */
export const foreignRule = (w: Work): ReasonFamily | null => {
  if (!w.foreign) return null
  const fleet = w.tenant.release?.fleet ?? 0
  const isUser = w.event.kind === USER
  if (w.sensitivity >= 3 && w.foreignAfter >= ACTS + (isUser ? RESTRICTED_OF_PEOPLE_PER_FLEET : ACTS_PER_FLEET) * fleet)
    return w.event.outcome === 2 ? 'probing' : 'sensitive_access'
  const acts = isUser ? ACTS_OF_PEOPLE + MORE_OF_PEOPLE_PER_FLEET * fleet : ACTS
  if (w.foreignAfter < acts || changedLately(w)) return null
  if (w.event.outcome === 2) return 'probing'
  // With another's work come its many destinations: they are one piece of news.
  if (!isUser && sendsToStranger(w)) return 'new_destination'
  // New tools are what an announced change brings, where they are no way to what matters and used from where it is at home.
  return w.announced !== null && isOnOwnGround(w) ? null : 'new_behaviour'
}

/** A tool that no peer has yet is what an announced change brings: used on own ground and for nothing that leaves, it is no sign of a turn. */
export const excuseNewTools = (w: Work): void => {
  if (!w.foreign || leaves(w) || !isOnOwnGround(w)) return
  w.foreign = false
  w.foreignAfter -= 1
}

/** Data goes outside: by what the act is, or, as tools that only read hand data over too, to a place outside that nobody uses. */
export const leaves = (w: Work): boolean =>
  w.isExternal ||
  (w.destination !== 0 && w.tenant.everyone.destinations.count(w.destination) === 0 && isExternalDestination(w.event.text(S.destination)))

/** Neither confidential data nor a country or a way between segments that are rare for it. */
export const isOnOwnGround = (w: Work): boolean => w.sensitivity < 2 && w.features[COUNTRY]! < RARE && w.features[SEGMENT]! < RARE
const RARE = 4

/** A place that neither the identity nor anybody else uses. */
const sendsToStranger = (w: Work): boolean =>
  w.destination !== 0 && w.features[DESTINATION]! >= HARDLY_USED && w.tenant.everyone.destinations.count(w.destination) === 0

/** A part of its version is new to it within a day. */
export const changedLately = (w: Work): boolean => {
  const at = w.seg.u32[(w.base + VERSION_AT) >> 2]!
  return w.features[VERSION_CHANGED] === 1 || (at !== 0 && Math.floor(w.timeMs / 1000) - at <= CHANGE_S)
}

/**
 * Such an act ends the flow from an untrusted read to a place outside, or several led to it. People are not steered by what
 * they read as agents are, and take on others' work.
 */
export const flowIsForeign = (w: Work): boolean => w.event.kind !== USER && (w.foreign || w.foreignAfter >= 2)
