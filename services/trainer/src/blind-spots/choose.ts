import type { Store } from '@plumbline/adapters/clickhouse'
import type { Stamp } from './in-force.ts'
import type { Ledger, Measured } from './ledger.ts'

/** Identities that are tested in turn: the most recently active. What is kept of others is dropped. */
export const MOST_TESTED = 2000

export interface Candidate {
  readonly tenant: string
  readonly identity: string
  /** Newest event, ms since epoch. */
  readonly lastSeen: number
}

/** Errors: STORE_UNAVAILABLE (retryable). */
export const mostActive = async (store: Store): Promise<readonly Candidate[]> => {
  const rows = await store.rows<{ tenant: string; identity: string; last: number }>(
    `SELECT tenant, identity, toUnixTimestamp64Milli(max(last_seen)) AS last FROM ${store.database}.identities
     GROUP BY tenant, identity ORDER BY last DESC, tenant, identity LIMIT ${MOST_TESTED}`,
  )
  return rows.map(({ tenant, identity, last }) => ({ tenant, identity, lastSeen: Number(last) }))
}

const isOld = (of: Measured, { lastSeen }: Candidate, now: Stamp): boolean =>
  of.baselineAt < lastSeen ||
  of.releaseId !== now.releaseId ||
  of.policyHash !== now.policyHash ||
  of.detectorVersion !== now.detectorVersion

export interface Choice {
  nowOf(tenant: string): Stamp
  readonly most: number
  /** Where given, those of one tenant in one shard are chosen: reading a slot there means reading the shard's. */
  readonly shardOf?: ((candidate: Candidate) => number) | undefined
}

/**
 * Who is next: first who was never tested, the most recently active first; then the oldest results, of those that could be
 * others by now.
 */
export const chooseNext = (
  candidates: readonly Candidate[],
  ledger: Pick<Ledger, 'get'>,
  { nowOf, most, shardOf }: Choice,
): readonly Candidate[] => {
  const known = candidates.map((candidate) => ({ candidate, measured: ledger.get(candidate.tenant, candidate.identity) }))
  const fresh = known.filter(({ measured }) => measured === undefined)
  const old = known
    .filter(({ candidate, measured }) => measured !== undefined && isOld(measured, candidate, nowOf(candidate.tenant)))
    .sort((a, b) => a.measured!.measuredAt - b.measured!.measuredAt)
  const next = [...fresh, ...old].map(({ candidate }) => candidate)
  const [first] = next
  const near = (candidate: Candidate): boolean =>
    shardOf === undefined || first === undefined || (candidate.tenant === first.tenant && shardOf(candidate) === shardOf(first))
  return next.filter(near).slice(0, most)
}

/** How long to rest after so much work, ms, so that work takes so many percent of all time. */
export const pauseAfter = (busyMs: number, percent: number): number => busyMs * (100 / percent - 1)
