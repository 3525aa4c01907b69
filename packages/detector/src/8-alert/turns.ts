import { IDENTITY_KINDS } from '@plumbline/schemas'
import { indexOf } from '../state/index-of.ts'
import type { Work } from '../work.ts'
import { changedLately } from './foreign.ts'
import { HALF_KNOWN, KNOWN, speaks } from './rule-evidence.ts'

const ACTION = indexOf('action_own')
const CLASS = indexOf('class_own')
const ACTION_PEER = indexOf('action_peer')
const CLASS_PEER = indexOf('class_peer')
const SENSITIVE_FIRST = indexOf('sensitive_first')
const FIRSTS = indexOf('session_firsts')
const USER_AGENT = indexOf('user_agent_own')
const ROLE_SWAP = indexOf('role_swap')

/** A client that it hardly uses, and acts that are not its own: a new device does the old work, a thief of the key another. */
const ANOTHER_CLIENT = 5
const ANOTHER_ACT = 8
export const isAnother = (w: Work): boolean => {
  const x = w.features
  return (
    w.maturity >= KNOWN &&
    x[USER_AGENT]! >= ANOTHER_CLIENT &&
    Math.max(x[ACTION]!, x[CLASS]!, x[ROLE_SWAP]!) >= ANOTHER_ACT &&
    !changedLately(w) &&
    speaks(w, 'another')
  )
}

/** One session of acts that are not its own: another role's, or nobody's of its kind. */
export const turns = (w: Work): boolean => {
  // Hardly any event has them.
  if (w.features[FIRSTS]! < MANY_FIRSTS) return false
  const changed = changedLately(w)
  return (!changed && actsAsAnotherRole(w)) || leavesItsKind(w, changed)
}

const MANY_FIRSTS = 8
const MOST_FIRSTS = 12
/** Where a new version brings some: more than a tool or two that are used twice, as what is not learned yet counts again. */
const FIRSTS_OF_CHANGE = 16
/** The feature ends there. */
const FIRSTS_COUNTED = 20
/** Agents keep to their tools; of people somebody in a large company takes on another's work every day. */
const MORE_OF_PEOPLE_PER_FLEET = 8
const hasFirsts = (w: Work, least: number): boolean => {
  const more = w.event.kind === USER ? MORE_OF_PEOPLE_PER_FLEET * (w.tenant.release?.fleet ?? 0) : 0
  return w.features[FIRSTS]! >= Math.min(FIRSTS_COUNTED, least + more)
}

const actsAsAnotherRole = (w: Work): boolean =>
  w.maturity >= KNOWN && w.features[ROLE_SWAP]! >= 8 && w.features[ACTION]! >= 8 && hasFirsts(w, MANY_FIRSTS) && speaks(w, 'turns')

/**
 * What neither it nor its peers do, to what neither uses, among many firsts of one session; or, with more firsts and still
 * rarer among peers, what it has hardly done itself. Needs no long history: peers tell what its kind does. A new version brings
 * firsts, but not so many that no peer has.
 */
const leavesItsKind = (w: Work, changed: boolean): boolean => {
  const x = w.features
  const peers = Math.min(x[ACTION_PEER]!, x[CLASS_PEER]!)
  const isNew = hasFirsts(w, changed ? FIRSTS_OF_CHANGE : MANY_FIRSTS) && peers >= 8 && Math.min(x[ACTION]!, x[CLASS]!) >= 9
  const isRarer = hasFirsts(w, changed ? FIRSTS_OF_CHANGE : MOST_FIRSTS) && peers >= 10 && x[ACTION]! >= 5
  return w.maturity >= HALF_KNOWN && (isNew || isRarer) && speaks(w, 'leaves_its_kind')
}
const USER = IDENTITY_KINDS.indexOf('user')

/** Restricted data that its kind does not touch, by acts of another role: no version brings that by itself. */
export const takesRestricted = (w: Work): boolean => {
  const x = w.features
  return (
    w.event.outcome === 0 &&
    w.maturity >= HALF_KNOWN &&
    w.sensitivity >= 3 &&
    x[ROLE_SWAP]! >= 15 &&
    x[CLASS_PEER]! >= 8 &&
    Math.min(x[ACTION]!, x[CLASS]!) >= 7 &&
    x[SENSITIVE_FIRST]! >= 4 &&
    speaks(w, 'takes_restricted')
  )
}
