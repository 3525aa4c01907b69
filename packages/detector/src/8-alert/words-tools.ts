import type { AlertFacts, Quantity, Reason } from '@plumbline/schemas'
import { type Act, piecesText } from './words-acts.ts'
import { nameText } from './words-names.ts'
import { amountText, durationText, inWindow, numberText, perWindow } from './words-units.ts'

/** How often and how long the group of an alert has been going on; times in epoch milliseconds. */
export interface AlertGroup {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  readonly suppressed: number
  /** It has gone on for so long that it is learned now. */
  readonly adopting?: boolean
}

export interface Telling {
  readonly facts: AlertFacts
  readonly reason: Reason
  readonly group: AlertGroup
  readonly act: Act
  /** Class of the resource, in words. */
  readonly thing: string
}

/** The parts of a text that depend on the kind of departure. No capital at the start, no full stop at the end. */
export interface Phrases {
  /** Follows the name: `read 214 HR records in 6 min`. */
  readonly did: string
  /** Follows "it": `never read HR`; said as `hardly ever read HR` where a first time is not certain. */
  readonly never: string
  /** Follows "it", where a usual amount is known: `usually read 3 HR records an hour`. */
  readonly usually?: string | undefined
  /** How peers are said to do it too: `none of its 11 peers do`, `… do this`, `… are`. */
  readonly peers?: 'do' | 'do this' | 'are'
  readonly why: string
  /** What to do first: starts with a verb in the imperative. */
  readonly step: string
  /** Follows "It would have stayed quiet": `had it read HR before`. */
  readonly quiet: string
}

export type Teller = (t: Telling) => Phrases

/** Features that are themselves the statement that something happened for the first time. */
const SAYS_FIRST: ReadonlySet<string> = new Set(['sensitive_first', 'destination_first', 'version_changed', 'travel_speed'])

/** "Never" is said only where that is known; rare things are "hardly ever". */
export const isFirst = (r: Reason): boolean => r.first ?? SAYS_FIRST.has(r.feature)

/** Puts the outcome in: `read HR 3 times`, `tried to read HR 3 times and was denied`. */
export const outcomeOf = (t: Telling, base: string, past: string): string => {
  if (t.facts.outcome === 'denied') return `tried to ${base} and was denied`
  return t.facts.outcome === 'failure' ? `tried to ${base} and failed` : past
}

const span = (t: Telling): string => {
  const ms = t.group.lastSeen - t.group.firstSeen
  return ms < 1000 ? ' within a second' : ` in ${durationText(ms)}`
}

/** ` 214 times in 6 min`: from the reason's own window, or from the group when that has seen more. */
export const repeats = (t: Telling): string => {
  const q = t.reason.observed
  const own = (q.unit === 'events' || q.unit === 'times') && q.perMs !== undefined ? q.value : 0
  if (own > 1 && own >= t.group.count) return ` ${amountText(q)}${inWindow(q)}`
  return t.group.count > 1 ? ` ${numberText(t.group.count)} times${span(t)}` : ''
}

/** `read 214 HR records in 6 min` when distinct resources were counted, else `read HR 214 times in 6 min`. */
export const takeText = (t: Telling, more = ''): string => {
  const { act, reason, facts } = t
  if (reason.observed.unit === 'resources' && act.verbPast !== undefined && act.verbBase !== undefined) {
    const what = `${piecesText(facts.resource.class, amountOf(reason.observed))}${inWindow(reason.observed)}${more}`
    return outcomeOf(t, `${act.verbBase} ${what}`, `${act.verbPast} ${what}`)
  }
  const one = t.group.count <= 1 && facts.resource.id !== undefined && !act.write ? ` (${nameText(facts.resource.id)})` : ''
  const tail = `${repeats(t) || one}${more}`
  return outcomeOf(t, `${act.base}${tail}`, `${act.past}${tail}`)
}

export const amountOf = (q: Quantity): string =>
  q.value > 0 && q.value < 0.95 ? 'less than 1' : numberText(q.value < 10 ? q.value : Math.floor(q.value + 0.5))

/** `usually read 3 HR records an hour` or `usually read HR 3 times an hour`. */
export const usualTake = (t: Telling): string | undefined => {
  const { typical } = t.reason
  if (typical === undefined) return undefined
  if (typical.unit === 'resources' && t.act.verbPast !== undefined)
    return `usually ${t.act.verbPast} ${piecesText(t.facts.resource.class, amountOf(typical))}${perWindow(typical)}`
  return typical.value <= 0 ? undefined : `usually ${t.act.past} ${amountText(typical)}${perWindow(typical)}`
}

export const atMost = (t: Telling, fallback: string): string =>
  t.reason.typical === undefined || (t.reason.typical.unit !== 'bytes' && t.reason.typical.value < 0.95)
    ? fallback
    : `near the usual amount: ${amountText(t.reason.typical)}${perWindow(t.reason.typical)}`

export const sensitivityText = (t: Telling): string => {
  const level = t.facts.resource.sensitivity ?? 1
  if (level >= 3) return `this is restricted data: ${t.thing}`
  return level === 2 ? `this is confidential data: ${t.thing}` : `nothing in its past explains a need for ${t.thing}`
}

export const grantStep = (t: Telling): string =>
  t.act.object === nameText(t.facts.action, 60)
    ? `pause ${possessive(t)} use of ${t.act.object}`
    : `pause ${possessive(t)} grant to ${t.act.verbBase ?? (t.act.write ? 'write to' : 'use')} ${t.thing}`
/** ` (last act: read HR)`, for texts that tell amounts rather than acts. */
export const lastAct = (t: Telling): string => ` (last act: ${outcomeOf(t, t.act.base, t.act.past)})`
export const personally = (t: Telling): boolean => t.facts.identity.kind === 'user'
/** `their` for a person, `its` for anything else. */
export const possessive = (t: Telling): string => (personally(t) ? 'their' : 'its')
/** Name of what the reason is about, else of what the event was about. */
export const objectOf = (t: Telling, otherwise: string): string => (t.reason.object === undefined ? otherwise : nameText(t.reason.object))
