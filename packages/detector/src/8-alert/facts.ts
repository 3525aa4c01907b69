import {
  type AlertFacts,
  FEATURES,
  IDENTITY_KINDS,
  OUTCOMES,
  PROVENANCES,
  type Quantity,
  type Reason,
  type ReasonFamily,
} from '@plumbline/schemas'
import { N, S } from '../record.ts'
import { countryCode } from '../state/countries.ts'
import type { CountMap, GroupStats } from '../state/groups.ts'
import { H, LABEL_BYTES, SE, W } from '../state/layout.ts'
import { windowCount, windowMean, windowValue } from '../state/windows.ts'
import { exp, expm1 } from '../math/functions.ts'
import type { Work } from '../work.ts'
import { topContributions } from './families.ts'

const LN_10 = 2.302585092994046
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const REASONS = 4

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const toldText = (w: Work, field: number): string | undefined =>
  w.event.has(field) ? decoder.decode(w.event.bytes.subarray(w.event.start[field]!, w.event.end[field]!)) : undefined
/** A field in words: the class as the policy has it, segments as the event tells them, else as the policy does. */
export const textOf = (w: Work, field: number): string | undefined => {
  if (field === S.resourceClass) return w.said.resource.class ?? toldText(w, field)
  return toldText(w, field) ?? (field === S.segment ? w.said.from : field === S.resourceSegment ? w.said.to : undefined)
}

/** Everything the words of an alert may be made from, read off the event, the slot and the group. */
export const factsOf = (w: Work, family: ReasonFamily, group: GroupStats): AlertFacts => {
  const id = textOf(w, S.identity)!
  const who = w.tenant.policy.identityOf(id)
  const f32 = w.seg.f32
  const h = w.base >> 2
  const firstTime = w.seg.f64[(w.base + H.firstTime) >> 3]!
  const identity: AlertFacts['identity'] = { id, kind: IDENTITY_KINDS[w.event.kind]!, criticality: who.criticality as 1 | 2 | 3 }
  assign(identity, 'attested', textOf(w, S.attested))
  for (const key of ['owner', 'contact', 'purpose', 'runbook'] as const) assign(identity, key, who[key])
  const resource: AlertFacts['resource'] = { class: textOf(w, S.resourceClass)!, sensitivity: w.sensitivity }
  assign(resource, 'id', textOf(w, S.resource))
  const facts: AlertFacts = {
    tenant: w.tenant.name,
    identity,
    action: textOf(w, S.action)!,
    resource,
    outcome: OUTCOMES[w.event.outcome]!,
    time: w.event.number[N.time]!,
    reasons: reasonsOf(w, family, group),
    baseline: {
      days: Math.max(0, Math.round(((w.timeMs - firstTime) / DAY) * 100) / 100),
      events: Math.round(f32[h + (H.learned >> 2)]!),
      maturity: Math.round(w.maturity * 1000) / 1000,
      peers: Math.max(0, group.members - 1),
      modelled: w.modelled,
    },
    tailProbability: exp(-Math.min(12, w.tailLog10) * LN_10),
    notVisible: notVisible(w),
  }
  assign(facts.baseline, 'peerGroup', group.name === '' ? undefined : group.name)
  assign(facts, 'onBehalfOf', textOf(w, S.delegate))
  assign(facts, 'session', textOf(w, S.session))
  assign(facts, 'destination', textOf(w, S.destination))
  if (w.event.provenance !== 255) facts.destinationProvenance = PROVENANCES[w.event.provenance]!
  return facts
}

const assign = <T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void => {
  if (value !== undefined) target[key] = value
}

const notVisible = (w: Work): AlertFacts['notVisible'] => {
  const n = w.event.number
  const out: AlertFacts['notVisible'] = []
  if (!(n[N.argumentsFromUser]! >= 0 || n[N.argumentsFromTool]! >= 0 || n[N.argumentsNew]! >= 0)) out.push('arguments')
  if (!(n[N.bytesIn]! >= 0 || n[N.bytesOut]! >= 0)) out.push('sizes')
  if (w.network === 0) out.push('source')
  if (w.session === 0) out.push('session')
  if (w.destination === 0 && w.isWrite) out.push('destination')
  if (w.destination !== 0 && w.event.provenance === 255) out.push('provenance')
  if (w.versions === 0) out.push('version')
  return out
}

const reasonsOf = (w: Work, family: ReasonFamily, group: GroupStats): Reason[] => {
  const seen = new Set<string>()
  const reasons: Reason[] = []
  for (const c of topContributions(w, 24, family)) {
    const feature = FEATURES[c.feature]!
    // One reason per family says it; the features behind it are in the scored row.
    if (seen.has(feature.family) || reasons.length >= REASONS || (reasons.length > 0 && c.weight < 0.04)) continue
    seen.add(feature.family)
    reasons.push(reasonFor(w, feature.family, feature.name, Math.min(1, Math.max(0, c.weight)), group))
  }
  if (reasons[0]?.family !== family) reasons.unshift(reasonFor(w, family, leadFeature(family), 1, group))
  return reasons.slice(0, REASONS)
}

const leadFeature = (family: ReasonFamily): string => FEATURES.find((f) => f.family === family)?.name ?? 'maturity'

const quantity = (value: number, unit: Quantity['unit'], perMs?: number): Quantity =>
  perMs === undefined ? { value, unit } : { value, unit, perMs }

/** Observed and usual amount of a window metric; no usual amount before three windows. */
const windowed = (w: Work, metric: number, add: number, unit: Quantity['unit'], perMs: number): Pick<Reason, 'observed' | 'typical'> => {
  const observed = quantity(windowValue(w, metric) + add, unit, perMs)
  if (windowCount(w, metric) < 3) return { observed }
  return { observed, typical: quantity(Math.round(expm1(windowMean(w, metric)) * 10) / 10, unit, perMs) }
}

const peers = (group: GroupStats, map: CountMap, fp: number): Pick<Reason, 'peers'> =>
  group.members > 1 ? { peers: { count: group.members - 1, doing: Math.min(group.members - 1, map.members(fp)) } } : {}

const reasonFor = (w: Work, family: ReasonFamily, feature: string, weight: number, group: GroupStats): Reason => ({
  family,
  feature,
  weight,
  ...detail(w, family, feature, group),
})

const amount = (w: Work, field: number): number => (w.event.number[field]! >= 0 ? w.event.number[field]! : 0)

/** Per family: what it is about, how much, against what. */
const detail = (w: Work, family: ReasonFamily, feature: string, group: GroupStats): Omit<Reason, 'family' | 'feature' | 'weight'> => {
  switch (family) {
    case 'sensitive_access':
      return {
        object: textOf(w, S.resourceClass)!,
        first: w.newClass,
        ...(w.newClass || feature === 'sensitive_first'
          ? { observed: quantity(windowValue(w, W.sensitiveHour) + 1, 'events', HOUR) }
          : windowed(w, W.sensitiveHour, 1, 'events', HOUR)),
        ...peers(group, group.classes, w.class_),
        ...triggered(w),
      }
    case 'toxic_flow':
      return { ...optional('object', textOf(w, S.destination)), observed: quantity(w.flowStep, 'actions'), ...triggered(w) }
    case 'new_destination':
      return {
        ...optional('object', textOf(w, S.destination)),
        first: w.newDestination,
        observed: quantity(1, 'events'),
        ...(w.destination === 0 ? {} : peers(group, group.destinations, w.destination)),
        ...triggered(w),
      }
    case 'volume':
      return volume(w, feature)
    case 'rate':
      return rate(w, feature)
    case 'enumeration':
      return { object: textOf(w, S.resourceClass)!, ...windowed(w, W.resourcesHour, 1, 'resources', HOUR) }
    case 'new_behaviour':
      return {
        object: textOf(w, S.action)!,
        first: w.newAction,
        observed: quantity(1, 'events'),
        ...(w.newAction ? peers(group, group.actions, w.action) : {}),
        ...triggered(w),
      }
    case 'off_hours':
      return { observed: quantity(w.hourOfWeek, 'hour_of_week') }
    case 'source':
      return { ...optional('object', textOf(w, S.ip) ?? textOf(w, S.country)), first: w.newNetwork, observed: quantity(1, 'events') }
    case 'travel':
      return {
        ...optional('object', textOf(w, S.country)),
        ...optional('previous', countryCode(w.seg.u16[(w.base + H.country) >> 1]!) || undefined),
        observed: quantity(Math.round(w.travelKmh), 'km/h'),
        ...(w.travelKmh > 0 ? { sinceMs: w.travelGapMs } : {}),
      }
    case 'shared_credential':
      return { ...optional('object', textOf(w, S.ip)), ...windowed(w, W.sourcesHour, 1, 'sources', HOUR) }
    case 'lateral_movement':
      return {
        ...optional('object', textOf(w, S.resourceSegment)),
        ...optional('previous', textOf(w, S.segment)),
        observed: quantity(1, 'events'),
      }
    case 'probing':
      return w.event.outcome === 1
        ? { object: textOf(w, S.resourceClass)!, ...windowed(w, W.failuresHour, 1, 'failures', HOUR) }
        : { object: textOf(w, S.resourceClass)!, ...windowed(w, W.deniedHour, w.event.outcome === 2 ? 1 : 0, 'denials', HOUR) }
    case 'drift':
      return feature === 'drift_bytes'
        ? windowed(w, W.bytesOutDay, amount(w, N.bytesOut), 'bytes', DAY)
        : windowed(w, W.eventsDay, 1, 'events', DAY)
    case 'version_change':
      return {
        ...optional('object', textOf(w, S.versionRelease) ?? textOf(w, S.versionTools) ?? textOf(w, S.versionModel)),
        observed: quantity(1, 'events'),
      }
    case 'policy':
      return { ...forbidden(w), observed: quantity(1, 'events') }
    default:
      return { object: textOf(w, S.action)!, observed: quantity(1, 'events') }
  }
}

/** The rule that was broken, or the two segments that the policy lets nothing go between. */
const forbidden = (w: Work): Pick<Reason, 'object' | 'previous' | 'trigger'> =>
  w.said.denied === 'way'
    ? { ...optional('object', textOf(w, S.resourceSegment)), ...optional('previous', textOf(w, S.segment)) }
    : { object: textOf(w, S.resourceClass)!, ...(w.deniedBy === null ? {} : { trigger: w.deniedBy }) }

const optional = <K extends 'object' | 'previous'>(key: K, value: string | undefined): { [P in K]?: string } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: string }

const volume = (w: Work, feature: string): Omit<Reason, 'family' | 'feature' | 'weight'> => {
  const object = textOf(w, S.destination) ?? textOf(w, S.resourceClass)!
  const out = amount(w, N.bytesOut)
  const in_ = amount(w, N.bytesIn)
  if (feature === 'tokens_own') return { object, observed: quantity(amount(w, N.tokensIn) + amount(w, N.tokensOut), 'tokens') }
  if (feature.startsWith('bytes_in')) {
    return {
      object,
      ...(feature.endsWith('day') ? windowed(w, W.bytesInDay, in_, 'bytes', DAY) : windowed(w, W.bytesInHour, in_, 'bytes', HOUR)),
    }
  }
  if (feature.endsWith('day')) return { object, ...windowed(w, W.bytesOutDay, out, 'bytes', DAY) }
  if (feature.endsWith('minute')) return { object, ...windowed(w, W.bytesOutMinute, out, 'bytes', MINUTE) }
  return { object, ...windowed(w, W.bytesOutHour, out, 'bytes', HOUR) }
}

const rate = (w: Work, feature: string): Omit<Reason, 'family' | 'feature' | 'weight'> => {
  const object = textOf(w, S.action)!
  if (feature === 'rate_day') return { object, ...windowed(w, W.eventsDay, 1, 'events', DAY) }
  if (feature === 'rate_hour' || feature === 'session_length') return { object, ...windowed(w, W.eventsHour, 1, 'events', HOUR) }
  return { object, ...windowed(w, W.eventsMinute, 1, 'events', MINUTE) }
}

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
