import type { ChangeFilter, ChangeKey, ChangeStore } from '@plumbline/console'
import { type CompiledPolicy, compilePolicy, compileScope, type DeploymentLog, takesIn } from '@plumbline/detector'
import type { ChangeState, ChangeView } from '@plumbline/schemas'
import type { Changes, KnownChange } from './changes.ts'
import { lastGivenHash, policyOf } from './policy.ts'

export interface ChangeListOptions {
  readonly changes: Pick<Changes, 'list' | 'tenants'>
  readonly log: () => Pick<DeploymentLog, 'kv'>
  readonly clock: () => number
}

/** What it is at that time. */
export const stateOf = ({ change, withdrawn }: KnownChange, nowMs: number): ChangeState => {
  if (withdrawn === true) return 'withdrawn'
  if (change.until <= nowMs) return 'over'
  return change.from > nowMs ? 'ahead' : 'open'
}

/** Field by field: what else may come to be remembered of a change is shown to nobody by that. */
const viewOf = (tenant: string, known: KnownChange, nowMs: number): ChangeView => {
  const { id, what, scope, from, until, reason, ticket, by } = known.change
  const state = stateOf(known, nowMs)
  const told = { tenant, id, state, what, scope, from, until, reason, by, announcedAt: known.announcedAt, actor: known.actor }
  return ticket === undefined ? told : { ...told, ticket }
}

/** Newest first; within one millisecond by tenant and id, so that a place in the list is the same at every request. */
const compare = (a: ChangeKey, b: ChangeKey): number => {
  if (a.announcedAt !== b.announcedAt) return b.announcedAt - a.announcedAt
  const [left, right] = a.tenant === b.tenant ? [a.id, b.id] : [a.tenant, b.tenant]
  return left < right ? -1 : left > right ? 1 : 0
}

/** The announcements that are remembered, as readers see them. The same on an embedded log and on Kafka. */
export const createChangeList = ({ changes, log, clock }: ChangeListOptions): ChangeStore => {
  /** The one asked for last: tenants of one policy file share it. */
  let compiled: { readonly hash: string; readonly policy: CompiledPolicy } | undefined
  /** As the detector has it for events that name no group themselves. */
  const groupOf = (tenant: string, identity: string): string | undefined => {
    const hash = lastGivenHash(log(), tenant)
    if (hash === null) return undefined
    if (compiled?.hash !== hash) {
      const policy = policyOf(log(), hash)
      if (policy === undefined) return undefined
      compiled = { hash, policy: compilePolicy(policy) }
    }
    return compiled.policy.identityOf(identity).peerGroup
  }
  const isAbout = ({ tenant, scope }: ChangeView, { identity, peerGroup }: ChangeFilter): boolean => {
    const asked = compileScope(scope)
    if (identity !== undefined && takesIn(asked, identity, () => groupOf(tenant, identity))) return true
    return peerGroup !== undefined && takesIn({ ...asked, identities: [] }, '', () => peerGroup)
  }
  return {
    page(filter, after, limit) {
      const nowMs = clock()
      const { tenants, state, identity, peerGroup } = filter
      const all = (tenants ?? changes.tenants()).flatMap((tenant) => changes.list(tenant).map((known) => viewOf(tenant, known, nowMs)))
      return all
        .filter((change) => state === undefined || change.state === state)
        .filter((change) => (identity === undefined && peerGroup === undefined) || isAbout(change, filter))
        .filter((change) => after === null || compare(after, change) < 0)
        .sort(compare)
        .slice(0, limit)
    },
  }
}
