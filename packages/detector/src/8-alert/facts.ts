import { type AlertFacts, IDENTITY_KINDS, OUTCOMES, PROVENANCES, type Reason } from '@plumbline/schemas'
import { exp } from '../math/functions.ts'
import { N, S } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { indexOf } from '../state/index-of.ts'
import { partsIn } from '../state/changes.ts'
import { H, VERSION, VERSION_AT } from '../state/layout.ts'
import type { Work } from '../work.ts'
import { textOf } from './text-of.ts'

const LN_10 = 2.302585092994046
const DAY = 86_400_000
const VERSION_CHANGED = indexOf('version_changed')

/** Everything the words of an alert may be made from, read off the event, the slot and the group. */
export const factsOf = (w: Work, reasons: Reason[], group: GroupStats): AlertFacts => {
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
    reasons,
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
  assign(facts, 'change', changeOf(w))
  assign(facts, 'announced', announcedOf(w))
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
  if (!(n[N.instructionLikeness]! >= 0 || n[N.entropy]! >= 0)) out.push('content')
  return out
}

/** How long a change of version is news: what it broke or brought shows within days. */
const CHANGE_MS = 7 * DAY

/** The version the event ran under, where the identity was seen with it for the first time not long ago. */
const changeOf = (w: Work): AlertFacts['change'] => {
  if (w.versions === 0) return undefined
  const { u32 } = w.seg
  const met = u32[(w.base + VERSION) >> 2] === w.versions >>> 0
  if (!met && w.features[VERSION_CHANGED] !== 1) return undefined
  const sinceMs = met ? Math.max(0, w.timeMs - u32[(w.base + VERSION_AT) >> 2]! * 1000) : 0
  if (sinceMs > CHANGE_MS) return undefined
  const version: NonNullable<AlertFacts['change']>['version'] = {}
  assign(version, 'release', textOf(w, S.versionRelease))
  assign(version, 'model', textOf(w, S.versionModel))
  assign(version, 'prompt', textOf(w, S.versionPrompt))
  assign(version, 'tools', textOf(w, S.versionTools))
  assign(version, 'code', textOf(w, S.versionCode))
  return { version, sinceMs, ...(w.unannounced === 0 ? {} : { unannounced: partsIn(w.unannounced) }) }
}

const announcedOf = ({ announced }: Work): AlertFacts['announced'] => {
  if (announced === null) return undefined
  const { id, what, reason, ticket, by } = announced.change
  return { id, what, parts: partsIn(announced.parts), reason, ...(ticket === undefined ? {} : { ticket }), by }
}
