import type { Alert } from '@plumbline/schemas'

/**
 * Where alerts go. `deliver` resolves once all are safe with the receiver and may be called again with the same ones
 * (at least once; receivers keep the highest revision per id). Rejects with a PlumblineError: `retryable` means the same
 * batch is tried again later, else it is counted as refused and passed over.
 */
export interface AlertSink {
  readonly name: string
  /** Alerts that are not for this sink are passed by; absent: all are. */
  readonly takes?: (alert: Alert) => boolean
  deliver(alerts: readonly Alert[]): Promise<void>
  close(): Promise<void>
}
