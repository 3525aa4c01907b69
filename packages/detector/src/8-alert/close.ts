import type { Alert } from '@plumbline/schemas'
import { G, GROUP_BYTES, GROUP_COUNT, GROUPS, H } from '../state/layout.ts'
import type { OpenAlert } from '../state/open-alerts.ts'
import type { Segment } from '../state/slots.ts'
import type { Work } from '../work.ts'
import type { AlertContext } from './alert.ts'
import { AGAIN_S } from './groups.ts'
import { wordsOf } from './words.ts'

/**
 * Closes the identity's groups that nothing can join any more. Called at each of its records: there are no timers, so a
 * group of an identity that stays silent is closed when it comes back, or when its place is needed (C2, C6).
 */
export const closeSilent = (w: Work, ctx: AlertContext): void => {
  const { u32 } = w.seg
  const nowS = Math.floor(w.timeMs / 1000)
  const end = w.base + GROUPS + GROUP_COUNT * GROUP_BYTES
  for (let at = w.base + GROUPS; at < end; at += GROUP_BYTES) {
    if (u32[(at + G.count) >> 2] !== 0 && nowS - u32[(at + G.lastS) >> 2]! > AGAIN_S) closeGroup(w, w.seg, at, ctx)
  }
}

/** Keeps the published revision for the closing one; where there are too many open groups, the one silent for longest is closed. */
export const keepOpen = (w: Work, alert: Alert, ctx: AlertContext): void => {
  const { open } = w.tenant
  const oldest = open.oldest(alert.evidence[0]!.offset)
  if (oldest !== null) closeElsewhere(w, oldest, ctx)
  const at = (w.base + H.keyLo) >> 2
  open.keep({ alert, lo: w.seg.u32[at]!, hi: w.seg.u32[at + 1]! })
}

const closeElsewhere = (w: Work, { alert, lo, hi }: OpenAlert, ctx: AlertContext): void => {
  const first = alert.evidence[0]!.offset
  const slot = ctx.slots.touch(w.shard, lo, hi, ctx.dirty)
  const seg = ctx.slots.segment(slot)
  const start = ctx.slots.base(slot) + GROUPS
  for (let at = start; at < start + GROUP_COUNT * GROUP_BYTES; at += GROUP_BYTES) {
    if (seg.u32[(at + G.count) >> 2] !== 0 && seg.f64[(at + G.firstOffset) >> 3] === first) closeGroup(w, seg, at, ctx)
  }
  w.tenant.open.take(first)
}

/**
 * Ends the group at `at`: what was not told yet rides on the closing revision. Key and pattern stay for a verdict that
 * comes later; a count of 0 says that nothing joins.
 */
export const closeGroup = (w: Work, seg: Segment, at: number, ctx: AlertContext): void => {
  const { u16, u32, f32, f64 } = seg
  const count = u32[(at + G.count) >> 2]!
  u32[(at + G.count) >> 2] = 0
  const kept = w.tenant.open.take(f64[(at + G.firstOffset) >> 3]!)
  if (kept === null) return
  const { alert } = kept
  const suppressed = Math.max(0, count - u32[(at + G.published) >> 2]!)
  const lastSeen = Math.max(alert.lastSeen, u32[(at + G.lastS) >> 2]! * 1000)
  const alike = u32[(at + G.act) >> 2] !== 0
  const telling = {
    count,
    firstSeen: alert.firstSeen,
    lastSeen,
    suppressed,
    alike,
    isGravest: !alike,
    bytesOut: f32[(at + G.bytesOut) >> 2]!,
    adopting: alert.adopting === true,
  }
  const revision = u16[(at + G.revision) >> 1]! + 1
  ctx.alert({ ...alert, revision, activity: 'close', count, suppressed, lastSeen, text: wordsOf(alert.facts, telling) }, null)
}
