import type { KeyValue, Place } from '@plumbline/detector'
import { BLIND_SPOT_KINDS, BlindSpot, type BlindSpots } from '@plumbline/schemas'

/** What was found of one identity, without its name: the ledger knows identities by the keyed hash that their slots have. */
export type Measured = Omit<BlindSpots, 'tenant' | 'identity' | 'spots'> & {
  readonly spots: readonly BlindSpot[]
  /** What was in force then, apart from the release. */
  readonly policyHash: string
}

/** Results of the identities that are tested, in the log's own values. */
export interface Ledger {
  get(tenant: string, identity: string): Measured | undefined
  /** Everything that is kept. */
  all(): readonly { readonly name: string; readonly measured: Measured }[]
  nameOf(tenant: string, identity: string): string
  /** The same, of a slot's key. */
  nameOfKey(tenant: string, key: Uint8Array): string
  /** Names of what is kept of a tenant. */
  namesOf(tenant: string): readonly string[]
  /** Null removes. Resolves when it survives a crash. */
  put(results: ReadonlyMap<string, Measured | null>): Promise<void>
}

const PREFIX = 'blind:'
const NOTHING = new Uint8Array(0)
const prefixOf = (tenant: string): string => `${PREFIX}${tenant}:`

/** Whether a stored name is one of this tenant. The tenant's name may hold the separator; the hash behind it has a fixed length. */
export const isBlindSpotOf = (tenant: string, name: string): boolean =>
  name.startsWith(prefixOf(tenant)) && /^[0-9a-f]{16}$/.test(name.slice(prefixOf(tenant).length))

/** Short, because every process of a deployment holds a copy of all values. */
type Packed = readonly [
  v: 1,
  measuredAt: number,
  baselineAt: number,
  releaseId: string,
  policyHash: string,
  detectorVersion: string,
  spots: readonly (readonly [
    kind: string,
    from: number | null,
    upTo: number,
    acts: number | null,
    family: string | null,
    usual: number | null,
    skipped: string | null,
  ])[],
]

const UNITS: Partial<Record<BlindSpot['kind'], BlindSpot['unit']>> = {
  volume_out: 'bytes',
  new_destination: 'bytes',
  volume_in: 'bytes',
  resources: 'resources',
}

const pack = ({ measuredAt, baselineAt, releaseId, policyHash, detectorVersion, spots }: Measured): Packed => [
  1,
  measuredAt,
  baselineAt,
  releaseId,
  policyHash,
  detectorVersion,
  spots.map(({ kind, alertsFrom, upTo, acts, family, usual, skipped }) => [
    kind,
    alertsFrom,
    upTo,
    acts,
    family,
    usual === null ? null : Math.round(usual * 100) / 100,
    skipped,
  ]),
]

/** Undefined for what another version wrote: it is measured again. */
const unpack = (bytes: Uint8Array): Measured | undefined => {
  if (bytes.length === 0) return undefined
  const [v, measuredAt, baselineAt, releaseId, policyHash, detectorVersion, packed] = JSON.parse(Buffer.from(bytes).toString()) as Packed
  if (v !== 1) return undefined
  const read = packed.map(([kind, alertsFrom, upTo, acts, family, usual, skipped]) => ({
    kind,
    unit: UNITS[kind as BlindSpot['kind']] ?? 'acts',
    alertsFrom,
    upTo,
    acts,
    family,
    usual,
    skipped,
  }))
  const spots = read.flatMap((spot) => BlindSpot.safeParse(spot).data ?? [])
  return spots.length === BLIND_SPOT_KINDS.length ? { measuredAt, baselineAt, releaseId, policyHash, detectorVersion, spots } : undefined
}

export const createLedger = (kv: KeyValue, placeOf: (tenant: string, identity: string) => Place): Ledger => {
  const nameOfKey = (tenant: string, key: Uint8Array): string => prefixOf(tenant) + Buffer.from(key).toString('hex')
  const nameOf = (tenant: string, identity: string): string => nameOfKey(tenant, placeOf(tenant, identity).key)
  /** Nobody else writes them: read once, and kept in step. */
  const known = new Map<string, Measured>()
  for (const name of kv.list(PREFIX)) {
    const measured = unpack(kv.get(name) ?? NOTHING)
    if (measured !== undefined) known.set(name, measured)
  }
  const namesOf = (tenant: string): string[] => {
    const names = new Set([...kv.list(prefixOf(tenant)), ...known.keys()])
    return [...names].filter((name) => isBlindSpotOf(tenant, name))
  }
  return {
    nameOf,
    nameOfKey,
    namesOf,
    get: (tenant, identity) => known.get(nameOf(tenant, identity)),
    all: () => Array.from(known, ([name, measured]) => ({ name, measured })),
    async put(results) {
      const values = [...results].map(([name, measured]) => [name, measured === null ? null : Buffer.from(JSON.stringify(pack(measured)))])
      await kv.put(Object.fromEntries(values) as Record<string, Uint8Array | null>)
      for (const [name, measured] of results)
        if (measured === null) known.delete(name)
        else known.set(name, measured)
    },
  }
}
