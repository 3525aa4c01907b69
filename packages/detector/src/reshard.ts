import { PlumblineError } from '@plumbline/schemas'
import { shardOf } from './2-identify/shard.ts'
import { MOST_OPEN, type OpenAlert } from './state/open-alerts.ts'
import { EVENTS, OPEN, type SavedTenant, TENANT } from './shard-state.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

type Meta = ReadonlyMap<string, Uint8Array>

export interface Resharded {
  /** Named state of each new shard. */
  readonly metas: readonly ReadonlyMap<string, Uint8Array>[]
  /** Groups that stay open in the store for want of a place or a position of their own: they get no closing revision. */
  readonly openAlertsLeft: number
}

const read = <T>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T

const tenantsIn = (metas: readonly Meta[]): Set<string> =>
  new Set(metas.flatMap((meta) => [...meta.keys()].filter((name) => name.startsWith(TENANT)).map((name) => name.slice(TENANT.length))))

const unlike = (tenant: string, what: string): PlumblineError =>
  new PlumblineError(
    'SHARDS_UNEVEN',
    `Shards do not agree on the ${what} of tenant ${tenant}: a control record has reached some of them only. Let the workers go on until the lag is none.`,
    { retryable: true },
  )

/** What is in force for a tenant, the same in every shard that knows it; what each has met and applied is joined. */
const joinTenant = (tenant: string, saved: readonly SavedTenant[]): SavedTenant => {
  const [first] = saved as [SavedTenant, ...SavedTenant[]]
  for (const what of ['release', 'policy', 'changes'] as const)
    if (saved.some((other) => JSON.stringify(other[what]) !== JSON.stringify(first[what]))) throw unlike(tenant, what)
  return {
    release: first.release,
    policy: first.policy,
    applied: [...new Set(saved.flatMap(({ applied }) => applied))],
    groupNames: [...new Map(saved.flatMap(({ groupNames }) => groupNames))],
    changes: first.changes,
  }
}

const openOf = (tenant: string, metas: readonly Meta[]): OpenAlert[] =>
  metas.flatMap((meta) =>
    [...meta].flatMap(([name, bytes]) => {
      const end = name.indexOf(':', OPEN.length)
      return name.startsWith(OPEN) && name.slice(end + 1) === tenant && bytes.length > 0 ? [read<OpenAlert>(bytes)] : []
    }),
  )

/** Those that find a place in their identity's new shard, newest first: a shard tells its groups apart by their first position. */
const placeOpen = (tenant: string, open: readonly OpenAlert[], metas: readonly Map<string, Uint8Array>[]): number => {
  const newestFirst = [...open].sort((a, b) => b.alert.lastSeen - a.alert.lastSeen)
  const taken = metas.map(() => new Set<number>())
  let left = 0
  for (const group of newestFirst) {
    const shard = shardOf(tenant, group.alert.facts.identity.id, metas.length)
    const first = group.alert.evidence[0]!.offset
    const own = taken[shard]!
    if (own.size >= MOST_OPEN || own.has(first)) {
      left++
      continue
    }
    metas[shard]!.set(`${OPEN}${own.size}:${tenant}`, encoder.encode(JSON.stringify(group)))
    own.add(first)
  }
  return left
}

/**
 * Named state of all shards of a deployment, as another number of shards has it. Pure: slots are moved by whoever knows the names
 * of their identities. Error: SHARDS_UNEVEN (retryable).
 */
export const reshard = (from: readonly Meta[], shards: number): Resharded => {
  const metas = Array.from({ length: shards }, () => new Map<string, Uint8Array>())
  let openAlertsLeft = 0
  for (const tenant of tenantsIn(from)) {
    const saved = from.flatMap((meta) => {
      const bytes = meta.get(TENANT + tenant)
      return bytes === undefined ? [] : [read<SavedTenant>(bytes)]
    })
    const joined = encoder.encode(JSON.stringify(joinTenant(tenant, saved)))
    const events = from.reduce((sum, meta) => sum + (Number(decoder.decode(meta.get(EVENTS + tenant))) || 0), 0)
    for (const [shard, meta] of metas.entries()) {
      meta.set(TENANT + tenant, joined)
      // Counts are summed over shards by whoever asks; which part stands where means nothing.
      meta.set(EVENTS + tenant, encoder.encode(String(Math.floor(events / shards) + (shard < events % shards ? 1 : 0))))
    }
    openAlertsLeft += placeOpen(tenant, openOf(tenant, from), metas)
  }
  return { metas, openAlertsLeft }
}
