import { S } from '../record.ts'
import { fastLn as ln } from '../math/fast-ln.ts'
import type { Work } from '../work.ts'
import { forgetRoles } from '../state/roles.ts'
import type { GroupStats } from '../state/groups.ts'
import { ACTION_SETS, ACTIONS, CLASS_SETS, CLASSES, DECLARED_GROUP, H } from '../state/layout.ts'

/** Learned events before behaviour may choose a group. */
const ENOUGH = 8

/**
 * The group an identity is compared with: the declared one where the release knows it, else the one whose habits make
 * the identity's own actions and classes most likely; everyone while there is too little to go by. Chosen anew with
 * every release and at each doubling of what is known, never in between, so that it costs nothing per event.
 */
export const groupOf = (w: Work): GroupStats => {
  const release = w.tenant.release
  const { u8, u16, f32 } = w.seg
  if (release === null || release.groups.length === 0) {
    if (w.isNew) declare(w)
    return w.tenant.everyone
  }
  const peerAt = w.base + H.peer
  const sequenceAt = (w.base + H.peerSequence) >> 1
  const seen = f32[(w.base + H.seen) >> 2]!
  const sequence = 1 + (release.header.sequence % 65_535)
  const stale = u16[sequenceAt] !== sequence
  if (stale || (seen > 0 && seen <= 1024 && (seen & (seen - 1)) === 0)) {
    u8[peerAt] = choose(w) + 1
    u16[sequenceAt] = sequence
    if (stale) forgetRoles(w)
  }
  const index = u8[peerAt]! - 1
  return release.groups[index] ?? release.everyone
}

/** Names of declared groups that one tenant of one shard remembers. */
const MOST_NAMES = 256
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Keeps the declared group in the slot, and its name for the next release. */
const declare = (w: Work): void => {
  const name = declaredName(w)
  if (name === undefined) return
  w.tenant.sip.hash(name, 0, name.length)
  const fp = w.tenant.sip.lo || 1
  w.seg.u32[(w.base + DECLARED_GROUP) >> 2] = fp
  const { groupNames } = w.tenant
  if (groupNames.size >= MOST_NAMES || groupNames.has(fp)) return
  groupNames.set(fp, decoder.decode(name))
  w.tenant.changed = true
}

const declaredName = (w: Work): Uint8Array | undefined => {
  const { event } = w
  if (event.has(S.peerGroup)) return event.bytes.subarray(event.start[S.peerGroup]!, event.end[S.peerGroup]!)
  if (w.tenant.policySource === null) return undefined
  const named = w.tenant.policy.identityOf(event.text(S.identity)).peerGroup
  return named === undefined ? undefined : new TextEncoder().encode(named)
}

/** Index of the group, or -1 for everyone. */
const choose = (w: Work): number => {
  const release = w.tenant.release!
  const declaredAt = (w.base + DECLARED_GROUP) >> 2
  declare(w)
  const declared = release.declared.get(w.seg.u32[declaredAt]!)
  if (declared !== undefined) return declared
  if (w.seg.f32[(w.base + H.learned) >> 2]! < ENOUGH) return -1
  // A group that fits worse than everyone together is none of its own.
  let best = -1
  let most = logLikelihood(w, release.everyone)
  for (let g = 0; g < release.groups.length; g++) {
    const likelihood = logLikelihood(w, release.groups[g]!, most)
    if (likelihood > most || (best < 0 && likelihood === most)) {
      most = likelihood
      best = g
    }
  }
  return best
}

/** Every habit makes it less likely: once below `least` the rest is not looked at. */
const logLikelihood = (w: Work, group: GroupStats, least = Number.NEGATIVE_INFINITY): number => {
  const { u32, f32 } = w.seg
  let sum = 0
  for (let set = 0; set < ACTION_SETS + CLASS_SETS && sum >= least; set++) {
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
