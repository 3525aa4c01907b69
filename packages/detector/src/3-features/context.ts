import { N } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { A, ANCHOR, COUNTRY_AT, H, SE } from '../state/layout.ts'
import { peersKnown } from '../state/peers-known.ts'
import { studentNats } from '../state/window-surprise.ts'
import { fastLog1p as log1p } from '../math/fast-ln.ts'
import { maturityFrom } from './maturity.ts'
import type { Work } from '../work.ts'
import { distanceKm } from '../state/countries.ts'
import { indexOf } from '../state/index-of.ts'

const ACTION = indexOf('action_own')
const CLASS = indexOf('class_own')
const TRAVEL = indexOf('travel_speed')
const DENIED_THEN_ALLOWED = indexOf('denied_then_allowed')
const SESSION_LENGTH = indexOf('session_length')
const SESSION_UNTRUSTED = indexOf('session_untrusted')
const SESSION_FLOW = indexOf('session_flow')
const SESSION_FIRSTS = indexOf('session_firsts')
const INSTRUCTION = indexOf('instruction_likeness')
const SENSITIVITY = indexOf('class_sensitivity')
const MATURITY = indexOf('maturity')
const EXTERNAL_WRITE = indexOf('external_write')

/** How long a denial is remembered for denied-then-allowed. */
const DENIAL_MEMORY_S = 1800

/** How much the identity's baseline can be relied on. */
export const maturityOf = (w: Work): number => maturityFrom(w.seg.f32[(w.base + H.learned) >> 2]!, w.seg.f32[(w.base + H.activeDays) >> 2]!)

/** What came before in the session and what the text of this event looked like. */
export const contextFeatures = (w: Work, group: GroupStats): void => {
  const { features: x, seg, event } = w
  const { u8, u16, u32 } = seg
  const s = w.sessionAt
  const fresh = w.sessionIsNew
  const events = fresh ? 0 : u16[(s + SE.events) >> 1]!
  x[SESSION_UNTRUSTED] = !fresh && u32[(s + SE.untrustedAtS) >> 2] !== 0 ? 1 : 0
  w.flowStep = flowAfter(w, fresh ? 0 : u8[s + SE.flow]!)
  x[SESSION_FLOW] = w.flowStep
  w.foreign = isForeign(w) && peersKnown(w, group)
  w.foreignAfter = (fresh ? 0 : u16[(s + SE.foreign) >> 1]!) + (w.foreign ? 1 : 0)
  x[SESSION_FIRSTS] = Math.min(20, (fresh ? 0 : u8[s + SE.firsts]!) + w.firsts)
  x[SESSION_LENGTH] = sessionLength(w, events + 1)
  x[INSTRUCTION] = event.number[N.instructionLikeness]! >= 0 ? event.number[N.instructionLikeness]! : 0
  x[SENSITIVITY] = w.sensitivity / 3
  x[MATURITY] = w.maturity
  x[EXTERNAL_WRITE] = w.isExternal ? 1 : 0
  x[DENIED_THEN_ALLOWED] = deniedBefore(w) ? 1 : 0
  travel(w)
}

/** Nats from which on hardly any of them does it, and from which on the identity itself hardly ever did. */
const HARDLY_ANYBODY = 7
const HARDLY_EVER = 2.5

/** An act, or a class of resources, that is none of the peers' business and not the identity's own either. */
const isForeign = ({ features: x }: Work): boolean =>
  Math.max(x[ACTION]!, x[CLASS]!) >= HARDLY_EVER && Math.max(x[ACTION + 1]!, x[CLASS + 1]!) >= HARDLY_ANYBODY

/**
 * Steps of the exfiltration flow that are complete with this event: 1 text from outside was read, 2 then something
 * sensitive, 3 then data went outside. A step counts only after the one before.
 */
const flowAfter = (w: Work, before: number): number => {
  if (before >= 2 && w.isExternal && w.isWrite) return 3
  if (before === 1 && w.sensitivity >= 2 && w.event.outcome === 0) return 2
  if (before === 0 && w.isUntrusted) return 1
  return before === 3 ? 2 : before
}

const sessionLength = (w: Work, events: number): number => {
  const f32 = w.seg.f32
  const at = (w.base + ANCHOR) >> 2
  const sessions = f32[at + (A.sessions >> 2)]!
  if (sessions < 3) return 0
  const distance = log1p(events) - f32[at + (A.sessionMean >> 2)]!
  if (distance <= 0) return 0
  return studentNats((distance * distance) / (f32[at + (A.sessionVariance >> 2)]! * (1 + 1 / sessions) + 0.1))
}

const deniedBefore = (w: Work): boolean => {
  const u32 = w.seg.u32
  const at = (w.base + ANCHOR) >> 2
  return (
    w.event.outcome === 0 &&
    u32[at + (A.lastDeniedClass >> 2)] === w.class_ &&
    w.seg.f32[at + (A.deniedRun >> 2)]! >= 2 &&
    Math.floor(w.timeMs / 1000) - u32[at + (A.lastDeniedAtS >> 2)]! <= DENIAL_MEMORY_S
  )
}

/** Speed between the last source country and this one, in either order; half an hour is the least time assumed for a journey. */
const travel = (w: Work): void => {
  const last = w.seg.u16[(w.base + H.country) >> 1]!
  const km = distanceKm(last, w.country)
  w.travelKmh = 0
  w.features[TRAVEL] = 0
  if (km < 300) return
  w.travelGapMs = Math.abs(w.timeMs - w.seg.u32[(w.base + COUNTRY_AT) >> 2]! * 1000)
  const hours = Math.max(0.5, w.travelGapMs / 3_600_000)
  w.travelKmh = km / hours
  w.features[TRAVEL] = log1p(w.travelKmh)
}
