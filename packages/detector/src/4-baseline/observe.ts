import { SCORED_FLAGS } from '@plumbline/schemas'
import { N, S } from '../record.ts'
import { indexOf } from '../state/index-of.ts'
import { isLargeSend, markLargeSend } from '../state/ramp.ts'
import { isRareAction, observeRareAction } from '../state/rare-actions.ts'
import { observeRoles } from '../state/roles.ts'
import { observeRun } from '../state/runs.ts'
import { keepParts } from '../state/version-parts.ts'
import { fingerprint } from '../state/tables.ts'
import { fastLog1p as log1p } from '../math/fast-ln.ts'
import type { Work } from '../work.ts'
import {
  A,
  ANCHOR,
  COUNTRY_AT,
  EVENT_ID_COUNT,
  EVENT_IDS,
  H,
  HOUR_BITMAP,
  HOUR_BITMAP_BYTES,
  LABEL_BYTES,
  PLACES,
  SE,
  SESSION_BYTES,
  SESSIONS,
  TAINTED,
  VERSION,
  VERSION_AT,
  W,
  WINDOW_VALUES,
} from '../state/layout.ts'

/**
 * What happened, whether or not it becomes normal: current windows, the session, the last source, the ids seen.
 * This is context, not baseline; it is kept for withheld events too, because the next event is judged by it.
 */
export const observe = (w: Work): void => {
  const { u16, u32, f32, f64 } = w.seg
  const h = w.base >> 2
  const seen = f32[h + (H.seen >> 2)]!
  u32[((w.base + EVENT_IDS) >> 2) + (seen % EVENT_ID_COUNT)] = fingerprint(w.hashes.lo[S.id]!)
  // Starts over above what a float32 counts exactly, at a multiple of the ring and never at 0, which means "new".
  f32[h + (H.seen >> 2)] = seen >= 16_777_184 ? EVENT_ID_COUNT : seen + 1
  observeSession(w)
  const last = (w.base + H.lastTime) >> 3
  if (w.timeMs >= f64[last]!) f64[last] = w.timeMs
  const nowS = Math.floor(w.timeMs / 1000)
  if (w.country !== 0 && nowS >= u32[(w.base + COUNTRY_AT) >> 2]!) {
    u16[(w.base + H.country) >> 1] = w.country
    u32[(w.base + COUNTRY_AT) >> 2] = nowS
  }
  observeVersion(w)
  observeDenials(w)
  // A window that is folded is learned: it takes nothing that is not to be learned from for its age.
  if (!w.behind && !w.late) observeWindows(w)
}

const addTo = (w: Work, metric: number, amount: number): void => {
  w.seg.f32[(w.base + WINDOW_VALUES + metric * 16) >> 2]! += amount
}

const observeWindows = (w: Work): void => {
  if ((w.flags & SCORED_FLAGS.withheld) !== 0) w.seg.u8[w.base + TAINTED] = 7
  const n = w.event.number
  const out = n[N.bytesOut]!
  const in_ = n[N.bytesIn]!
  addTo(w, W.eventsMinute, 1)
  addTo(w, W.eventsHour, 1)
  addTo(w, W.eventsDay, 1)
  if (isRareAction(w.features[ACTION_OWN]!)) observeRareAction(w)
  if (out > 0) {
    if (isLargeSend(w.seg, w.base, w.features[BYTES_OUT]!, w.features[DESTINATION]!))
      markLargeSend(w.seg.u32, (w.base + ANCHOR) >> 2, w.timeMs)
    addTo(w, W.bytesOutMinute, out)
    addTo(w, W.bytesOutHour, out)
    addTo(w, W.bytesOutDay, out)
  }
  if (in_ > 0) {
    addTo(w, W.bytesInHour, in_)
    addTo(w, W.bytesInDay, in_)
  }
  if (w.event.outcome === 1) addTo(w, W.failuresHour, 1)
  if (w.event.outcome === 2) addTo(w, W.deniedHour, 1)
  if (w.sensitivity >= 2 && !w.isWrite) addTo(w, W.sensitiveHour, 1)
  if (w.isExternal) addTo(w, W.externalDay, 1)
  if (w.newInHour) {
    const bit = w.resource & (HOUR_BITMAP_BYTES * 8 - 1)
    w.seg.u8[w.base + HOUR_BITMAP + (bit >> 3)]! |= 1 << (bit & 7)
    addTo(w, W.resourcesHour, 1)
  }
  if (w.network !== 0) {
    const at = (w.base + ANCHOR + A.lastSourceSet) >> 2
    const bit = 1 << (w.network & 31)
    if ((w.seg.u32[at]! & bit) === 0) {
      w.seg.u32[at]! |= bit
      addTo(w, W.sourcesHour, 1)
    }
  }
}

const ACTION_OWN = indexOf('action_own')
const BYTES_OUT = indexOf('bytes_out_own')
const DESTINATION = indexOf('destination_own')
const VERSION_CHANGED = indexOf('version_changed')

/** The parts of its version, and when the identity was first seen under it: what follows soon after is told as following a change. */
const observeVersion = (w: Work): void => {
  if (w.versions === 0) return
  keepParts(w)
  const at = (w.base + VERSION) >> 2
  if (w.features[VERSION_CHANGED] !== 1 || w.seg.u32[at] === w.versions >>> 0) return
  w.seg.u32[at] = w.versions
  w.seg.u32[(w.base + VERSION_AT) >> 2] = Math.floor(w.timeMs / 1000)
}

const observeDenials = (w: Work): void => {
  const { u32, f32 } = w.seg
  const at = (w.base + ANCHOR) >> 2
  if (w.event.outcome === 2) {
    const same = u32[at + (A.lastDeniedClass >> 2)] === w.class_
    f32[at + (A.deniedRun >> 2)] = same ? f32[at + (A.deniedRun >> 2)]! + 1 : 1
    u32[at + (A.lastDeniedClass >> 2)] = w.class_
    u32[at + (A.lastDeniedAtS >> 2)] = Math.floor(w.timeMs / 1000)
  } else if (u32[at + (A.lastDeniedClass >> 2)] === w.class_ && f32[at + (A.deniedRun >> 2)]! > 0) f32[at + (A.deniedRun >> 2)]! -= 0.25
}

const observeSession = (w: Work): void => {
  const { u8, u16, u32, f32 } = w.seg
  const s = w.sessionAt
  const nowS = Math.floor(w.timeMs / 1000)
  if (w.sessionIsNew) {
    closeSession(w)
    u8.fill(0, s, s + SESSION_BYTES)
    u32[(s + SE.hash) >> 2] = w.session === 0 ? 0xffffffff : w.session
    u32[(s + SE.startS) >> 2] = nowS
  }
  u8[s + SE.flow] = w.flowStep
  if (w.isUntrusted) {
    u32[(s + SE.untrustedAtS) >> 2] = nowS
    u32[(s + SE.untrustedClass) >> 2] = w.class_
    const { bytes, start, end } = w.event
    const from = start[S.resourceClass]!
    const length = Math.min(LABEL_BYTES, end[S.resourceClass]! - from)
    for (let i = 0; i < LABEL_BYTES; i++) u8[s + SE.untrustedLabel + i] = i < length ? bytes[from + i]! : 0
  }
  if (w.sensitivity >= 2) {
    u32[(s + SE.sensitiveAtS) >> 2] = nowS
    u32[(s + SE.sensitiveClass) >> 2] = w.class_
  }
  u8[s + SE.firsts] = Math.min(255, u8[s + SE.firsts]! + w.firsts)
  u16[(s + SE.events) >> 1] = Math.min(65_535, u16[(s + SE.events) >> 1]! + 1)
  u16[(s + SE.unusual) >> 1] = w.unusualAfter
  u16[(s + SE.foreign) >> 1] = Math.min(65_535, w.foreignAfter)
  u32[(s + SE.lastS) >> 2] = Math.max(nowS, u32[(s + SE.lastS) >> 2]!)
  u32[(s + SE.lastAction) >> 2] = w.action
  observeRun(w)
  const place = w.base + PLACES + (s - w.base - SESSIONS) / SESSION_BYTES
  if (w.destination !== 0) u8[place] = w.place
  else if (w.sessionIsNew) u8[place] = 0
  observeRoles(w)
  if (w.event.number[N.bytesOut]! > 0) f32[(s + SE.bytesOut) >> 2]! += w.event.number[N.bytesOut]!
}

/** Length of the session that gives up its place, folded into what a session of this identity is like. */
const closeSession = (w: Work): void => {
  const { u16, u32, f32 } = w.seg
  if (u32[(w.sessionAt + SE.hash) >> 2] === 0) return
  const x = log1p(u16[(w.sessionAt + SE.events) >> 1]!)
  const at = (w.base + ANCHOR) >> 2
  const n = f32[at + (A.sessions >> 2)]!
  const mean = f32[at + (A.sessionMean >> 2)]!
  const variance = f32[at + (A.sessionVariance >> 2)]!
  const alpha = 1 / Math.min(n + 1, 200)
  const reach = 3 * Math.sqrt(variance + 0.1)
  const bounded = n < 3 ? x : Math.min(mean + reach, Math.max(mean - reach, x))
  const moved = mean + alpha * (bounded - mean)
  f32[at + (A.sessionMean >> 2)] = moved
  f32[at + (A.sessionVariance >> 2)] = (1 - alpha) * variance + alpha * (bounded - mean) * (bounded - moved)
  f32[at + (A.sessions >> 2)] = n + 1
}
