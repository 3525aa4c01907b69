import type { ReasonFamily, Severity } from '@plumbline/schemas'
import { SEVERITIES } from '@plumbline/schemas'
import { G, GROUP_BYTES, GROUP_COUNT, GROUP_FLAGS, GROUPS, SAFE, SAFE_BYTES, SAFE_COUNT } from '../state/layout.ts'
import { N } from '../record.ts'
import { fingerprint } from '../state/tables.ts'
import type { Work } from '../work.ts'
import { mix } from '../math/mix.ts'
import { leaves } from './foreign.ts'
import { familyIndex } from './rules.ts'

/** A small number over all 32 bits: hours that follow each other differ in few bits, as families do, and would meet. */
const spread = (small: number): number => mix(small, 0)

/** What became of an alerting event in its group. */
export interface GroupState {
  readonly key: number
  readonly firstOffset: number
  readonly firstTime: number
  /** Newest event time so far; events may come out of order. */
  readonly lastTime: number
  readonly revision: number
  readonly count: number
  readonly suppressed: number
  /** All of its events did the same to the same: they may be told as "n times". */
  readonly alike: boolean
  /** What its events sent altogether. */
  readonly bytesOut: number
  /** There was a group about the same before it. */
  readonly again: boolean
  /** False when this event only raises the suppressed count. */
  readonly publish: boolean
  /** It has gone on for `adoptAfterMs` (contracts C10). */
  readonly adopting: boolean
}

/**
 * Group key of contracts C6: reason family within the session, or within a window of event time. How much an identity does
 * altogether, or that it does another's work, is one piece of news a day, whichever of its usual or harmless acts shows it.
 */
export const groupKey = (w: Work, family: ReasonFamily, windowMs: number): number => {
  const scope = isNewsOfDay(w, family)
    ? spread(Math.floor(w.timeMs / DAY_MS))
    : w.session === 0
      ? Math.floor(w.timeMs / windowMs)
      : w.session
  const key = mix(spread(familyIndex(family) + 1), scope)
  return key === 0 ? 1 : key
}

const DAY_MS = 86_400_000

/** Nothing that leaves, and nothing new or confidential, may come under the headline of something else. */
const isNewsOfDay = (w: Work, family: ReasonFamily): boolean => {
  if (family === 'rate' || family === 'drift') return !w.newAction && !w.newClass && !w.newDestination && !leaves(w)
  return family === 'new_behaviour' && w.foreign && w.sensitivity < 2 && !leaves(w)
}

const begin = (w: Work, at: number, key: number, pattern: number, act: number): void => {
  const { u8, u32, f64 } = w.seg
  const again = toldBefore(w, pattern)
  u8.fill(0, at, at + GROUP_BYTES)
  u32[(at + G.key) >> 2] = key
  u32[(at + G.pattern) >> 2] = pattern
  u32[(at + G.act) >> 2] = act
  u8[at + G.flags] = again ? GROUP_FLAGS.again : 0
  f64[(at + G.firstOffset) >> 3] = w.offset
  f64[(at + G.firstTime) >> 3] = w.timeMs
}

/** What the headline says that was done and for whom, and for families that name it, from where. */
const actKey = (w: Work, family: ReasonFamily): number => {
  const act = mix(mix(w.action, w.class_), mix(w.destination, w.event.outcome))
  return fingerprint(mix(mix(act, w.delegate), circumstance(w, family)))
}

const circumstance = (w: Work, family: ReasonFamily): number => {
  switch (family) {
    case 'source':
    case 'travel':
      return mix(w.network, mix(w.country, w.userAgent))
    case 'lateral_movement':
      return w.segments
    case 'version_change':
      return w.versions
    case 'policy':
      return w.said.denied === 'way' ? w.segments : 0
    default:
      return 0
  }
}

/**
 * Counts the event into its group. Published are the first, each doubling of the count, each rise in severity, and the
 * first that is adopted.
 * @param adoptAfterMs age of a group from which on its events are learned; Infinity where they never are
 * @param makeRoom called with the place of an open group that gives way to this one
 * @returns null where there is no place: what is open is as grave and going on, and a group opened for each event by turns
 *   would tell the same trouble a hundred times
 */
export const joinGroup = (
  w: Work,
  family: ReasonFamily,
  severity: Severity,
  windowMs: number,
  adoptAfterMs: number,
  pattern: number,
  makeRoom: (at: number) => void,
): GroupState | null => {
  const { u8, u16, u32, f32, f64 } = w.seg
  const own = groupKey(w, family, windowMs)
  const level = SEVERITIES.indexOf(severity) + 1
  const nowS = Math.floor(w.timeMs / 1000)
  const at = placeOf(w, own, pattern, nowS, level, windowMs / 1000)
  if (at < 0) return null
  const act = actKey(w, family)
  const key = u32[(at + G.pattern) >> 2] === pattern && nowS - u32[(at + G.lastS) >> 2]! <= AGAIN_S ? u32[(at + G.key) >> 2]! : own
  if (u32[(at + G.key) >> 2] !== key || u32[(at + G.count) >> 2] === 0) {
    if (u32[(at + G.count) >> 2] !== 0) makeRoom(at)
    begin(w, at, key, pattern, act)
  } else if (u32[(at + G.act) >> 2] !== act) u32[(at + G.act) >> 2] = 0
  const count = u32[(at + G.count) >> 2]! + 1
  u32[(at + G.count) >> 2] = count
  const lastS = Math.max(nowS, u32[(at + G.lastS) >> 2]!)
  u32[(at + G.lastS) >> 2] = lastS
  const sent = w.event.number[N.bytesOut]!
  if (sent > 0) f32[(at + G.bytesOut) >> 2]! += sent
  const adopting = w.timeMs - f64[(at + G.firstTime) >> 3]! >= adoptAfterMs
  const isNews = level > u8[at + G.severity]! || (adopting && (u8[at + G.flags]! & GROUP_FLAGS.adopting) === 0)
  u8[at + G.flags] = (u8[at + G.flags]! & ~GROUP_FLAGS.adopting) | (adopting ? GROUP_FLAGS.adopting : 0)
  const publish = (count & (count - 1)) === 0 || isNews
  const before = u32[(at + G.published) >> 2]!
  if (publish) {
    u16[(at + G.revision) >> 1]! += 1
    u8[at + G.severity] = Math.max(level, u8[at + G.severity]!)
    u32[(at + G.published) >> 2] = count
  }
  return {
    key,
    firstOffset: f64[(at + G.firstOffset) >> 3]!,
    firstTime: f64[(at + G.firstTime) >> 3]!,
    lastTime: Math.max(w.timeMs, lastS > nowS ? lastS * 1000 : 0, f64[(at + G.firstTime) >> 3]!),
    revision: u16[(at + G.revision) >> 1]!,
    count,
    suppressed: Math.max(0, count - before - 1),
    alike: u32[(at + G.act) >> 2] !== 0,
    bytesOut: f32[(at + G.bytesOut) >> 2]!,
    again: (u8[at + G.flags]! & GROUP_FLAGS.again) !== 0,
    publish,
    adopting,
  }
}

/** The same family about the same object within this long is the same news, also in another session; after it the group is over. */
export const AGAIN_S = 86_400

/**
 * The place of the group, else of one about the same thing not long ago, else a free one or the one silent for longest,
 * else the least grave where this is graver; -1 where there is none.
 */
const placeOf = (w: Work, key: number, pattern: number, nowS: number, level: number, windowS: number): number => {
  const { u8, u32 } = w.seg
  let oldest = w.base + GROUPS
  let least = oldest
  let again = -1
  for (let i = 0; i < GROUP_COUNT; i++) {
    const at = w.base + GROUPS + i * GROUP_BYTES
    if (u32[(at + G.key) >> 2] === key) return at
    if (u32[(at + G.pattern) >> 2] === pattern && nowS - u32[(at + G.lastS) >> 2]! <= AGAIN_S) again = at
    if (u32[(at + G.lastS) >> 2]! < u32[(oldest + G.lastS) >> 2]!) oldest = at
    if (u8[at + G.severity]! < u8[least + G.severity]!) least = at
  }
  if (again >= 0) return again
  const goesOn = u32[(oldest + G.count) >> 2] !== 0 && nowS - u32[(oldest + G.lastS) >> 2]! < windowS
  return !goesOn ? oldest : level > u8[least + G.severity]! ? least : -1
}

/** Whether a group that is still kept was about the same: closed ones stay until their place is needed. */
const toldBefore = (w: Work, pattern: number): boolean => {
  const end = w.base + GROUPS + GROUP_COUNT * GROUP_BYTES
  for (let at = w.base + GROUPS; at < end; at += GROUP_BYTES) if (w.seg.u32[(at + G.pattern) >> 2] === pattern) return true
  return false
}

/** Pattern of an open group, or 0: what a verdict on it speaks of where the evidence is gone. */
export const patternOf = (w: Work, key: number): number => {
  const u32 = w.seg.u32
  for (let i = 0; i < GROUP_COUNT; i++) {
    const at = w.base + GROUPS + i * GROUP_BYTES
    if (key !== 0 && u32[(at + G.key) >> 2] === key) return u32[(at + G.pattern) >> 2]!
  }
  return 0
}

/** What an analyst's "safe" speaks of: the family and its object, not the single event. */
export const safeKey = (family: ReasonFamily, object: number): number => {
  const key = mix(spread(familyIndex(family) + 101), object)
  return key === 0 ? 1 : key
}

/** What was safe last quarter is looked at again: a verdict speaks for this long of event time. */
const SAFE_FOR_S = 90 * 86_400

export const isSafe = (w: Work, key: number): boolean => {
  const { u32 } = w.seg
  for (let i = 0; i < SAFE_COUNT; i++) {
    const at = (w.base + SAFE + i * SAFE_BYTES) >> 2
    if (u32[at] === key) return Math.floor(w.timeMs / 1000) - u32[at + 1]! <= SAFE_FOR_S
  }
  return false
}

/** Whether anything of this identity was ever called safe. */
export const hasSafe = (w: Work): boolean => {
  const at = (w.base + SAFE) >> 2
  for (let i = 0; i < SAFE_COUNT * 2; i += 2) if (w.seg.u32[at + i] !== 0) return true
  return false
}

/** Forgets that a pattern is safe. */
export const forgetSafe = (u32: Uint32Array, base: number, key: number): void => {
  const at = (base + SAFE) >> 2
  for (let i = 0; i < SAFE_COUNT * 2; i += 2) if (u32[at + i] === key) u32.fill(0, at + i, at + i + 2)
}

/** Remembers a pattern as safe; the oldest of eight gives way. */
export const rememberSafe = (u32: Uint32Array, base: number, key: number, nowS: number): void => {
  let oldest = (base + SAFE) >> 2
  for (let i = 0; i < SAFE_COUNT; i++) {
    const at = (base + SAFE + i * SAFE_BYTES) >> 2
    if (u32[at] === key || u32[at] === 0) {
      oldest = at
      break
    }
    if (u32[at + 1]! < u32[oldest + 1]!) oldest = at
  }
  u32[oldest] = key
  u32[oldest + 1] = nowS
}
