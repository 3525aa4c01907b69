import type { AlertFacts, Reason } from '@plumbline/schemas'
import { classText } from './words-acts.ts'
import { nameText } from './words-names.ts'
import { isFirst, isHabit } from './words-tools.ts'
import { amountText, clockText, counted, inWindow, perWindow } from './words-units.ts'

/** Said of a further reason; after the bar what is said when it never happened before. */
const SHORT: Readonly<Record<Reason['family'], string>> = {
  sensitive_access: 'a kind of data rare here|a kind of data new here',
  toxic_flow: 'a flow from outside text to sensitive data or out',
  new_destination: 'a rare destination|a new destination',
  volume: 'an unusual amount',
  rate: 'an unusual pace',
  enumeration: 'a resource hardly ever touched',
  new_behaviour: 'a rare act|a new act',
  off_hours: 'an unusual hour',
  source: 'a rare source|a new source',
  travel: 'impossible travel',
  shared_credential: 'acting for somebody rare here',
  lateral_movement: 'a rare way between segments|a new way between segments',
  probing: 'an unusual outcome',
  drift: 'a change over the long run',
  version_change: 'a rare version|a changed version',
  policy: 'a rule against it',
  combination: 'an unusual mix of small things',
}
/** The same where the reason is a total over everything the identity did. */
const TOTAL: Partial<Readonly<Record<Reason['family'], string>>> = {
  sensitive_access: 'sensitive data asked for',
  new_destination: 'outside destinations addressed',
  enumeration: 'many different resources',
  new_behaviour: 'use of what is new to it',
  shared_credential: 'a credential in several places',
  probing: 'refusals or failures',
  drift: 'growth over the long run',
}

const nameOf = (r: Reason): string => {
  const [rare = '', first] = SHORT[r.family].split('|')
  return isFirst(r) ? (first ?? rare) : rare
}

/** The next reasons in a few words each; whatever more there is, is counted. */
export const alsoText = (facts: AlertFacts, lead: Reason): string => {
  const others = facts.reasons.slice(1).filter((r) => (r.family !== lead.family || r.feature !== lead.feature) && saysMore(r))
  const clauses = others.slice(0, 2).map((r) => shortOf(facts, r))
  if (clauses.length === 0) return ''
  const more = others.length - clauses.length
  return `also: ${clauses.join('; ')}${more > 0 ? `; and ${counted(more, 'smaller sign')}` : ''}`
}

/** An amount no larger than usual, or an act that is a habit, counts in the score but would only puzzle a reader. */
const saysMore = (r: Reason): boolean => {
  if (isHabit(r)) return false
  const { observed, typical } = r
  return typical?.unit !== observed.unit || typical.perMs !== observed.perMs || observed.value > typical.value
}

const shortOf = (facts: AlertFacts, r: Reason): string => {
  const { observed, typical } = r
  if (r.family === 'off_hours') return `${nameOf(r)} (${clockText(facts.time)})`
  if (observed.perMs !== undefined) {
    const usual = typical === undefined || typical.value <= 0 ? '' : `, usually ${amountText(typical)}${perWindow(typical)}`
    return `${TOTAL[r.family] ?? nameOf(r)}: ${amountText(observed)}${inWindow(observed)}${usual}`
  }
  if (r.feature === 'gap_own') return `${nameOf(r)}: ${amountText(observed)} after its last act`
  if (r.feature === 'session_length') return `${nameOf(r)}: ${amountText(observed)} in one session`
  if (observed.unit === 'bytes' || observed.unit === 'tokens' || observed.unit === 'ms') return `${nameOf(r)}: ${amountText(observed)}`
  return `${nameOf(r)}${r.object === undefined ? '' : ` (${r.family === 'sensitive_access' ? classText(r.object) : nameText(r.object)})`}`
}
