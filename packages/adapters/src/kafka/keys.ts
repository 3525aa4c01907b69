import { createHash } from 'node:crypto'
import type { IngestBatch, IngestResult } from '@plumbline/detector'
import type { Message } from 'kafkajs'
import type { ReadRecord } from './record.ts'
import { openScratch } from './scratch.ts'

/** Key prefix of first answers in the topic of Idempotency-Keys. */
const ANSWER = 'i:'
const DAY_MS = 24 * 3_600_000
export const FINGERPRINT_BYTES = 32
const NO_FINGERPRINT = Buffer.alloc(FINGERPRINT_BYTES)
const HASH_BYTES = 16
const EXPIRY_BYTES = 6
const HEAD_BYTES = EXPIRY_BYTES + FINGERPRINT_BYTES

export type Idempotency = NonNullable<IngestBatch['idempotency']>

/** What is kept of a tenant's key. */
export const keyHash = ({ tenant, key }: Idempotency): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest()
    .subarray(0, HASH_BYTES)

/** Expiry (6 bytes, ms since epoch), fingerprint or zeros, answer. */
export const answerBytes = ({ fingerprint = NO_FINGERPRINT, answer, nowMs }: Idempotency): Buffer => {
  const bytes = Buffer.alloc(HEAD_BYTES + answer.length)
  bytes.writeUIntBE(nowMs + DAY_MS, 0, EXPIRY_BYTES)
  bytes.set(fingerprint, EXPIRY_BYTES)
  bytes.set(answer, HEAD_BYTES)
  return bytes
}

/** What a stored answer says to another request with its key; undefined when its day is over. */
export const earlierAnswer = (stored: Buffer, { fingerprint, nowMs }: Idempotency): Partial<IngestResult> | undefined => {
  if (stored.readUIntBE(0, EXPIRY_BYTES) <= nowMs) return undefined
  const first = stored.subarray(EXPIRY_BYTES, HEAD_BYTES)
  const same = fingerprint === undefined || first.equals(NO_FINGERPRINT) || first.equals(fingerprint)
  return same ? { repeated: stored.subarray(HEAD_BYTES) } : { conflict: true }
}

export const answerMessage = (hash: Buffer, bytes: Buffer): Message => ({
  partition: 0,
  key: Buffer.concat([Buffer.from(ANSWER), hash]),
  value: bytes,
})

/** First answers of a day, on disk: rebuilt from their topic at every start. */
export interface KeyTable {
  get(hash: Buffer): Buffer | undefined
  put(entries: readonly (readonly [hash: Buffer, bytes: Buffer])[]): void
  /** Takes records of the topic in. */
  take(messages: readonly ReadRecord[]): void
  /** Forgets what expired before `nowMs`, some of it at a time. */
  forget(nowMs: number): void
  close(): Promise<void>
}

const BY_HASH = Buffer.of(1)
const BY_EXPIRY = Buffer.of(2)
const FORGET_STEP = 1_000

export const createKeyTable = (parent?: string): KeyTable => {
  const { env, close } = openScratch('keys', parent)
  const put: KeyTable['put'] = (entries) => {
    if (entries.length === 0) return
    env.transactionSync(() => {
      for (const [hash, bytes] of entries) {
        env.putSync(Buffer.concat([BY_HASH, hash]), bytes)
        env.putSync(Buffer.concat([BY_EXPIRY, bytes.subarray(0, EXPIRY_BYTES), hash]), Buffer.alloc(0))
      }
    })
  }
  return {
    get: (hash) => env.get(Buffer.concat([BY_HASH, hash])),
    put,
    take(messages) {
      put(
        messages.flatMap(({ key, value }): [Buffer, Buffer][] =>
          key?.length === ANSWER.length + HASH_BYTES && key.toString('latin1').startsWith(ANSWER) && (value?.length ?? 0) >= HEAD_BYTES
            ? [[key.subarray(ANSWER.length), value!]]
            : [],
        ),
      )
    },
    forget(nowMs) {
      const end = Buffer.alloc(1 + EXPIRY_BYTES)
      end[0] = BY_EXPIRY[0]!
      end.writeUIntBE(Math.max(0, nowMs) + 1, 1, EXPIRY_BYTES)
      const due = [...env.getKeys({ start: BY_EXPIRY, end, limit: FORGET_STEP })]
      if (due.length === 0) return
      env.transactionSync(() => {
        for (const key of due) {
          const own = Buffer.concat([BY_HASH, key.subarray(1 + EXPIRY_BYTES)])
          const stored = env.get(own)
          if (stored !== undefined && stored.readUIntBE(0, EXPIRY_BYTES) <= nowMs) env.removeSync(own)
          env.removeSync(key)
        }
      })
    },
    close,
  }
}
