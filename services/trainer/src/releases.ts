import type { KeyValue, ReleaseSource } from '@plumbline/detector'
import { createReleaseSource, releaseNames } from '@plumbline/detector/release'
import type { ReleaseEnvelope } from '@plumbline/schemas'

/** One release of a tenant as the trainer remembers it. */
export interface ReleaseEntry {
  readonly sequence: number
  readonly id: string
  readonly sha256: string
  /** False for statistics of peers and everyone alone. */
  readonly modelled: boolean
  /** Events of the tenant when its training began. */
  readonly events: number
  /** Newest event time it was made from, ms since epoch. */
  readonly toTime: number
  readonly madeAt: number
  /** Who asked for it; absent: it was due. */
  readonly orderedBy?: string
}

/** Artifacts with their envelopes and a ledger per tenant, all in the log's own transactions. */
export interface ReleaseStore extends ReleaseSource {
  /** Oldest first. */
  list(tenant: string): readonly ReleaseEntry[]
  /** Stores artifact, envelope and ledger entry together; resolves when on disk. */
  keep(tenant: string, entry: ReleaseEntry, bytes: Uint8Array, envelope: ReleaseEnvelope): Promise<void>
  /** Tenants that ever had a release here. */
  tenants(): readonly string[]
  /** Names of the stored values that belong to a tenant, for its removal. */
  namesOf(tenant: string): readonly string[]
}

const LEDGER = 'release:ledger:'

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const parsed = <T>(bytes: Uint8Array | undefined): T | undefined =>
  bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as T)

/** `trustedKeys`: public keys (SPKI, DER) whose signature is taken, asked for at each load. */
export const createReleaseStore = (kv: KeyValue, trustedKeys: () => readonly Uint8Array[]): ReleaseStore => {
  const list = (tenant: string): readonly ReleaseEntry[] => parsed<ReleaseEntry[]>(kv.get(LEDGER + tenant)) ?? []
  return {
    ...createReleaseSource(kv, trustedKeys),
    list,
    keep(tenant, entry, bytes, envelope) {
      const names = releaseNames(entry.sha256)
      return kv.put({
        [names.artifact]: bytes,
        [names.envelope]: json(envelope),
        [LEDGER + tenant]: json([...list(tenant), entry]),
      })
    },
    tenants: () => kv.list(LEDGER).map((name) => name.slice(LEDGER.length)),
    namesOf: (tenant) => [LEDGER + tenant, ...list(tenant).flatMap(({ sha256 }) => Object.values(releaseNames(sha256)))],
  }
}
