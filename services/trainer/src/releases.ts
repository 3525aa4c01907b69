import type { KeyValue, ReleaseSource } from '@plumbline/detector'
import { createReleaseSource, releaseNames } from '@plumbline/detector/release'
import type { ReleaseEnvelope } from '@plumbline/schemas'
import type { Appraisal } from './appraisal.ts'

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
  /** Why it was not put into use, in words; absent: it was. */
  readonly held?: readonly string[]
  /** Id of the earlier release whose content this one is. */
  readonly restores?: string
}

/** The release that the ledger's newest announced entry put in force. */
export const inForceOf = (entries: readonly ReleaseEntry[]): ReleaseEntry | undefined => entries.findLast(({ held }) => held === undefined)

/** The newest release when it was held back: what is in force is then older than it could be. */
export const heldBackOf = (entries: readonly ReleaseEntry[]): ReleaseEntry | undefined => {
  const last = entries.at(-1)
  return last?.held === undefined ? undefined : last
}

export const nextSequence = (entries: readonly ReleaseEntry[]): number => (entries.at(-1)?.sequence ?? 0) + 1

/** Everything of a release that is stored. */
export interface KeptRelease {
  readonly bytes: Uint8Array
  readonly envelope: ReleaseEnvelope
  readonly appraisal: Appraisal | null
}

/** Artifacts with their envelopes and a ledger per tenant, all in the log's own transactions. */
export interface ReleaseStore extends ReleaseSource {
  /** Oldest first. */
  list(tenant: string): readonly ReleaseEntry[]
  /** Stores artifact, envelope and ledger entry together; resolves when on disk. */
  keep(tenant: string, entry: ReleaseEntry, made: KeptRelease): Promise<void>
  /** What was found when a model was made; undefined for statistics and for releases of earlier builds. */
  appraisal(sha256: string): Appraisal | undefined
  /** The signature of a release. */
  envelope(sha256: string): ReleaseEnvelope | undefined
  /** Tenants that ever had a release here. */
  tenants(): readonly string[]
  /** Names of the stored values that belong to a tenant, for its removal. */
  namesOf(tenant: string): readonly string[]
}

const LEDGER = 'release:ledger:'
const appraisalName = (sha256: string): string => `release:appraisal:${sha256}`

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const parsed = <T>(bytes: Uint8Array | undefined): T | undefined =>
  bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as T)

/** `trustedKeys`: public keys (SPKI, DER) whose signature is taken, asked for at each load. */
export const createReleaseStore = (kv: KeyValue, trustedKeys: () => readonly Uint8Array[]): ReleaseStore => {
  const list = (tenant: string): readonly ReleaseEntry[] => parsed<ReleaseEntry[]>(kv.get(LEDGER + tenant)) ?? []
  return {
    ...createReleaseSource(kv, trustedKeys),
    list,
    appraisal: (sha256) => parsed<Appraisal>(kv.get(appraisalName(sha256))),
    envelope: (sha256) => parsed<ReleaseEnvelope>(kv.get(releaseNames(sha256).envelope)),
    keep(tenant, entry, { bytes, envelope, appraisal }) {
      const names = releaseNames(entry.sha256)
      return kv.put({
        [names.artifact]: bytes,
        [names.envelope]: json(envelope),
        ...(appraisal === null ? {} : { [appraisalName(entry.sha256)]: json(appraisal) }),
        [LEDGER + tenant]: json([...list(tenant), entry]),
      })
    },
    tenants: () => kv.list(LEDGER).map((name) => name.slice(LEDGER.length)),
    namesOf: (tenant) => [
      LEDGER + tenant,
      ...list(tenant).flatMap(({ sha256 }) => [...Object.values(releaseNames(sha256)), appraisalName(sha256)]),
    ],
  }
}
