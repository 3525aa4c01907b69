import type { ReasonFamily } from '@plumbline/schemas'
import { combination, enumeration, newBehaviour, newDestination, policy, sensitiveAccess, toxicFlow } from './words-access.ts'
import { drift, probing, rate, volume } from './words-amounts.ts'
import { lateralMovement, offHours, sharedCredential, source, travel, versionChange } from './words-places.ts'
import { forbiddenWay } from './words-ways.ts'
import type { Teller } from './words-tools.ts'

/** How each kind of departure is told. */
export const TELLERS: Readonly<Record<ReasonFamily, Teller>> = {
  sensitive_access: sensitiveAccess,
  toxic_flow: toxicFlow,
  new_destination: newDestination,
  volume,
  rate,
  enumeration,
  new_behaviour: newBehaviour,
  off_hours: offHours,
  source,
  travel,
  shared_credential: sharedCredential,
  lateral_movement: lateralMovement,
  probing,
  drift,
  version_change: versionChange,
  policy: (t) => (t.reason.previous === undefined ? policy(t) : forbiddenWay(t)),
  combination,
}
