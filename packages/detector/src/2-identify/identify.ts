import { N, S } from '../record.ts'
import { EVENT_ID_COUNT, EVENT_IDS, H, SE, SESSION_BYTES, SESSION_COUNT, SESSIONS } from '../state/layout.ts'
import { fingerprint } from '../state/tables.ts'
import { countryIndex } from '../state/countries.ts'
import { mix } from '../math/mix.ts'
import type { Work } from '../work.ts'

const HOUR_MS = 3_600_000

/** Fingerprints of all names that baselines count, from the hashes of the event. */
export const nameEvent = (w: Work): void => {
  const { event, hashes } = w
  const { hi } = hashes
  w.action = fingerprint(hashes.lo[S.action]!)
  w.actionHi = hi[S.action]!
  nameClass(w)
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
}

/** Stock telemetry calls everything a tool: then what is done says better what it is done to. */
const nameClass = (w: Work): void => {
  const { lo, hi } = w.hashes
  const { generic } = w.tenant
  const field = lo[S.resourceClass] === generic.lo && hi[S.resourceClass] === generic.hi ? S.action : S.resourceClass
  w.class_ = fingerprint(lo[field]!)
  w.classHi = hi[field]!
}

const optional = (w: Work, field: number): number => (w.event.has(field) ? fingerprint(w.hashes.lo[field]!) : 0)

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

/**
 * Finds the sub-slot of the event's session, or the one to use for it: a free one, else that of the session whose last
 * event is the oldest, of equals the first. Where the one that goes is still open, the fifth session is an overflow (C4).
 */
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
      w.sessionOverflow = false
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
  w.sessionOverflow = oldestAt !== -1 && isOpen(u32, oldest, nowS, gapMs, maxMs)
  w.previousAction = 0
  transition(w)
}

/** By the end of C4: twelve hours after it began, or after the gap where it has no name. */
const isOpen = (u32: Uint32Array, at: number, nowS: number, gapMs: number, maxMs: number): boolean =>
  (nowS - u32[at + (SE.startS >> 2)]!) * 1000 <= maxMs &&
  (u32[at + (SE.hash >> 2)] !== 0xffffffff || (nowS - u32[at + (SE.lastS >> 2)]!) * 1000 <= gapMs)

const transition = (w: Work): void => {
  w.transition = 0
  if (w.previousAction === 0) return
  w.transition = fingerprint(mix(w.previousAction, w.action))
  w.transitionHi = mix(w.action, w.previousAction)
}

/** Slot header of an identity met for the first time. */
export const introduce = (w: Work): void => {
  const { u8, f64, f32 } = w.seg
  u8[w.base + H.kind] = w.event.kind
  f64[(w.base + H.firstTime) >> 3] = w.timeMs
  f64[(w.base + H.lastTime) >> 3] = w.timeMs
  f32[(w.base + H.activeDays) >> 2] = 0
}
