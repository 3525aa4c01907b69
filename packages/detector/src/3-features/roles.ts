import { fastLn as ln } from '../math/fast-ln.ts'
import { indexOf } from '../state/index-of.ts'
import type { GroupStats } from '../state/groups.ts'
import { betterRole, type FollowedRole, followedGroup, followedNats } from '../state/roles.ts'
import type { Work } from '../work.ts'

const ROLE_SWAP = indexOf('role_swap')
const CAP = 20
/** Nats that a group may fall behind before another takes its place, and what the other then starts with. */
const HOPELESS = -4
/** An act that the identity itself does so readily gives no reason to look for another group. */
const READILY = 0.1

/**
 * Whether the session so far is rather another peer group's work: the log of the likelihood ratio of its acts, each after the one before,
 * between the group that explains them best and the identity itself, drawn to its own group (a sequential likelihood ratio, Wald 1945).
 * A role that shares most tools with another is told by their order and mix, where no single act is odd. Of all groups the two that
 * explain the session best are followed; what is observed afterwards keeps them.
 */
export const roleFeature = (w: Work, own: GroupStats): void => {
  const { role, otherRole, features: x } = w
  x[ROLE_SWAP] = 0
  role.group = otherRole.group = role.nats = otherRole.nats = 0
  const groups = w.tenant.release?.groups
  if (groups === undefined || groups.length < 2) return
  const lnOwn = ln(w.likelihood)
  if (followedGroup(w, 0) === 0) {
    pick(w, groups, own, lnOwn, role, 0)
    pick(w, groups, own, lnOwn, otherRole, 0)
  } else {
    follow(w, groups, lnOwn, role, 0)
    follow(w, groups, lnOwn, otherRole, 1)
    const worse = otherRole.group === 0 || (role.group !== 0 && role.nats < otherRole.nats) ? role : otherRole
    if (w.likelihood < READILY && worse.nats < HOPELESS) pick(w, groups, own, lnOwn, worse, HOPELESS)
  }
  const { nats } = betterRole(w)
  x[ROLE_SWAP] = nats > CAP ? CAP : nats > 0 ? nats : 0
}

const follow = (w: Work, groups: readonly GroupStats[], lnOwn: number, role: FollowedRole, k: 0 | 1): void => {
  const group = groups[followedGroup(w, k) - 1]
  if (group === undefined) return
  role.group = followedGroup(w, k)
  role.nats = followedNats(w, k) + ln(likelihoodIn(group, w)) - lnOwn
}

/** The group, not followed yet, that explains this act best. A newcomer has to explain it better than the identity itself does. */
const pick = (w: Work, groups: readonly GroupStats[], own: GroupStats, lnOwn: number, role: FollowedRole, start: number): void => {
  let best = -1
  let most = start === 0 ? 0 : w.likelihood
  for (let g = 0; g < groups.length; g++) {
    if (groups[g] === own || g + 1 === w.role.group || g + 1 === w.otherRole.group) continue
    const p = likelihoodIn(groups[g]!, w)
    if (p <= most) continue
    best = g
    most = p
  }
  if (best < 0) return
  role.group = best + 1
  role.nats = start + ln(most) - lnOwn
}

/** As the identity's own peers are asked, see names.ts. What a group never did it never did after anything either: one table less to read. */
const likelihoodIn = (group: GroupStats, w: Work): number => {
  const { actions, transitions } = group
  const count = actions.count(w.action)
  const p = (count + (actions.types + 1) * w.pActionAll) / (actions.total + actions.types + 1)
  if (w.transition === 0) return p
  const followers = transitions.types / (actions.types + 1) + 1
  const after = count === 0 ? 0 : transitions.count(w.transition)
  return Math.min(1, (after + followers * p) / (actions.count(w.previousAction) + followers))
}
