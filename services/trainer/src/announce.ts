import type { AppendRecord, DeploymentLog, OutboxRows } from '@plumbline/detector'
import type { ControlRecord } from '@plumbline/schemas'

const encoder = new TextEncoder()

/** Whose state a control record changes: every shard of its tenant, or the one shard of an identity. */
export interface Announcement {
  readonly record: ControlRecord
  readonly shards: readonly number[]
  /** Arrival, ms since epoch. */
  readonly nowMs: number
  /** Tells apart what has the same control id but is not the same, like the releases of a tenant that was removed and came back. */
  readonly nonce: string
  /** What is told of it, and named values, stored with it. */
  readonly rows?: OutboxRows
  readonly values?: Readonly<Record<string, Uint8Array>>
}

/**
 * Writes a control record into the logs of its shards in one transaction, once: repeated within a day it writes nothing,
 * later it has no effect (contracts C1). Resolves when on disk, with the
 * positions after the records it wrote, by shard.
 */
export const announce = async (
  log: Pick<DeploymentLog, 'ingest'>,
  { record, shards, nowMs, nonce, rows = {}, values = {} }: Announcement,
): Promise<ReadonlyMap<number, number>> => {
  const key = encoder.encode(`c:${record.controlId}`)
  const value = encoder.encode(JSON.stringify(record))
  const records: AppendRecord[] = shards.map((shard) => ({ shard, ingestTimeMs: nowMs, key, value }))
  const { offsets } = await log.ingest({
    records,
    rows,
    values,
    idempotency: { tenant: record.tenant, key: `control:${record.controlId}:${nonce}`, answer: new Uint8Array(0), nowMs },
  })
  return new Map(offsets.map((offset, i) => [records[i]!.shard, offset + 1]))
}

export const allShards = (count: number): number[] => Array.from({ length: count }, (_, shard) => shard)
