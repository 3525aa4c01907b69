import type { AppendRecord } from '@plumbline/detector/ports'
import type { DeadLetter, IngestNotice } from '@plumbline/schemas'

/** Everything one request brings, stored whole or not at all. */
export interface IngestBatch {
  readonly records: readonly AppendRecord[]
  readonly deadLetters: readonly DeadLetter[]
  /** Makes a repeated request a no-op that gets the first answer (24 h). */
  readonly idempotency?: { readonly tenant: string; readonly key: string; readonly answer: Uint8Array; readonly nowMs: number }
}

/**
 * Where events enter the log. Resolves once the batch survives a crash; rejects with PlumblineError, `retryable`
 * when the sender should try again. The embedded log is one.
 */
export interface IngestPort {
  ingest(batch: IngestBatch): Promise<{ readonly offsets: readonly number[]; readonly repeated?: Uint8Array }>
}

/** Told after events became durable: the newest of each identity of the request. Must not throw. */
export type IngestListener = (notices: readonly IngestNotice[]) => void
