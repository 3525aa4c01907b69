import type { Severity } from '@plumbline/schemas'

export const SEVERITY_ORDER: readonly Severity[] = ['low', 'medium', 'high', 'critical']

/** Budgets are per day, and days are those of UTC. */
export const startOfDay = (nowMs: number): number => nowMs - (nowMs % 86_400_000)

export interface AlertFilterState {
  /** Empty: every tenant. */
  readonly tenant: string
  /** This severity or worse. */
  readonly severity: Severity
  readonly search: string
  readonly historic: boolean
  /** Only what the budget held back today, worst first. */
  readonly heldBack: boolean
}
