import { N, S } from '../record.ts'
import { mix, wide } from '../math/mix.ts'
import { type FitField, goesOutside, isExternalDestination, judge } from '../policy/index.ts'
import { fingerprint } from '../state/tables.ts'
import type { Answers } from './answers.ts'
import type { NameHash, Ruling } from './tenants.ts'
import type { Work } from '../work.ts'

/**
 * What the policy says of the act: sensitivity, direction, whether it brings text from outside, who may do it, from where to
 * where. Names are decoded and matched once each: resources, destinations and identities, of which there may be any number,
 * are first reduced to which entries of the policy fit them, and the answer for an action, a class and such fits is shared.
 */
export const classify = (w: Work): void => {
  const key = actKey(w)
  const said = w.tenant.rulingFor(key) ?? ask(w, key)
  const { resource } = said
  w.said = said
  // A sender may raise what the policy says of a resource, never lower it.
  const told = w.event.number[N.sensitivity]!
  w.sensitivity = !(told >= 0) ? resource.sensitivity : resource.sensitivityFrom === 'policy' ? Math.max(told, resource.sensitivity) : told
  w.isUntrusted = w.event.untrusted === 255 ? resource.untrusted : w.event.untrusted === 1
  w.isWrite = resource.write
  const asksPlace = resource.write && resource.external === undefined && w.destination !== 0
  w.isExternal = goesOutside(resource, asksPlace ? isPlaceExternal(w) : undefined)
  if (said.classHash !== null) {
    w.class_ = fingerprint(said.classHash.lo)
    w.classHi = said.classHash.hi
  }
  nameSegments(w, said)
  w.deniedBy = said.denied === null ? null : said.denied === 'rule' ? said.rule!.ruleId : 'segments'
}

/** A bit of the upper half that a key keeps. */
const NEVER_ZERO = 0x800
const upper = (fit: number): number => Math.floor(fit / 4_294_967_296)

/** All that the policy's answer depends on, as one number. Always odd: the keys of places are even. */
const actKey = (w: Work): number => {
  const { tenant } = w
  const { lo, hi } = w.hashes
  let a = mix(lo[S.action]!, hi[S.resourceClass]!)
  let b = mix(hi[S.action]!, lo[S.resourceClass]!)
  if (tenant.policySource === null) return wide(a | 1, b)
  const resource = tenant.asksResource && w.resource !== 0 ? fitOf(w, 'resource', S.resource, tenant.fits) : 0
  const destination = tenant.asksDestination && w.destination !== 0 ? fitOf(w, 'destination', S.destination, tenant.fits) : 0
  const identity = tenant.asksIdentity ? fitOf(w, 'identity', S.identity, tenant.identityFits) : 0
  a = mix(mix(a, mix(resource >>> 0, destination >>> 0)), identity >>> 0)
  b = mix(mix(b, mix(upper(resource), upper(destination))), upper(identity))
  if (tenant.asksSegments) {
    a = mix(a, mix(lo[S.segment]!, hi[S.resourceSegment]!))
    b = mix(b, mix(hi[S.segment]!, lo[S.resourceSegment]!))
  }
  return wide(a | 1, b)
}

/** Which entries of the policy fit the name; 53 bits. */
const fitOf = (w: Work, name: FitField, field: number, fits: Answers): number => {
  const key = wide(mix(w.hashes.lo[field]!, field), w.hashes.hi[field]! | NEVER_ZERO)
  const known = fits.get(key)
  if (known >= 0) return known
  const fit = w.tenant.policy.fitOf(name, w.event.text(field))
  fits.set(key, fit)
  return fit
}

const textOf = (w: Work, field: number): string | undefined => (w.event.has(field) ? w.event.text(field) : undefined)

const ask = (w: Work, key: number): Ruling => {
  const { tenant, event } = w
  const act = {
    identity: event.text(S.identity),
    action: event.text(S.action),
    class: event.text(S.resourceClass),
    resource: textOf(w, S.resource),
    destination: textOf(w, S.destination),
    from: textOf(w, S.segment),
    to: textOf(w, S.resourceSegment),
  }
  return tenant.keepRuling(key, judge(tenant.policy, act))
}

const isPlaceExternal = (w: Work): boolean => {
  const { acts } = w.tenant
  const key = wide((w.destinationHi & ~1) | 2, w.destination)
  const known = acts.get(key)
  if (known >= 0) return known === 1
  const isExternal = isExternalDestination(w.event.text(S.destination))
  acts.set(key, isExternal ? 1 : 0)
  return isExternal
}

/** The pair of segments, where there is a second one: where it acts from, where the resource lives. Each as told, else by the policy. */
const nameSegments = (w: Work, said: Ruling): void => {
  w.segments = 0
  if (!w.event.has(S.resourceSegment) && said.toHash === null) return
  const { lo, hi } = w.hashes
  const from = w.event.has(S.segment) ? fingerprint(lo[S.segment]!) : half(said.fromHash)
  const to = w.event.has(S.resourceSegment) ? fingerprint(lo[S.resourceSegment]!) : half(said.toHash)
  w.segments = fingerprint(mix(from, to))
  w.segmentsHi = mix(said.fromHash?.hi ?? hi[S.segment]!, said.toHash?.hi ?? hi[S.resourceSegment]!)
}

const half = (hash: NameHash | null): number => (hash === null ? 0 : fingerprint(hash.lo))
