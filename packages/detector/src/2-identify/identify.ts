import { N, S } from '../record.ts'
import { EVENT_ID_COUNT, EVENT_IDS, H, SE, SESSION_BYTES, SESSION_COUNT, SESSIONS } from '../state/layout.ts'
import { fingerprint } from '../state/tables.ts'
import { countryIndex } from '../state/countries.ts'
import { isExternalDestination, isWrite as actionWrites } from '../policy/index.ts'
import type { Work } from '../work.ts'

const HOUR_MS = 3_600_000

/** Fingerprints of all names that baselines count, from the hashes of the event. */
export const nameEvent = (w: Work): void => {
  const { event, hashes } = w
  const { hi } = hashes
  w.action = fingerprint(hashes.lo[S.action]!)
  w.actionHi = hi[S.action]!
  w.class_ = fingerprint(hashes.lo[S.resourceClass]!)
  w.classHi = hi[S.resourceClass]!
  w.destination = optional(w, S.destination)
  w.destinationHi = hi[S.destination]!
  w.resource = optional(w, S.resource)
  w.resourceHi = hi[S.resource]!
  w.delegate = optional(w, S.delegate)
  w.delegateHi = hi[S.delegate]!
  w.userAgent = optional(w, S.userAgent)
  w.userAgentHi = hi[S.userAgent]!
  w.session = optional(w, S.session)
  w.network = optional(w, S.ip)
  w.networkHi = hi[S.ip]!
  const at = event.start[S.country]!
  w.country = event.has(S.country) ? countryIndex(event.bytes[at]!, event.bytes[at + 1]!) : 0
  versions(w)
  segments(w)
}

const optional = (w: Work, field: number): number => (w.event.has(field) ? fingerprint(w.hashes.lo[field]!) : 0)

const mix = (a: number, b: number): number => {
  const x = Math.imul(a ^ (b + 0x7f4a7c15), 0x9e3779b1)
  return (x ^ (x >>> 15)) >>> 0
}

/** All parts of the version as one fingerprint: any part changing is a change. */
const versions = (w: Work): void => {
  w.versions = 0
  let lo = 0
  let hi = 0
  for (let field = S.versionRelease; field <= S.versionCode; field++) {
    if (!w.event.has(field)) continue
    lo = mix(lo + field, w.hashes.lo[field]!)
    hi = mix(hi + field, w.hashes.hi[field]!)
  }
  if (lo === 0 && hi === 0) return
  w.versions = fingerprint(lo)
  w.versionsHi = hi
}

const segments = (w: Work): void => {
  w.segments = 0
  if (!w.event.has(S.resourceSegment)) return
  const to = optional(w, S.resourceSegment)
  const from = optional(w, S.segment)
  w.segments = fingerprint(mix(from, to))
  w.segmentsHi = mix(w.hashes.hi[S.segment]!, w.hashes.hi[S.resourceSegment]!)
}

/**
 * Times and order: `late` for what the windows have passed by or the limit on lateness excludes; the clock of windows
 * and sessions is min(event time, arrival) and never runs ahead of the record (C2).
 */
export const placeInTime = (w: Work, lateAfterMs: number, historic: boolean): void => {
  const time = w.event.number[N.time]!
  w.timeMs = Math.min(time, w.ingestTimeMs)
  w.late = !historic && w.ingestTimeMs - time > lateAfterMs
  const hour = Math.floor(w.timeMs / HOUR_MS)
  w.hourOfWeek = (hour + 72) % 168 // 1970-01-01 was a Thursday; hour 0 is Monday 00:00 UTC
}

/** Whether the id is among the identity's last 32 (C6); keyed, so that nobody can forge a repeat. */
export const findDuplicate = (w: Work): void => {
  const id = fingerprint(w.hashes.lo[S.id]!) >>> 0
  const u32 = w.seg.u32
  const at = (w.base + EVENT_IDS) >> 2
  w.duplicate = false
  for (let i = 0; i < EVENT_ID_COUNT; i++) {
    if (u32[at + i] === id) {
      w.duplicate = true
      return
    }
  }
}

/** Finds the sub-slot of the event's session, or the one to use for it: a free one, else the longest silent. */
export const findSession = (w: Work, gapMs: number, maxMs: number): void => {
  const { u32 } = w.seg
  const nowS = Math.floor(w.timeMs / 1000)
  const wanted = (w.session === 0 ? 0xffffffff : w.session) >>> 0
  let oldest = 0
  let oldestAt = Number.POSITIVE_INFINITY
  for (let i = 0; i < SESSION_COUNT; i++) {
    const at = (w.base + SESSIONS + i * SESSION_BYTES) >> 2
    const hash = u32[at + (SE.hash >> 2)]!
    const lastS = u32[at + (SE.lastS >> 2)]!
    if (hash === wanted) {
      const silentMs = (nowS - lastS) * 1000
      const ageMs = (nowS - u32[at + (SE.startS >> 2)]!) * 1000
      w.sessionAt = at << 2
      w.sessionIsNew = ageMs > maxMs || (w.session === 0 && silentMs > gapMs)
      w.previousAction = w.sessionIsNew ? 0 : u32[at + (SE.lastAction >> 2)]!
      transition(w)
      return
    }
    if (hash === 0 ? oldestAt !== -1 : lastS < oldestAt) {
      oldest = at
      oldestAt = hash === 0 ? -1 : lastS
    }
  }
  w.sessionAt = oldest << 2
  w.sessionIsNew = true
  w.previousAction = 0
  transition(w)
}

const transition = (w: Work): void => {
  w.transition = 0
  if (w.previousAction === 0) return
  w.transition = fingerprint(mix(w.previousAction, w.action))
  w.transitionHi = mix(w.action, w.previousAction)
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const text = (w: Work, field: number): string | undefined =>
  w.event.has(field) ? decoder.decode(w.event.bytes.subarray(w.event.start[field]!, w.event.end[field]!)) : undefined

const SENSITIVITY = 3
const UNTRUSTED = 4
const EXTERNAL = 8
const WRITE = 16
const BY_POLICY = 32

/** What the policy says of the act: sensitivity, direction, whether it brings text from outside. Cached by keyed hashes. */
export const classify = (w: Work): void => {
  const { tenant } = w
  let bits: number
  let key = 0
  if (tenant.policySource === null) {
    // Nothing written: action and class decide one half, the destination the other, so both caches stay small.
    bits = actBits(w, actKey(w, 0, 0), false)
    if (w.destination !== 0) bits = (bits & ~EXTERNAL) | ((bits & WRITE) !== 0 ? placeBits(w) : 0)
  } else {
    const resource = tenant.resourceMatters && w.resource !== 0
    const toHi = w.destination === 0 ? 0 : w.destinationHi
    key = actKey(w, mix(w.destination, resource ? w.resource : 0), mix(toHi, resource ? w.resourceHi : 0))
    bits = actBits(w, key, true)
  }
  // A sender may raise what the policy says of a resource, never lower it.
  const told = w.event.number[N.sensitivity]!
  w.sensitivity = !(told >= 0) ? bits & SENSITIVITY : (bits & BY_POLICY) !== 0 ? Math.max(told, bits & SENSITIVITY) : told
  w.isUntrusted = w.event.untrusted === 255 ? (bits & UNTRUSTED) !== 0 : w.event.untrusted === 1
  w.isExternal = (bits & EXTERNAL) !== 0
  w.isWrite = (bits & WRITE) !== 0
  w.deniedBy = null
  if (tenant.policySource !== null) obeyPolicy(w, key)
}

/** Two hashes as one exact number of 53 bits. */
const wide = (lo: number, hi: number): number => (hi >>> 11) * 4_294_967_296 + (lo >>> 0)

/** Cache key of an act and of what else the policy looks at; always odd, those of places are even. */
const actKey = (w: Work, lo: number, hi: number): number => {
  const { lo: los, hi: his } = w.hashes
  return wide(mix(mix(los[S.action]!, his[S.resourceClass]!), lo) | 1, mix(mix(his[S.action]!, los[S.resourceClass]!), hi))
}

const actBits = (w: Work, key: number, whole: boolean): number => {
  const { tenant } = w
  const known = tenant.classified(key)
  if (known >= 0) return known
  const action = text(w, S.action)!
  const class_ = text(w, S.resourceClass)!
  const r = tenant.policy.resourceOf(action, whole ? text(w, S.resource) : undefined, class_, whole ? text(w, S.destination) : undefined)
  const bits =
    (r.sensitivity & SENSITIVITY) |
    (r.untrusted ? UNTRUSTED : 0) |
    (r.external ? EXTERNAL : 0) |
    (actionWrites(action) ? WRITE : 0) |
    (r.sensitivityFrom === 'policy' ? BY_POLICY : 0)
  tenant.remember(key, bits)
  if (r.class !== class_) tenant.reclassify(key, r.class)
  return bits
}

const placeBits = (w: Work): number => {
  const key = wide((w.destinationHi & ~1) | 2, w.destination)
  const known = w.tenant.classified(key)
  if (known >= 0) return known
  const bits = isExternalDestination(text(w, S.destination)!) ? EXTERNAL : 0
  w.tenant.remember(key, bits)
  return bits
}

/** What only a written policy can say: another class for the resource, and rules on who may touch which class. */
const obeyPolicy = (w: Work, key: number): void => {
  const { tenant } = w
  const named = tenant.classFor(key)
  if (named !== undefined) {
    w.class_ = fingerprint(named.lo)
    w.classHi = named.hi
  }
  if (tenant.policySource!.rules.length === 0) return
  const verdict = tenant.policy.ruleVerdict(text(w, S.identity)!, w.isWrite ? 'write' : 'read', named?.name ?? text(w, S.resourceClass)!)
  if (verdict?.effect === 'deny') w.deniedBy = verdict.ruleId
}

/** Slot header of an identity met for the first time. */
export const introduce = (w: Work): void => {
  const { u8, f64, f32 } = w.seg
  u8[w.base + H.kind] = w.event.kind
  f64[(w.base + H.firstTime) >> 3] = w.timeMs
  f64[(w.base + H.lastTime) >> 3] = w.timeMs
  f32[(w.base + H.activeDays) >> 2] = 0
}
