import { AlertBudget, type BudgetedAlert } from '@plumbline/adapters/siem'
import type { Alert } from '@plumbline/schemas'
import type { BacktestGroup, Told } from './compare.ts'
import type { StoredSettings } from './settings.ts'

/** A revision of an alert that was raised, or an event that would have been one. */
export interface Signal extends BudgetedAlert {
  /** −log10 of the event's tail probability. */
  readonly tail: number
  /** ms since epoch. */
  readonly time: number
  readonly verdict: string | null
}

/** `verdict` is empty where nobody gave one. */
export const signalOf = (alert: Alert, verdict: string): Signal => ({
  ...alert,
  tail: alert.facts.tailProbability > 0 ? -Math.log10(alert.facts.tailProbability) : Number.POSITIVE_INFINITY,
  time: alert.lastSeen,
  verdict: verdict === '' ? null : verdict,
})

const groupOf = ({ id, facts, family, severity, score, firstSeen, text, verdict }: Signal): BacktestGroup => ({
  id,
  tenant: facts.tenant,
  identity: facts.identity.id,
  family,
  severity,
  score,
  firstSeen,
  headline: text.headline,
  verdict,
})

/** Rules speak whatever the threshold is; a group that has begun goes on, as its further events are no new trouble. */
const speaking = (signals: readonly Signal[], threshold: number | null): Signal[] => {
  if (threshold === null) return [...signals]
  const begun = new Set<string>()
  return signals.filter((signal) => {
    if (signal.critical || signal.tail >= threshold) begun.add(signal.id)
    return begun.has(signal.id)
  })
}

/** What a deployment with these settings would have told, in the order in which it happened. */
export const decideAll = (signals: readonly Signal[], { threshold, alertBudgetPerDay }: StoredSettings): Told => {
  const budget = new AlertBudget(() => alertBudgetPerDay)
  const groups = new Map<string, BacktestGroup>()
  const held = new Set<string>()
  const first = new Set<string>()
  for (const signal of speaking(signals, threshold)) {
    // Where the first revision does not speak any more, the next begins the group.
    const revision = first.has(signal.id) ? signal.revision : 1
    if (signal.activity !== 'close') first.add(signal.id)
    else if (!first.has(signal.id)) continue
    if (budget.decide({ ...signal, revision }) !== 'delivered') held.add(signal.id)
    else if (!groups.has(signal.id)) groups.set(signal.id, groupOf(signal))
  }
  return { groups, held: [...held].filter((id) => !groups.has(id)).length }
}
