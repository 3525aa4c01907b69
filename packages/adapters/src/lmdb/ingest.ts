import { createHash } from 'node:crypto'
import type { AppendRecord } from '@plumbline/detector'
import { type DeadLetter, PlumblineError } from '@plumbline/schemas'
import { SHARD_NEXT, encodeRecord, eventKey } from './codec.ts'
import { type Environment, kvKey } from './environment.ts'
import { type Heads, writeShardHead } from './staging.ts'
import type { WriteOp } from './writer.ts'

/** One request of a sender: stored whole or not at all. */
export interface IngestBatch {
  readonly records: readonly AppendRecord[]
  /** What the door refused of the same request. */
  readonly deadLetters?: readonly DeadLetter[]
  readonly idempotency?: {
    readonly tenant: string
    readonly key: string
    /** Stored and given back for a repeated request. */
    readonly answer: Uint8Array
    readonly nowMs: number
  }
  /** Named values (see KeyValue) stored in the same transaction: how far a feed is, with what it fed. */
  readonly values?: Readonly<Record<string, Uint8Array>>
}

export interface IngestResult {
  /** Assigned offsets in the order of the records; empty when the request was a repetition. */
  readonly offsets: readonly number[]
  /** The first answer to this Idempotency-Key, when there was one within 24 hours. */
  readonly repeated?: Uint8Array
}

export const IDEMPOTENCY_MS = 24 * 3_600_000
const MAX_KEY = 65_535
const json = new TextEncoder()

export const idempotencyHash = (tenant: string, key: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest()
    .subarray(0, 16)

const expiryKey = (expiresMs: number, hash: Buffer): Buffer => {
  const key = Buffer.allocUnsafe(6 + hash.length)
  key.writeUIntBE(expiresMs, 0, 6)
  hash.copy(key, 6)
  return key
}

const findAnswer = (env: Environment, hash: Buffer, nowMs: number): Uint8Array | undefined => {
  const stored = env.idempotency.get(hash)
  return stored !== undefined && stored.readDoubleBE(0) > nowMs ? stored.subarray(8) : undefined
}

const keepAnswer = (env: Environment, hash: Buffer, expiresMs: number, answer: Uint8Array): void => {
  const value = Buffer.allocUnsafe(8 + answer.length)
  value.writeDoubleBE(expiresMs, 0)
  value.set(answer, 8)
  env.idempotency.putSync(hash, value)
  env.idempotencyExpiry.putSync(expiryKey(expiresMs, hash), Buffer.alloc(0))
}

export const ingestOp = (env: Environment, heads: Heads, batch: IngestBatch, now: () => number): WriteOp<IngestResult> => {
  const { records, deadLetters = [], idempotency, values = {} } = batch
  const hash = idempotency === undefined ? undefined : idempotencyHash(idempotency.tenant, idempotency.key)
  return {
    kind: 'append',
    bytes: records.reduce((sum, record) => sum + record.key.length + record.value.length + 32, 0),
    check() {
      for (const record of records) {
        if (record.shard < 0 || record.shard >= heads.shards)
          throw new PlumblineError('SHARD_UNKNOWN', `There is no shard ${record.shard}.`)
        if (record.key.length > MAX_KEY) throw new PlumblineError('RECORD_KEY_INVALID', 'A record key is longer than 65,535 bytes.')
      }
    },
    apply() {
      if (idempotency !== undefined && hash !== undefined) {
        const repeated = findAnswer(env, hash, idempotency.nowMs)
        if (repeated !== undefined) return { offsets: [], repeated }
        keepAnswer(env, hash, idempotency.nowMs + IDEMPOTENCY_MS, idempotency.answer)
      }
      const touched = new Set<number>()
      const storedMs = now()
      const offsets = records.map((record) => {
        const head = heads.stagedShard(record.shard)
        const offset = head.next++
        env.events.putSync(eventKey(record.shard, offset), encodeRecord(record, storedMs))
        touched.add(record.shard)
        return offset
      })
      for (const shard of touched) writeShardHead(env, shard, SHARD_NEXT, heads.stagedShard(shard).next)
      for (const letter of deadLetters) publishJson(heads, 'dead-letters', letter.shard, letter.offset, letter)
      for (const [name, value] of Object.entries(values)) env.kv.putSync(kvKey(`kv:${name}`), Buffer.from(value))
      return { offsets }
    },
  }
}

/** Publishes one JSON value; refused inputs have no position, so negative ones are stored as 0. */
export const publishJson = (heads: Heads, topic: Parameters<Heads['publish']>[0], shard: number, offset: number, value: unknown): void => {
  const at = Math.max(0, offset)
  heads.publish(topic, {
    shard: Math.max(0, shard),
    firstOffset: at,
    lastOffset: at,
    rows: 1,
    schemaVersion: 1,
    payload: json.encode(JSON.stringify(value)),
  })
}

/** Removes answers whose 24 hours are over; at most `limit` at a time. Returns how many went. */
export const purgeIdempotencyOp = (env: Environment, nowMs: number, limit: number): WriteOp<number> => ({
  bytes: 0,
  apply() {
    const due = [...env.idempotencyExpiry.getKeys({ end: expiryKey(nowMs + 1, Buffer.alloc(0)), limit })]
    for (const key of due) {
      const hash = key.subarray(6)
      const stored = env.idempotency.get(hash)
      if (stored !== undefined && stored.readDoubleBE(0) <= nowMs) env.idempotency.removeSync(hash)
      env.idempotencyExpiry.removeSync(key)
    }
    return due.length
  },
})
