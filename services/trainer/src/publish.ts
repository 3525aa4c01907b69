import type { DeploymentLog } from '@plumbline/detector'
import { openRelease } from '@plumbline/detector/release'
import type { Metrics } from '@plumbline/runtime'
import { signRelease, type SigningKey } from '@plumbline/training'
import { allShards, announce } from './announce.ts'
import { type KeptRelease, type ReleaseEntry, type ReleaseStore } from './releases.ts'

export interface PublisherOptions {
  readonly log: Pick<DeploymentLog, 'shards' | 'kv' | 'ingest'>
  readonly releases: ReleaseStore
  readonly signingKey: SigningKey
  readonly clock: () => number
  readonly metrics?: Pick<Metrics, 'plumbline_releases_total' | 'plumbline_releases_held_total'> | undefined
  readonly onPoint: (point: 'trainer:kept' | 'trainer:announced') => void
}

/** What becomes of a release once it is made: signed, stored, and put into use or held back, either of them told. */
export interface Publisher {
  /** Resolves when it is stored and told. A held one is in no shard's log. */
  publish(tenant: string, entry: ReleaseEntry, made: Omit<KeptRelease, 'envelope'>): Promise<void>
  /** Tells what a former process stored and did not tell. */
  resume(): Promise<void>
}

const ANNOUNCED = 'release:announced:'

export const createPublisher = (options: PublisherOptions): Publisher => {
  const { log, releases, signingKey, clock, metrics, onPoint } = options

  const isTold = (tenant: string, { sha256 }: ReleaseEntry): boolean =>
    Buffer.from(log.kv.get(ANNOUNCED + tenant) ?? []).toString() === sha256

  const rowsOf = (tenant: string, entry: ReleaseEntry) => {
    const { id: releaseId, sha256, madeAt, orderedBy: actor = 'trainer', held, restores } = entry
    const action = held !== undefined ? 'release.held' : restores !== undefined ? 'release.restored' : 'release'
    return {
      releases: [{ time: madeAt, tenant, releaseId, sha256, body: { ...entry, ...releases.appraisal(sha256) } }],
      audit: [{ time: clock(), tenant, actor, action, target: releaseId, body: entry }],
    }
  }

  /** Control records for every shard, the rows that tell of it and the note that it is told, in one transaction. */
  const putInForce = async (tenant: string, entry: ReleaseEntry): Promise<void> => {
    const { id: releaseId, sha256 } = entry
    const values = { [ANNOUNCED + tenant]: Buffer.from(sha256) }
    await announce(log, {
      record: { v: 1, type: 'release', controlId: releaseId, tenant, releaseId, sha256 },
      shards: allShards(log.shards),
      nowMs: clock(),
      nonce: sha256,
      rows: rowsOf(tenant, entry),
      values,
    })
    // One that an earlier build announced without its value.
    if (!isTold(tenant, entry)) await log.kv.put(values)
    onPoint('trainer:announced')
    metrics?.plumbline_releases_total.inc({ kind: entry.modelled ? 'model' : 'statistics' })
  }

  const holdBack = async (tenant: string, entry: ReleaseEntry): Promise<void> => {
    const { id, sha256 } = entry
    const values = { [ANNOUNCED + tenant]: Buffer.from(sha256) }
    const idempotency = { tenant, key: `release.held:${id}:${sha256}`, answer: new Uint8Array(0), nowMs: clock() }
    await log.ingest({ records: [], rows: rowsOf(tenant, entry), values, idempotency })
    metrics?.plumbline_releases_held_total.inc()
  }

  const tell = (tenant: string, entry: ReleaseEntry): Promise<void> =>
    entry.held === undefined ? putInForce(tenant, entry) : holdBack(tenant, entry)

  return {
    /** Signs, verifies what it signed as a worker will, stores, tells. */
    async publish(tenant, entry, made) {
      const envelope = signRelease(made.bytes, signingKey)
      const afterSequence = releases.list(tenant).at(-1)?.sequence ?? 0
      openRelease(made.bytes, envelope, { trustedKeys: [signingKey.publicKey], tenant, afterSequence })
      await releases.keep(tenant, entry, { ...made, envelope })
      onPoint('trainer:kept')
      await tell(tenant, entry)
    },
    async resume() {
      for (const tenant of releases.tenants()) {
        const last = releases.list(tenant).at(-1)
        if (last !== undefined && !isTold(tenant, last)) await tell(tenant, last)
      }
    },
  }
}
