import type { Work } from '../work.ts'
import type { GroupStats } from './groups.ts'
import { DECLARED_GROUP } from './layout.ts'

const MANY_PEERS = 5

/**
 * Whether there are peers enough to tell what is not done among them, and somebody said that they are peers: of a group found
 * from behaviour, what some of it never do is no more than how it was found.
 */
export const peersKnown = (w: Work, group: GroupStats): boolean =>
  group.members >= MANY_PEERS && w.tenant.release?.declared.get(w.seg.u32[(w.base + DECLARED_GROUP) >> 2]!) !== undefined
