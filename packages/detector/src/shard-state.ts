import type { OpenAlert } from './state/open-alerts.ts'
import type { TenantState } from './2-identify/tenants.ts'
import type { SavedChanges } from './state/changes.ts'

/** Named state of a shard: what is in force for a tenant, and how many events it had. Kept apart, because a policy may be large. */
export const TENANT = 't:'
export const EVENTS = 'n:'
/** Then the place, then the tenant: an alert group that is not closed. */
export const OPEN = 'a:'

/** Whether a named state of a shard is of this tenant. */
export const isStateOf = (tenant: string, name: string): boolean =>
  name === TENANT + tenant ||
  name === EVENTS + tenant ||
  (name.startsWith(OPEN) && name.slice(name.indexOf(':', OPEN.length) + 1) === tenant)

/** What a detector holds of one open shard besides its slots. */
export interface Shard {
  readonly tenants: Map<string, TenantState>
  readonly dirty: number[]
  readonly changedTenants: Set<TenantState>
  /** Position after the last record. */
  next: number
  last: TenantState | null
  lastBytes: Uint8Array
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

export interface SavedTenant {
  readonly release: { readonly id: string; readonly sha256: string } | null
  readonly policy: TenantState['policySource']
  readonly applied: string[]
  readonly groupNames: [number, string][]
  /** Absent where nobody ever announced a change. */
  readonly changes?: SavedChanges | undefined
}

/** A place that is free again. */
const NOTHING = new Uint8Array(0)

const savedTenant = (t: TenantState): SavedTenant => ({
  release: t.release === null ? null : { id: t.releaseId, sha256: t.release.sha256 },
  policy: t.policySource,
  applied: t.applied,
  groupNames: [...t.groupNames],
  changes: t.changes.saved(),
})

/** What is to be stored of a tenant: its count always, the rest when it changed. */
export const metaOf = (t: TenantState): { readonly name: string; readonly bytes: Uint8Array }[] => [
  { name: EVENTS + t.name, bytes: encoder.encode(String(t.events)) },
  ...(t.changed ? [{ name: TENANT + t.name, bytes: encoder.encode(JSON.stringify(savedTenant(t))) }] : []),
  ...Array.from(t.open.changed, (place) => {
    const open = t.open.at(place)
    return { name: `${OPEN}${place}:${t.name}`, bytes: open === null ? NOTHING : encoder.encode(JSON.stringify(open)) }
  }),
]

/** A shard that stands at `next` and knows no tenant. */
export const newShard = (next: number): Shard => ({
  next,
  tenants: new Map(),
  dirty: [],
  changedTenants: new Set(),
  last: null,
  lastBytes: new Uint8Array(0),
})

/** How a detector makes a tenant, and puts a release into use for it. */
interface Makers {
  newTenant(name: string): TenantState
  useRelease(tenant: TenantState, id: string, sha256: string): unknown
}

/** The shard as its named state says it was. */
export const restoreShard = (next: number, meta: ReadonlyMap<string, Uint8Array>, make: Makers): Shard => {
  const shard = newShard(next)
  for (const [name, bytes] of meta) {
    if (!name.startsWith(TENANT)) continue
    const tenant = make.newTenant(name.slice(TENANT.length))
    const saved = JSON.parse(decoder.decode(bytes)) as SavedTenant
    tenant.applied = saved.applied
    tenant.events = Number(decoder.decode(meta.get(EVENTS + tenant.name)) || 0)
    for (const [fp, group] of saved.groupNames) tenant.groupNames.set(fp, group)
    tenant.usePolicy(saved.policy)
    if (saved.changes !== undefined) tenant.changes.restore(saved.changes)
    if (saved.release !== null) make.useRelease(tenant, saved.release.id, saved.release.sha256)
    tenant.changed = false
    shard.tenants.set(tenant.name, tenant)
  }
  for (const [name, bytes] of meta) {
    if (!name.startsWith(OPEN) || bytes.length === 0) continue
    const end = name.indexOf(':', OPEN.length)
    shard.tenants
      .get(name.slice(end + 1))
      ?.open.restore(Number(name.slice(OPEN.length, end)), JSON.parse(decoder.decode(bytes)) as OpenAlert)
  }
  return shard
}
