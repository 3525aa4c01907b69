import { createHash } from 'node:crypto'
import type { IngestBatch, IngestResult } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { SHARD_NEXT, encodeRecord, eventKey } from './codec.ts'
import { type Environment, kvKey } from './environment.ts'
import { type Heads, writeShardHead } from './staging.ts'
import type { WriteOp } from './writer.ts'

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

const FINGERPRINT_BYTES = 32
/** Expiry (8 bytes), this mark, fingerprint or zeros, answer. What has no mark is from before fingerprints: an answer alone. */
const MARK = 1
const NO_FINGERPRINT = new Uint8Array(FINGERPRINT_BYTES)

/** In the order in which they are stored. */
const ROW_TOPICS = ['feedback', 'releases', 'audit', 'incidents'] as const

type Idempotency = NonNullable<IngestBatch['idempotency']>

const findAnswer = (env: Environment, hash: Buffer, { fingerprint, nowMs }: Idempotency): Partial<IngestResult> | undefined => {
  const stored = env.idempotency.get(hash)
  if (stored === undefined || stored.readDoubleBE(0) <= nowMs) return undefined
  if (stored[8] !== MARK) return { repeated: stored.subarray(8) }
  const first = stored.subarray(9, 9 + FINGERPRINT_BYTES)
  const same = fingerprint === undefined || first.equals(NO_FINGERPRINT) || first.equals(fingerprint)
  return same ? { repeated: stored.subarray(9 + FINGERPRINT_BYTES) } : { conflict: true }
}

const keepAnswer = (env: Environment, hash: Buffer, { fingerprint = NO_FINGERPRINT, nowMs, answer }: Idempotency): void => {
  const expiresMs = nowMs + IDEMPOTENCY_MS
  const value = Buffer.allocUnsafe(9 + FINGERPRINT_BYTES + answer.length)
  value.writeDoubleBE(expiresMs, 0)
  value[8] = MARK
  value.set(fingerprint, 9)
  value.set(answer, 9 + FINGERPRINT_BYTES)
  env.idempotency.putSync(hash, value)
  env.idempotencyExpiry.putSync(expiryKey(expiresMs, hash), Buffer.alloc(0))
}

export const ingestOp = (env: Environment, heads: Heads, batch: IngestBatch, now: () => number): WriteOp<IngestResult> => {
  const { records, deadLetters = [], rows = {}, idempotency, values = {} } = batch
  const hash = idempotency === undefined ? undefined : idempotencyHash(idempotency.tenant, idempotency.key)
  return {
    kind: 'append',
    bytes: records.reduce((sum, record) => sum + record.key.length + record.value.length + 32, 0),
    check() {
      const prints = idempotency?.fingerprint
      if (prints !== undefined && prints.length !== FINGERPRINT_BYTES)
        throw new PlumblineError('FINGERPRINT_INVALID', `A fingerprint has ${FINGERPRINT_BYTES} bytes.`)
      for (const record of records) {
        if (record.shard < 0 || record.shard >= heads.shards)
          throw new PlumblineError('SHARD_UNKNOWN', `There is no shard ${record.shard}.`)
        if (record.key.length > MAX_KEY) throw new PlumblineError('RECORD_KEY_INVALID', 'A record key is longer than 65,535 bytes.')
      }
    },
    apply() {
      if (idempotency !== undefined && hash !== undefined) {
        const earlier = findAnswer(env, hash, idempotency)
        if (earlier !== undefined) return { offsets: [], ...earlier }
        keepAnswer(env, hash, idempotency)
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
      for (const topic of ROW_TOPICS) for (const row of rows[topic] ?? []) publishJson(heads, topic, 0, 0, row)
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
