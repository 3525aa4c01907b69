import type { AlertFacts, Reason } from '@plumbline/schemas'
import type { Act } from './words-acts.ts'
import { nameText } from './words-names.ts'
import { amountText, bytesText, durationText, numberText, perWindow } from './words-units.ts'

/** How often and how long the group of an alert has been going on; times in epoch milliseconds. */
export interface AlertGroup {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  readonly suppressed: number
  /** It has gone on for so long that it is learned now. */
  readonly adopting?: boolean
  /** All of them did the same to the same, so they may be told as "n times". */
  readonly alike: boolean
  /** The facts are those of the gravest of them, not of the latest. */
  readonly isGravest?: boolean
  /** What they sent altogether, 0 where nothing is known of it. */
  readonly bytesOut: number
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
  /** Follows the name: `read HR 214 times in 6 min`. */
  readonly did: string
  /** Follows "it": `never read HR`; said as `hardly ever read HR` where a first time is not certain. */
  readonly never: string
  /** Follows "it", where a usual amount is known: `usually sent 3 MB an hour`. */
  readonly usually?: string | undefined
  /** How peers are said to do it too: `none of its 11 peers do`, `… do this`. */
  readonly peers?: 'do' | 'do this'
  readonly why: string
  /** What to do first: starts with a verb in the imperative. */
  readonly step: string
  /** Follows "It would have stayed quiet" and "It would have alerted even": all signs of the family as they usually are. */
  readonly quiet: string
}

export type Teller = (t: Telling) => Phrases

/** Features that are themselves the statement that something happened for the first time. */
const SAYS_FIRST: ReadonlySet<string> = new Set(['sensitive_first', 'destination_first', 'version_changed'])

/** "Never" is said only where that is known; rare things are "hardly ever". */
export const isFirst = (r: Reason): boolean => r.first ?? SAYS_FIRST.has(r.feature)

/** Puts the outcome in: `read HR 3 times`, `tried to read HR 3 times and was denied`. */
export const outcomeOf = (t: Telling, base: string, past: string): string => {
  if (t.facts.outcome === 'denied') return `tried to ${base} and was denied`
  return t.facts.outcome === 'failure' ? `tried to ${base} and failed` : past
}

const span = (t: Telling): string => {
  const ms = Math.abs(t.group.lastSeen - t.group.firstSeen)
  return ms < 1000 ? ' within a second' : ` in ${durationText(ms)}`
}

/** ` 214 times in 6 min`, where the group says so: its own count, of events that are all like this one. */
const repeats = (t: Telling): string => (t.group.alike && t.group.count > 1 ? ` ${numberText(t.group.count)} times${span(t)}` : '')

/** `, the latest of 3 events of this kind in 6 min`, or the gravest: they count together, but did not all do what this one did. */
export const latest = (t: Telling): string =>
  t.group.alike || t.group.count <= 1
    ? ''
    : `, the ${t.group.isGravest === true ? 'gravest' : 'latest'} of ${numberText(t.group.count)} events of this kind${span(t)}`

const resourceText = (t: Telling): string =>
  (t.group.alike && t.group.count > 1) || t.facts.resource.id === undefined || t.act.write ? '' : ` (${nameText(t.facts.resource.id)})`

/** `, 60 kB in all` of what the group sent. */
const sentText = (t: Telling): string =>
  t.act.write && t.group.alike && t.group.bytesOut > 0 && t.facts.outcome === 'success'
    ? `, ${bytesText(t.group.bytesOut)}${t.group.count > 1 ? ' in all' : ''}`
    : ''

/** An act with its outcome, how often and how much; `more` says from where or against what. */
export const told = (t: Telling, base: string, past: string, more = ''): string => {
  const tail = `${repeats(t)}${resourceText(t)}${more}`
  return `${outcomeOf(t, base + tail, past + tail)}${sentText(t)}${latest(t)}`
}

/** `read HR (employees/1)`, `read HR 214 times in 6 min`. */
export const takeText = (t: Telling, more = ''): string => told(t, t.act.base, t.act.past, more)

/** Below this share of its acts, "hardly ever" is the better word. */
const SELDOM = 0.02
/** The act is no rare one here; another part of it is. */
export const isHabit = (r: Reason): boolean => r.typical?.unit === 'share' && r.typical.value >= SELDOM

/** `read HR in 34 % of its acts`, where it is done often enough to say so. */
export const usualShare = (t: Telling, past: string): string | undefined =>
  isHabit(t.reason) ? `${past} in ${amountText(t.reason.typical!)} of ${possessive(t)} acts` : undefined

/** `usually sent 3 MB an hour`. */
export const usualAmount = (t: Telling, past: string): string | undefined => {
  const { typical } = t.reason
  return typical === undefined || typical.value <= 0 ? undefined : `usually ${past} ${amountText(typical)}${perWindow(typical)}`
}

/** `, like 20 MB an hour`: what usual would have been, where it is known. */
export const likeUsual = (t: Telling): string => {
  const { typical } = t.reason
  return typical === undefined || typical.value < 0.95 ? '' : `, like ${amountText(typical)}${perWindow(typical)}`
}

export const sensitivityText = (t: Telling): string => {
  const level = t.facts.resource.sensitivity ?? 1
  if (level >= 3) return `this is restricted data: ${t.thing}`
  if (level === 2) return `this is confidential data: ${t.thing}`
  return isHabit(t.reason) ? `what it does with ${t.thing} is unusual here` : `nothing in its past explains a need for ${t.thing}`
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
/** `it and its peers`: whom a habit is compared with. */
export const ownAndPeers = (t: Telling): string => (personally(t) ? 'them and their peers' : 'it and its peers')
/** Name of what the reason is about, else of what the event was about. */
export const objectOf = (t: Telling, otherwise: string): string => (t.reason.object === undefined ? otherwise : nameText(t.reason.object))
