import { S } from '../1-decode/record.ts'
import { ln } from '../math/functions.ts'
import type { Work } from '../work.ts'
import type { GroupStats } from './groups.ts'
import { ACTION_SETS, ACTIONS, CLASS_SETS, CLASSES, DECLARED_GROUP, H } from './layout.ts'

/** Learned events before behaviour may choose a group. */
const ENOUGH = 8

/**
 * The group an identity is compared with: the declared one where the release knows it, else the one whose habits make
 * the identity's own actions and classes most likely; everyone while there is too little to go by. Chosen anew with
 * every release and at each doubling of what is known, never in between, so that it costs nothing per event.
 */
export const groupOf = (w: Work): GroupStats => {
  const release = w.tenant.release
  if (release === null || release.groups.length === 0) return w.tenant.everyone
  const { u8, u16, f32 } = w.seg
  const peerAt = w.base + H.peer
  const sequenceAt = (w.base + H.peerSequence) >> 1
  const seen = f32[(w.base + H.seen) >> 2]!
  const stale = u16[sequenceAt] !== (release.header.sequence & 0xffff)
  if (stale || (seen > 0 && seen <= 4096 && (seen & (seen - 1)) === 0)) {
    u8[peerAt] = choose(w) + 1
    u16[sequenceAt] = release.header.sequence & 0xffff
  }
  const index = u8[peerAt]! - 1
  return release.groups[index] ?? release.everyone
}

/** Index of the group, or -1 for everyone. */
const choose = (w: Work): number => {
  const release = w.tenant.release!
  const declaredAt = (w.base + DECLARED_GROUP) >> 2
  if (w.event.has(S.peerGroup)) {
    w.hashes.field(w.event, S.peerGroup, w.tenant.sip, w.tenant.number)
    w.seg.u32[declaredAt] = w.hashes.lo[S.peerGroup]! || 1
  }
  const declared = release.declared.get(w.seg.u32[declaredAt]!)
  if (declared !== undefined) return declared
  if (w.seg.f32[(w.base + H.learned) >> 2]! < ENOUGH) return -1
  let best = -1
  let most = Number.NEGATIVE_INFINITY
  for (let g = 0; g < release.groups.length; g++) {
    const likelihood = logLikelihood(w, release.groups[g]!)
    if (likelihood > most) {
      most = likelihood
      best = g
    }
  }
  return best
}

const logLikelihood = (w: Work, group: GroupStats): number => {
  const { u32, f32 } = w.seg
  let sum = 0
  for (let set = 0; set < ACTION_SETS + CLASS_SETS; set++) {
    const actions = set < ACTION_SETS
    const map = actions ? group.actions : group.classes
    const at = (w.base + (actions ? ACTIONS + set * 64 : CLASSES + (set - ACTION_SETS) * 64)) >> 2
    for (let i = 0; i < 8; i++) {
      const fp = u32[at + i]!
      if (fp === 0) break
      sum += f32[at + 8 + i]! * ln((map.count(fp) + 0.05) / (map.total + 1))
    }
  }
  return sum
}
