import type { OutboxRows } from '@plumbline/detector'
import type { AppendRecord } from '@plumbline/detector/ports'
import type { DeadLetter, IngestNotice } from '@plumbline/schemas'

/** Everything one request brings, stored whole or not at all. */
export interface IngestBatch {
  readonly records: readonly AppendRecord[]
  readonly deadLetters: readonly DeadLetter[]
  /** Makes a repeated request a no-op that gets the first answer (24 h). */
  readonly idempotency?: {
    readonly tenant: string
    readonly key: string
    /** Of what the request says: the same key with another one is no repetition. */
    readonly fingerprint?: Uint8Array
    readonly answer: Uint8Array
    readonly nowMs: number
  }
  /** Rows that tell of the batch, stored with the rest. */
  readonly rows?: OutboxRows
  /** Named values stored with the rest. */
  readonly values?: Readonly<Record<string, Uint8Array>>
}

/**
 * Where events enter the log. Resolves once the batch survives a crash; rejects with PlumblineError, `retryable`
 * when the sender should try again. The embedded log is one.
 */
export interface IngestPort {
  ingest(batch: IngestBatch): Promise<{
    readonly offsets: readonly number[]
    /** The first answer to a repeated request. */
    readonly repeated?: Uint8Array
    /** The Idempotency-Key was used for another request: nothing was stored. */
    readonly conflict?: true
  }>
}

/** Told after events became durable: the newest of each identity of the request. Must not throw. */
export type IngestListener = (notices: readonly IngestNotice[]) => void
