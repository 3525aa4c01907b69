import type { Place } from '@plumbline/detector'
import type { DetectionConfig } from '@plumbline/schemas'
import type { TenantProgress } from '@plumbline/trainer'
import type { DetectorTotals, ReleaseInForce } from '@plumbline/worker'

/** What door, page and trainer know of the detector: one in this process, or one in the workers of a cluster. */
export interface Detection {
  readonly config: DetectionConfig
  stop(): Promise<void>
  /** Tenants met so far, over all shards. */
  tenants(): readonly TenantProgress[]
  placeOf(tenant: string, identity: string): Place
  /** Packed slots of those of the identities that have one, as last stored. */
  slotsOf(tenant: string, identities: readonly string[]): Promise<readonly Uint8Array[]>
  /** Events and control records in the log that are not scored yet. */
  lag(): number
  /** Makes `lag` as of now, where the last answer may be older. */
  refresh(): Promise<void>
  /** Resolves when every shard that is not stopped has scored all that is in the log now. */
  drained(): Promise<void>
  /** What keeps each stopped shard from going on. */
  stopped(): readonly string[]
  /** Release in force for a tenant, from the first shard that knows it. */
  releaseOf(tenant: string): ReleaseInForce | null
  /** Null where the detector is in other processes, which count for themselves. */
  totals(): DetectorTotals | null
}

/** Tenants by name from what several shards know of each. */
export const mergeTenants = (parts: Iterable<TenantProgress>): readonly TenantProgress[] => {
  const met = new Map<string, { name: string; events: number; groupNames: Map<number, string> }>()
  for (const { name, events, groupNames } of parts) {
    const known = met.get(name) ?? { name, events: 0, groupNames: new Map<number, string>() }
    known.events += events
    for (const [fingerprint, group] of groupNames) known.groupNames.set(fingerprint, group)
    met.set(name, known)
  }
  return [...met.values()]
}
