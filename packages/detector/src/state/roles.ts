import type { Work } from '../work.ts'
import { ROLES, ROLES_BYTES, SE, SESSION_BYTES, SESSIONS } from './layout.ts'

/** A peer group that a session is held against. `group`: index + 1, 0 none. `nats`: how much better it explains the session than the identity does. */
export interface FollowedRole {
  group: number
  nats: number
}

/** Resolution in which nats are kept. */
const UNITS = 64
const MOST = 32_767

const rolesAt = (w: Work): number => w.base + ROLES + (2 * (w.sessionAt - w.base - SESSIONS)) / SESSION_BYTES
const natsAt = (w: Work): number => (w.sessionAt + SE.roles) >> 1
const kept = (nats: number): number => Math.max(-MOST, Math.min(MOST, Math.round(nats * UNITS)))

/** Index + 1 of a group that the session of the event at hand has been held against so far; 0 none. */
export const followedGroup = (w: Work, k: 0 | 1): number => (w.sessionIsNew ? 0 : w.seg.u8[rolesAt(w) + k]!)
export const followedNats = (w: Work, k: 0 | 1): number => ((w.seg.u16[natsAt(w) + k]! << 16) >> 16) / UNITS

/** Keeps with the session which groups it is held against. */
export const observeRoles = (w: Work): void => {
  const { u8, u16 } = w.seg
  const at = rolesAt(w)
  u8[at] = w.role.group
  u8[at + 1] = w.otherRole.group
  u16[natsAt(w)] = kept(w.role.nats)
  u16[natsAt(w) + 1] = kept(w.otherRole.nats)
}

/** Indexes of groups mean others in another release. */
export const forgetRoles = (w: Work): void => void w.seg.u8.fill(0, w.base + ROLES, w.base + ROLES + ROLES_BYTES)

/** Of the two the one that explains the session better. */
export const betterRole = ({ role, otherRole }: Work): FollowedRole =>
  otherRole.group !== 0 && (role.group === 0 || otherRole.nats > role.nats) ? otherRole : role

/** Name of the group whose work the session looks like, where there is one with a name. */
export const roleOf = (w: Work): string | undefined => {
  const { group, nats } = betterRole(w)
  return group === 0 || nats <= 0 ? undefined : w.tenant.release?.groups[group - 1]?.name || undefined
}
