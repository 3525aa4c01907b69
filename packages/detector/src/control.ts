import { ControlRecord, REASON_FAMILIES, type ReasonFamily, type Rejection, rejection } from '@plumbline/schemas'
import { decode, features, identify } from './pipeline.ts'
import { S } from './record.ts'
import { H, SLOT_BYTES, SLOT_FLAGS } from './state/layout.ts'
import { learn } from './4-baseline/learn.ts'
import type { TenantState } from './2-identify/tenants.ts'
import { raiseRisk } from './7-risk/risk.ts'
import { safeObject } from './8-alert/alert.ts'
import { patternOf, rememberSafe, safeKey } from './8-alert/groups.ts'
import type { Detector } from './detector.ts'
import type { Work } from './work.ts'

/** Control ids remembered per tenant and shard; a repeat within them has no effect. */
const REMEMBERED = 256
const RISK_OF_CONFIRMED = 90

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Applies a control record to the shard at hand. Returns why it was refused, or null. Throws only RELEASE_* errors, which stop the shard. */
export const applyControl = (detector: Detector, w: Work, value: Uint8Array, ingestTimeMs: number): Rejection | null => {
  let parsed: unknown
  try {
    parsed = JSON.parse(decoder.decode(value))
  } catch {
    return rejection('CONTROL_INVALID', '', 'The control record is not JSON.')
  }
  const checked = ControlRecord.safeParse(parsed)
  if (!checked.success)
    return rejection('CONTROL_INVALID', checked.error.issues[0]?.path.join('.') ?? '', 'The control record does not fit its schema.')
  const control = checked.data
  const tenant = detector.tenant(control.tenant)
  if (tenant.applied.includes(control.controlId)) return null
  switch (control.type) {
    case 'release': {
      const refused = detector.useRelease(tenant, control.releaseId, control.sha256)
      if (refused !== null) return refused
      break
    }
    case 'policy':
      tenant.usePolicy(control.policy)
      break
    case 'erase':
      erase(detector, w, tenant, control.identity)
      break
    case 'verdict':
      applyVerdict(detector, w, tenant, control, ingestTimeMs)
  }
  tenant.changed = true
  tenant.applied.push(control.controlId)
  if (tenant.applied.length > REMEMBERED) tenant.applied.shift()
  return null
}

const slotOf = (detector: Detector, w: Work, tenant: TenantState, identity: string): boolean => {
  const { lo, hi } = detector.identityKey(tenant, identity)
  if (!detector.slots.known(w.shard, lo, hi)) return false
  w.slot = detector.slots.touch(w.shard, lo, hi, detector.stages.dirty)
  w.seg = detector.slots.segment(w.slot)
  w.base = detector.slots.base(w.slot)
  return true
}

const erase = (detector: Detector, w: Work, tenant: TenantState, identity: string): void => {
  if (!slotOf(detector, w, tenant, identity)) return
  const { u8, u16, u32 } = w.seg
  const lo = u32[(w.base + H.keyLo) >> 2]!
  const hi = u32[(w.base + H.keyHi) >> 2]!
  const version = u8[w.base]!
  tenant.open.forget(lo, hi)
  u8.fill(0, w.base, w.base + SLOT_BYTES)
  u8[w.base] = version
  u32[(w.base + H.keyLo) >> 2] = lo
  u32[(w.base + H.keyHi) >> 2] = hi
  u16[(w.base + H.flags) >> 1] = SLOT_FLAGS.erased
}

type Verdict = Extract<ControlRecord, { type: 'verdict' }>

/**
 * confirmed: risk goes up and nothing more is learned from this identity until a later verdict says otherwise.
 * safe: the evidence is learned and what is alike (same family, same object) stays quiet from here on.
 * dismissed: recorded only; alike events keep alerting.
 */
const applyVerdict = (detector: Detector, w: Work, tenant: TenantState, control: Verdict, ingestTimeMs: number): void => {
  if (control.verdict === 'dismissed' || !slotOf(detector, w, tenant, control.identity)) return
  const flagsAt = (w.base + H.flags) >> 1
  if (control.verdict === 'confirmed') {
    w.timeMs = Math.max(ingestTimeMs, w.seg.f64[(w.base + H.lastTime) >> 3]!)
    raiseRisk(w, RISK_OF_CONFIRMED, 2)
    w.seg.u16[flagsAt]! |= SLOT_FLAGS.frozen
    return
  }
  w.seg.u16[flagsAt]! &= ~SLOT_FLAGS.frozen
  const [name, key = ''] = control.groupKey.split(':')
  const family = name as ReasonFamily
  if (!REASON_FAMILIES.includes(family)) return
  const pattern = patternOf(w, Number.parseInt(key, 16) >>> 0)
  if (pattern !== 0) rememberSafe(w.seg.u32, w.base, pattern, Math.floor(ingestTimeMs / 1000))
  for (const event of control.events) learnEvidence(detector, w, Buffer.from(event, 'base64'), family, control, ingestTimeMs)
}

const learnEvidence = (
  detector: Detector,
  w: Work,
  bytes: Uint8Array,
  family: ReasonFamily,
  control: Verdict,
  ingestTimeMs: number,
): void => {
  const stages = detector.stages
  w.ingestTimeMs = ingestTimeMs
  if (decode(w, bytes, stages) !== null) return
  // Evidence of somebody else is not learned and touches nobody, whatever the record says.
  const tenant = w.event.has(S.tenant) ? w.event.text(S.tenant) : 'default'
  if (tenant !== control.tenant || w.event.text(S.identity) !== control.identity) return
  if (identify(w, stages) !== null) return
  features(w, stages.config.dailyDriftBudget, stages.learning)
  learn(w, stages.config.halfLifeMs)
  rememberSafe(w.seg.u32, w.base, safeKey(family, safeObject(w, family)), Math.floor(ingestTimeMs / 1000))
}
