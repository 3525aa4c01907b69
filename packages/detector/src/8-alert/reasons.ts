import { FEATURES, OUTCOMES, type Quantity, type Reason, type ReasonFamily } from '@plumbline/schemas'
import { expm1 } from '../math/functions.ts'
import { N, S, tokensOf } from '../record.ts'
import { countryCode } from '../state/countries.ts'
import type { CountMap, GroupStats } from '../state/groups.ts'
import { indexOf } from '../state/index-of.ts'
import {
  A,
  ACTION_SETS,
  ACTIONS,
  ANCHOR,
  CLASS_SETS,
  CLASSES,
  DESTINATION_SETS,
  DESTINATIONS,
  H,
  LABEL_BYTES,
  SE,
  W,
} from '../state/layout.ts'
import { roleOf } from '../state/roles.ts'
import { countOf, fingerprint } from '../state/tables.ts'
import { changedParts } from '../state/version-parts.ts'
import { windowValue } from '../state/window-of.ts'
import type { Work } from '../work.ts'
import { topContributions } from './families.ts'
import { textOf } from './text-of.ts'
import { type Detail, totalOf } from './totals.ts'

const REASONS = 4
const SENSITIVE_HOUR = indexOf('sensitive_hour')
const BYTES_OUT_HOUR = indexOf('bytes_out_hour')
const LURED = indexOf('destination_lured')
const RATE_MINUTE = indexOf('rate_minute')
const RATE_HOUR = indexOf('rate_hour')
const DENIED_THEN_ALLOWED = indexOf('denied_then_allowed')
const VERSION_CHANGED = indexOf('version_changed')

/**
 * The heaviest families, the leading one first, one reason each: the features behind it are in the scored row.
 * @param again the same was told before, so nothing of it happens for the first time
 */
export const reasonsOf = (w: Work, family: ReasonFamily, group: GroupStats, again: boolean): Reason[] => {
  const reasons: Reason[] = []
  for (const c of topContributions(w, 24, family)) {
    const feature = FEATURES[c.feature]!
    if (reasons.some((r) => r.family === feature.family)) continue
    if (reasons.length >= REASONS || (reasons.length > 0 && c.weight < 0.04)) break
    reasons.push(reasonFor(w, feature.family, feature.name, Math.min(1, Math.max(0, c.weight)), group))
  }
  if (reasons[0]?.family !== family) reasons.unshift(reasonFor(w, family, leadFeature(family), 1, group))
  const [lead, ...rest] = reasons.slice(0, REASONS)
  return [again && lead!.first === true ? { ...lead!, first: false } : lead!, ...rest]
}

const leadFeature = (family: ReasonFamily): string => FEATURES.find((f) => f.family === family)?.name ?? 'maturity'

const reasonFor = (w: Work, family: ReasonFamily, feature: string, weight: number, group: GroupStats): Reason => {
  const told = tellingFeature(w, family, feature) ?? feature
  return { family, feature: told, weight, ...(totalOf(w, told) ?? singleOf(w, told) ?? detail(w, family, told, group)) }
}

/** Where facts of the event make the reason, whichever feature of the family weighs most. */
const tellingFeature = (w: Work, family: ReasonFamily, heaviest: string): string | undefined => {
  if (family === 'sensitive_access' && w.newClass && w.sensitivity >= 2) return 'sensitive_first'
  if (family === 'sensitive_access' && w.features[SENSITIVE_HOUR]! >= MANY_NATS && windowValue(w, W.sensitiveHour) >= MANY - 1)
    return 'sensitive_hour'
  if (family === 'rate' && Math.max(w.features[RATE_MINUTE]!, w.features[RATE_HOUR]!) >= MANY_NATS)
    return w.features[RATE_MINUTE]! > w.features[RATE_HOUR]! ? 'rate_minute' : 'rate_hour'
  if (family === 'toxic_flow' && w.flowStep >= 2) return 'session_flow'
  // What leaves is worse than what comes in with the same act.
  if (family === 'volume' && w.isExternal && heaviest.startsWith('bytes_in') && w.features[BYTES_OUT_HOUR]! >= MANY_NATS)
    return 'bytes_out_hour'
  if (family === 'new_destination' && w.features[LURED]! >= MANY_NATS) return 'destination_lured'
  if (family !== 'probing') return undefined
  if (w.features[DENIED_THEN_ALLOWED] === 1) return 'denied_then_allowed'
  if (w.event.outcome === 0 || w.behind) return undefined
  const [feature, metric] = w.event.outcome === 2 ? (['denied_hour', W.deniedHour] as const) : (['failures_hour', W.failuresHour] as const)
  return windowValue(w, metric) >= MANY - 1 ? feature : undefined
}
/** From this many refusals, failures or reads in an hour on, their number is the news rather than the last of them. */
const MANY = 3
/** Reads of sensitive data and acts must be many for the identity, too. */
const MANY_NATS = 4

const once: Quantity = { value: 1, unit: 'events' }

const optional = <K extends 'object' | 'previous' | 'trigger'>(key: K, value: string | undefined): { [P in K]?: string } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: string }

type Habit = Pick<Reason, 'first' | 'typical' | 'peers'>

/** How often so far: "never" only where nothing of it was ever learned, else its share of the acts learned. */
const habit = (w: Work, table: number, sets: number, fp: number, hi: number, isNew: boolean): Habit => {
  const count = countOf(w.seg, w.base + table, sets, fp, hi)
  const learned = w.seg.f32[(w.base + H.learned) >> 2]!
  if (count > 0 && learned > 0) return { first: false, typical: { value: Math.min(1, count / learned), unit: 'share' } }
  return { first: isNew }
}

/** How many peers do it; only where it is new to this one, which the release would count among them otherwise. */
const peers = (group: GroupStats, map: CountMap, fp: number, isNew: boolean): Habit =>
  isNew && group.members > 1 ? { peers: { count: group.members - 1, doing: Math.min(group.members - 1, map.members(fp)) } } : {}

const actionHabit = (w: Work, group: GroupStats): Habit => ({
  ...habit(w, ACTIONS, ACTION_SETS, w.action, w.actionHi, w.newAction),
  ...peers(group, group.actions, w.action, w.newAction),
})
const destinationHabit = (w: Work, group: GroupStats): Habit => ({
  ...habit(w, DESTINATIONS, DESTINATION_SETS, w.destination, w.destinationHi, w.newDestination),
  ...peers(group, group.destinations, w.destination, w.newDestination),
})
/** Nothing is said where what is counted is another class than the words name. */
const classHabit = (w: Work, group: GroupStats): Habit =>
  w.said.resource.class !== undefined || w.class_ === fingerprint(w.hashes.lo[S.resourceClass]!) || w.class_ === w.action
    ? {
        ...habit(w, CLASSES, CLASS_SETS, w.class_, w.classHi, w.newClass),
        ...peers(group, group.classes, w.class_, w.newClass),
      }
    : {}

/** Reasons that are an amount of this event alone; undefined where it has none. */
const singleOf = (w: Work, feature: string): Detail | undefined => {
  const n = w.event.number
  const known = (value: number, unit: Quantity['unit'], object?: string): Detail | undefined =>
    value > 0 ? { ...optional('object', object), observed: { value, unit } } : undefined
  const place = textOf(w, S.destination) ?? textOf(w, S.resourceClass)
  switch (feature) {
    case 'bytes_out_own':
    case 'bytes_out_log':
      return known(n[N.bytesOut]!, 'bytes', place)
    case 'bytes_in_own':
    case 'bytes_in_log':
      return known(n[N.bytesIn]!, 'bytes', textOf(w, S.resourceClass))
    case 'tokens_own':
      return known(tokensSaid(w), 'tokens', textOf(w, S.action))
    case 'duration_own':
      return known(n[N.durationMs]!, 'ms', textOf(w, S.action))
    case 'instruction_likeness':
      return known(n[N.instructionLikeness]!, 'share')
    case 'gap_own':
    case 'silence':
      return w.gapMs >= 0 ? { observed: { value: w.gapMs, unit: 'ms' } } : undefined
    case 'session_length':
      return sessionLength(w)
    case 'role_swap':
      return { ...optional('trigger', roleOf(w)), observed: { value: eventsSoFar(w) + 1, unit: 'events' } }
    case 'session_firsts':
      return known((w.sessionIsNew ? 0 : w.seg.u8[w.sessionAt + SE.firsts]!) + w.firsts, 'times')
    default:
      return undefined
  }
}

/** As the event says them: those that were written, or where what was read is what counts, those that were read. */
const tokensSaid = ({ event }: Work): number => {
  const written = event.number[N.tokensOut]!
  return tokensOf(event) === written ? written : event.number[N.tokensIn]!
}

const eventsSoFar = (w: Work): number => (w.sessionIsNew ? 0 : w.seg.u16[(w.sessionAt + SE.events) >> 1]!)

const sessionLength = (w: Work): Detail => {
  const at = (w.base + ANCHOR) >> 2
  const observed: Quantity = { value: eventsSoFar(w) + 1, unit: 'events' }
  if (w.seg.f32[at + (A.sessions >> 2)]! < 3) return { observed }
  return { observed, typical: { value: Math.round(expm1(w.seg.f32[at + (A.sessionMean >> 2)]!) * 10) / 10, unit: 'events' } }
}

/** What is left: this one act, and what is known of its like. */
const detail = (w: Work, family: ReasonFamily, feature: string, group: GroupStats): Detail => {
  switch (family) {
    case 'sensitive_access':
      return {
        object: textOf(w, S.resourceClass)!,
        observed: once,
        ...classHabit(w, group),
        ...triggered(w),
      }
    case 'toxic_flow':
      return { ...optional('object', textOf(w, S.destination)), observed: { value: w.flowStep, unit: 'actions' }, ...triggered(w) }
    case 'new_destination':
      if (w.destination === 0) return { observed: once, ...triggered(w) }
      return {
        ...optional('object', textOf(w, S.destination)),
        observed: once,
        ...destinationHabit(w, group),
        ...triggered(w),
      }
    case 'enumeration':
      return { object: textOf(w, S.resource) ?? textOf(w, S.resourceClass)!, observed: { value: 1, unit: 'resources' } }
    case 'new_behaviour':
      return {
        object: textOf(w, S.action)!,
        observed: once,
        ...actionHabit(w, group),
        ...triggered(w),
      }
    case 'off_hours':
      return { observed: { value: w.hourOfWeek, unit: 'hour_of_week' } }
    case 'source':
      return sourceDetail(w, feature)
    case 'travel':
      return travelDetail(w)
    case 'shared_credential':
      return { ...optional('object', textOf(w, S.delegate)), observed: once }
    case 'lateral_movement':
      return { ...optional('object', textOf(w, S.resourceSegment)), ...optional('previous', textOf(w, S.segment)), observed: once }
    case 'probing':
      return probingDetail(w, feature)
    case 'version_change':
      return { ...optional('object', changedVersion(w)), observed: once, first: w.features[VERSION_CHANGED] === 1 }
    case 'policy':
      return { ...forbidden(w, group), observed: once }
    default:
      return { object: textOf(w, S.action)!, observed: once }
  }
}

const sourceDetail = (w: Work, feature: string): Detail => {
  const last = w.seg.u16[(w.base + H.country) >> 1]!
  if (feature === 'country_own' && w.country !== 0)
    return {
      ...optional('object', textOf(w, S.country)),
      ...(last === w.country ? {} : optional('previous', countryCode(last) || undefined)),
      observed: once,
    }
  if (feature === 'user_agent_own' && w.userAgent !== 0) return { ...optional('object', textOf(w, S.userAgent)), observed: once }
  return { ...optional('object', textOf(w, S.ip) ?? textOf(w, S.country)), observed: once }
}

const travelDetail = (w: Work): Detail => ({
  ...optional('object', textOf(w, S.country)),
  ...optional('previous', countryCode(w.seg.u16[(w.base + H.country) >> 1]!) || undefined),
  observed: { value: Math.round(w.travelKmh), unit: 'km/h' },
  ...(w.travelKmh > 0 ? { sinceMs: w.travelGapMs } : {}),
})

const probingDetail = (w: Work, feature: string): Detail => {
  const class_ = textOf(w, S.resourceClass)!
  if (feature !== 'denied_then_allowed' || w.features[DENIED_THEN_ALLOWED] !== 1)
    return { object: OUTCOMES[w.event.outcome]!, observed: once }
  const deniedAt = w.seg.u32[(w.base + ANCHOR + A.lastDeniedAtS) >> 2]!
  return { object: class_, observed: once, sinceMs: Math.max(0, w.timeMs - deniedAt * 1000), trigger: class_ }
}

const VERSION_FIELDS = [S.versionRelease, S.versionModel, S.versionPrompt, S.versionTools, S.versionCode]
/** The part that changed, where that is one and is known; else the version where it has one part only. */
const changedVersion = (w: Work): string | undefined => {
  const changed = changedParts(w) ?? 0
  const parts = VERSION_FIELDS.map((field, i) => ({ text: textOf(w, field), changed: (changed & (1 << i)) !== 0 })).filter(
    ({ text }) => text !== undefined,
  )
  const news = parts.filter((part) => part.changed)
  if (news.length === 1) return news[0]!.text
  return parts.length === 1 ? parts[0]!.text : undefined
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** What was read from outside earlier in the session, and how long ago. */
const triggered = (w: Work): Pick<Reason, 'sinceMs' | 'trigger'> => {
  if (w.sessionIsNew) return {}
  const at = w.seg.u32[(w.sessionAt + SE.untrustedAtS) >> 2]!
  if (at === 0) return {}
  const from = w.sessionAt + SE.untrustedLabel
  let end = from
  while (end < from + LABEL_BYTES && w.seg.u8[end] !== 0) end++
  return { sinceMs: Math.max(0, w.timeMs - at * 1000), trigger: decoder.decode(w.seg.u8.subarray(from, end)) }
}

/** The rule that was broken, or the two segments that the policy lets nothing go between. */
const forbidden = (w: Work, group: GroupStats): Pick<Reason, 'object' | 'previous' | 'trigger'> & Habit =>
  w.said.denied === 'way'
    ? { ...optional('object', textOf(w, S.resourceSegment)), ...optional('previous', textOf(w, S.segment)) }
    : {
        object: textOf(w, S.resourceClass)!,
        ...classHabit(w, group),
        ...(w.deniedBy === null ? {} : { trigger: w.deniedBy }),
      }
