import { N, S } from '../record.ts'
import { mix, wide } from '../math/mix.ts'
import { type FitField, isExternalDestination, isWrite as actionWrites, sendsOutward } from '../policy/index.ts'
import { fingerprint } from '../state/tables.ts'
import type { Answers } from './answers.ts'
import type { Work } from '../work.ts'

const SENSITIVITY = 3
const UNTRUSTED = 4
const EXTERNAL = 8
const WRITE = 16
const BY_POLICY = 32
/** The policy itself says whether the act takes data outside; else the destination decides, or the act where it names none. */
const EXTERNAL_BY_POLICY = 64
/** The policy gives another class than the sender. */
const OTHER_CLASS = 128

/**
 * What the policy says of the act: sensitivity, direction, whether it brings text from outside, who may do it. Names are
 * decoded and matched once each: resources and destinations, of which there may be any number, are first reduced to which
 * entries of the policy fit them, and the answer for an action, a class and such a fit is shared.
 */
export const classify = (w: Work): void => {
  const { tenant, hashes } = w
  const resource = tenant.asksResource && w.resource !== 0 ? fitOf(w, 'resource', S.resource, tenant.fits) : 0
  const destination = tenant.asksDestination && w.destination !== 0 ? fitOf(w, 'destination', S.destination, tenant.fits) : 0
  const lo = mix(mix(hashes.lo[S.action]!, hashes.hi[S.resourceClass]!), mix(resource >>> 0, destination >>> 0))
  const hi = mix(mix(hashes.hi[S.action]!, hashes.lo[S.resourceClass]!), mix(upper(resource), upper(destination)))
  // Always odd: the keys of places are even.
  const key = wide(lo | 1, hi)
  const bits = actBits(w, key)
  // A sender may raise what the policy says of a resource, never lower it.
  const told = w.event.number[N.sensitivity]!
  w.sensitivity = !(told >= 0) ? bits & SENSITIVITY : (bits & BY_POLICY) !== 0 ? Math.max(told, bits & SENSITIVITY) : told
  w.isUntrusted = w.event.untrusted === 255 ? (bits & UNTRUSTED) !== 0 : w.event.untrusted === 1
  w.isWrite = (bits & WRITE) !== 0
  const asksPlace = w.destination !== 0 && w.isWrite && (bits & EXTERNAL_BY_POLICY) === 0
  w.isExternal = asksPlace ? isPlaceExternal(w) : (bits & EXTERNAL) !== 0
  w.deniedBy = null
  if (tenant.policySource !== null) obeyPolicy(w, key, (bits & OTHER_CLASS) !== 0)
}

/** A bit of the upper half that a key keeps. */
const NEVER_ZERO = 0x800
const upper = (fit: number): number => Math.floor(fit / 4_294_967_296)

const textOf = (w: Work, field: number): string | undefined => (w.event.has(field) ? w.event.text(field) : undefined)

/** Which entries of the policy fit the name; 53 bits. */
const fitOf = (w: Work, name: FitField, field: number, fits: Answers): number => {
  const { policy } = w.tenant
  const key = wide(mix(w.hashes.lo[field]!, field), w.hashes.hi[field]! | NEVER_ZERO)
  const known = fits.get(key)
  if (known >= 0) return known
  const fit = policy.fitOf(name, w.event.text(field))
  fits.set(key, fit)
  return fit
}

const actBits = (w: Work, key: number): number => {
  const { tenant } = w
  const known = tenant.acts.get(key)
  if (known >= 0) return known
  const action = w.event.text(S.action)
  const class_ = w.event.text(S.resourceClass)
  const r = tenant.policy.resourceOf(action, textOf(w, S.resource), class_, textOf(w, S.destination))
  const isWrite = actionWrites(action)
  const byPolicy = r.externalFrom === 'policy'
  const isExternal = byPolicy ? r.external : isWrite && sendsOutward(action, class_)
  const bits =
    (r.sensitivity & SENSITIVITY) |
    (r.untrusted ? UNTRUSTED : 0) |
    (isExternal ? EXTERNAL : 0) |
    (isWrite ? WRITE : 0) |
    (r.sensitivityFrom === 'policy' ? BY_POLICY : 0) |
    (byPolicy ? EXTERNAL_BY_POLICY : 0) |
    (r.class === class_ ? 0 : OTHER_CLASS)
  tenant.acts.set(key, bits)
  if (r.class !== class_) tenant.reclassify(key, r.class)
  return bits
}

const isPlaceExternal = (w: Work): boolean => {
  const { acts } = w.tenant
  const key = wide((w.destinationHi & ~1) | 2, w.destination)
  const known = acts.get(key)
  if (known >= 0) return known === EXTERNAL
  const isExternal = isExternalDestination(w.event.text(S.destination))
  acts.set(key, isExternal ? EXTERNAL : 0)
  return isExternal
}

/** What only a written policy can say: another class for the resource, and rules on who may touch which class. */
const obeyPolicy = (w: Work, key: number, otherClass: boolean): void => {
  const { tenant } = w
  const named = otherClass ? tenant.classFor(key) : undefined
  if (named !== undefined) {
    w.class_ = fingerprint(named.lo)
    w.classHi = named.hi
  }
  const { rules } = tenant.policySource!
  if (rules.length === 0) return
  const { lo, hi } = w.hashes
  const fit = fitOf(w, 'identity', S.identity, tenant.ruleFits)
  const classLo = named?.lo ?? lo[S.resourceClass]!
  const classHi = named?.hi ?? hi[S.resourceClass]!
  const asked = wide(mix(mix(fit >>> 0, classHi), w.isWrite ? 1 : 0), mix(upper(fit), classLo) | NEVER_ZERO)
  let denying = tenant.ruled.get(asked)
  if (denying < 0) {
    const class_ = named?.name ?? w.event.text(S.resourceClass)
    const verdict = tenant.policy.ruleVerdict(w.event.text(S.identity), w.isWrite ? 'write' : 'read', class_)
    // 0: nothing denies it; else the place of the rule that does, from 1.
    denying = verdict?.effect === 'deny' ? 1 + rules.findIndex((rule) => rule.id === verdict.ruleId) : 0
    tenant.ruled.set(asked, denying)
  }
  if (denying > 0) w.deniedBy = rules[denying - 1]!.id
}
