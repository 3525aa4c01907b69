import { AlertBudget } from '@plumbline/adapters/siem'
import type { Alert } from '@plumbline/schemas'
import type { Outcome } from './replay.ts'

export interface BoardOptions {
  /** Ceiling on new alert groups per tenant and day, as in a deployment. */
  readonly budgetPerDay: number
  /** Show each revision when it comes; else each group once at the end, as it then stands. */
  readonly live: boolean
  /** `first`: nothing was shown of this group before. */
  readonly show: (alert: Alert, first: boolean) => Promise<void>
}

/** Which alerts of a throw-away instance are shown, and how many are not: decided as a deployment decides what it sends. */
export class AlertBoard {
  readonly #options: BoardOptions
  readonly #budget: AlertBudget
  /** Newest revision of each group that the budget let through. */
  readonly #shown = new Map<string, Alert>()
  readonly #held = new Set<string>()

  constructor(options: BoardOptions) {
    this.#options = options
    this.#budget = new AlertBudget(() => options.budgetPerDay)
  }

  async take(alert: Alert): Promise<void> {
    if (this.#budget.decide(alert) !== 'delivered') {
      this.#held.add(alert.id)
      return
    }
    const first = !this.#shown.has(alert.id)
    this.#held.delete(alert.id)
    this.#shown.set(alert.id, alert)
    if (this.#options.live) await this.#options.show(alert, first)
  }

  async end(): Promise<Pick<Outcome, 'alerts' | 'held' | 'severities' | 'alerted'>> {
    const shown = [...this.#shown.values()].sort((a, b) => a.firstSeen - b.firstSeen)
    if (!this.#options.live) for (const alert of shown) await this.#options.show(alert, true)
    const severities: Record<string, number> = {}
    const byIdentity = new Map<string, number>()
    for (const { severity, facts } of shown) {
      severities[severity] = (severities[severity] ?? 0) + 1
      byIdentity.set(facts.identity.id, (byIdentity.get(facts.identity.id) ?? 0) + 1)
    }
    const alerted = [...byIdentity].map(([identity, alerts]) => ({ identity, alerts })).sort((a, b) => b.alerts - a.alerts)
    return { alerts: shown.length, held: this.#held.size, severities, alerted }
  }
}
