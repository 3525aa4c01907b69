import type { DeploymentLog } from '@plumbline/detector'
import type { IngestNotice } from '@plumbline/schemas'

export type { IngestBatch } from '@plumbline/detector'

/**
 * Where events enter the log. Resolves once the batch survives a crash; rejects with PlumblineError, `retryable`
 * when the sender should try again.
 */
export type IngestPort = Pick<DeploymentLog, 'ingest'>

/** Told after events became durable: the newest of each identity of the request. Must not throw. */
export type IngestListener = (notices: readonly IngestNotice[]) => void
