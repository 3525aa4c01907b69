import { ControlRecord, REASON_FAMILIES, type ReasonFamily, type Rejection, rejection } from '@plumbline/schemas'
import { decode, features, identify } from './pipeline.ts'
import { S } from './record.ts'
import { H, SLOT_BYTES, SLOT_FLAGS } from './state/layout.ts'
import { learn } from './4-baseline/learn.ts'
import { score } from './6-score/score.ts'
import type { TenantState } from './2-identify/tenants.ts'
import { raiseRisk } from './7-risk/risk.ts'
import { safeObject } from './8-alert/alert.ts'
import { speakingFamilies } from './8-alert/families.ts'
import { forgetSafe, patternOf, rememberSafe, safeKey } from './8-alert/groups.ts'
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
    case 'change':
      if (!tenant.changes.announce(control.change, ingestTimeMs)) return rejection('CHANGES_FULL', 'change')
      break
    case 'change_withdrawn':
      tenant.changes.withdraw(control.changeId)
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
 * confirmed: risk goes up, nothing more is learned from this identity until a later verdict says otherwise, and what an
 * earlier verdict on the same acts called safe is so no longer.
 * safe: the evidence is learned and what is alike (same family, same object) stays quiet from here on.
 * dismissed: recorded only; alike events keep alerting.
 */
const applyVerdict = (detector: Detector, w: Work, tenant: TenantState, control: Verdict, ingestTimeMs: number): void => {
  if (control.verdict === 'dismissed' || !slotOf(detector, w, tenant, control.identity)) return
  const [name, key = ''] = control.groupKey.split(':')
  const family = name as ReasonFamily
  const pattern = patternOf(w, Number.parseInt(key, 16) >>> 0)
  const flagsAt = (w.base + H.flags) >> 1
  if (control.verdict === 'confirmed') {
    w.timeMs = Math.max(ingestTimeMs, w.seg.f64[(w.base + H.lastTime) >> 3]!)
    raiseRisk(w, RISK_OF_CONFIRMED, 2)
    w.seg.u16[flagsAt]! |= SLOT_FLAGS.frozen
    forgetSafe(w.seg.u32, w.base, pattern)
    for (const _ of evidenceOf(detector, w, control, ingestTimeMs))
      for (const f of REASON_FAMILIES) forgetSafe(w.seg.u32, w.base, safeKey(f, safeObject(w, f)))
    return
  }
  w.seg.u16[flagsAt]! &= ~SLOT_FLAGS.frozen
  if (!REASON_FAMILIES.includes(family)) return
  const nowS = Math.floor(ingestTimeMs / 1000)
  if (pattern !== 0) rememberSafe(w.seg.u32, w.base, pattern, nowS)
  let isFirst = true
  for (const _ of evidenceOf(detector, w, control, ingestTimeMs)) {
    // What is learned below takes the first reason away, and the same act again would be told for its second.
    if (isFirst) score(w)
    const families = isFirst ? [...speakingFamilies(w, SAFE_FAMILIES), family] : [family]
    isFirst = false
    learn(w, detector.stages.config.halfLifeMs)
    for (const f of families) rememberSafe(w.seg.u32, w.base, safeKey(f, safeObject(w, f)), nowS)
  }
}

/** Reasons of an act that a safe verdict speaks of; an identity has room for eight. */
const SAFE_FAMILIES = 3

/** Puts each event of the evidence on the sheet, up to its features. Evidence of somebody else is left out, whatever the record says. */
function* evidenceOf(detector: Detector, w: Work, control: Verdict, ingestTimeMs: number): Generator<undefined, void, undefined> {
  const { stages } = detector
  for (const event of control.events) {
    w.ingestTimeMs = ingestTimeMs
    if (decode(w, Buffer.from(event, 'base64'), stages) !== null) continue
    const tenant = w.event.has(S.tenant) ? w.event.text(S.tenant) : 'default'
    if (tenant !== control.tenant || w.event.text(S.identity) !== control.identity) continue
    if (identify(w, stages) !== null) continue
    features(w, stages.config.dailyDriftBudget, stages.learning)
    yield
  }
}
