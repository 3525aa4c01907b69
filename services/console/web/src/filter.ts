import type { Severity } from '@plumbline/schemas'

export const SEVERITY_ORDER: readonly Severity[] = ['low', 'medium', 'high', 'critical']

export interface AlertFilterState {
  /** Empty: every tenant. */
  readonly tenant: string
  /** This severity or worse. */
  readonly severity: Severity
  readonly search: string
  readonly historic: boolean
}
