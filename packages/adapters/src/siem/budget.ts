import { createHash } from 'node:crypto'
import type { Alert, Severity } from '@plumbline/schemas'

export type Delivery = 'delivered' | 'held' | 'historic'

/** What decides: of an alert that was raised, or of one that would have been. */
export interface BudgetedAlert
  extends Pick<Alert, 'id' | 'revision' | 'activity' | 'family' | 'severity' | 'score' | 'critical' | 'historic' | 'firstSeen'> {
  readonly facts: {
    readonly tenant: string
    readonly action: string
    readonly resource: { readonly class: string }
    readonly identity: { readonly id: string }
  }
  readonly text: { readonly headline: string }
}

export interface HeldAlert {
  readonly id: string
  readonly score: number
  readonly severity: Severity
  readonly identity: string
  readonly headline: string
  readonly firstSeen: number
}

interface DayLedger {
  delivered: number
  critical: number
  held: number
  /** Reason families of which a critical alert has passed this day. */
  kinds: string[]
  /** Groups delivered per reason family. Absent in what earlier builds stored. */
  families?: Record<string, number>
  /** The same per action and class of resource, by rank of severity. Absent in what earlier builds stored. */
  actions?: Record<string, number[]>
  /**
   * Of whom a group was delivered, by a short hash of the name, and of what family, by one of both: the rank of the gravest.
   * Absent in what earlier builds stored.
   */
  told?: Record<string, number>
  /** Groups delivered that count against the ceiling; at most the budget of them. */
  deliveredIds: string[]
  /** The worst of what was held, worst first; at most HELD_LISTED. */
  worst: HeldAlert[]
}

/** Plain data, so that it can be stored beside the cursor: key is `tenant\n<UTC day>`. */
export interface BudgetState {
  days: Record<string, DayLedger>
}

export interface BudgetDay {
  readonly tenant: string
  /** UTC day of event time, like `2026-11-22`. */
  readonly day: string
  readonly delivered: number
  /** Of those delivered, how many passed as the first critical one of their kind. */
  readonly critical: number
  readonly held: number
  readonly worst: readonly HeldAlert[]
}

const HELD_LISTED = 100
const DAYS_KEPT = 9
const DAY_MS = 86_400_000
/** Low and medium may use up this much of a day's budget; the rest waits for high ones that come later in the day. */
const COMMON_SHARE = 0.75
/** One reason family may use up this much: a hundred identities that do the same thing on one day leave room for other news. */
const FAMILY_SHARE = 0.5
/**
 * One action on one class of resource this much, whatever is said of it: a tool that goes bad is news a few times, then an
 * incident tells of it. Only what is as grave counts: nobody hides behind noise that he makes before.
 */
const ACTION_SHARE = 0.25
/** Who was told of today, and does no worse now, is being looked at: the rest of the day waits for others. High and worse of another kind are other news. */
const AGAIN_SHARE = 0.5
const SEVERITIES: readonly Severity[] = ['low', 'medium', 'high', 'critical']
const RANK: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2, critical: 3 }
/** So few are not divided. */
const UNDIVIDED = 5
const partOf = (all: number, share: number): number => Math.max(Math.min(all, UNDIVIDED), Math.ceil(all * share))

/**
 * The ceiling on new alert groups per tenant and UTC day of event time (contracts C11). Decides from the order of alerts
 * alone: the same alerts in the same order give the same decisions. The first critical alert of each reason family and day
 * always passes; further ones take their place in the budget like high ones, so that no rule that goes wild over a large
 * fleet can wake somebody a hundred times. Nor may one family, one action, or who was told of already, use up a day that
 * others need. Later revisions follow their first; one that has become the first critical of
 * its kind is let out.
 */
export class AlertBudget {
  readonly #perDay: (tenant: string) => number
  readonly #state: BudgetState

  constructor(perDay: (tenant: string) => number, state: BudgetState = { days: {} }) {
    this.#perDay = perDay
    this.#state = structuredClone(state)
  }

  decide(alert: BudgetedAlert): Delivery {
    if (alert.historic) return 'historic'
    if (alert.activity === 'close') return this.#ending(alert)
    const ledger = this.#ledger(alert)
    if (ledger.deliveredIds.includes(alert.id)) return 'delivered'
    const held = ledger.worst.find((h) => h.id === alert.id)
    const heldBefore = held !== undefined
    if (alert.critical && !ledger.kinds.includes(alert.family)) {
      if (heldBefore) this.#release(ledger, alert.id)
      ledger.kinds.push(alert.family)
      count(ledger, alert, true)
      return 'delivered'
    }
    // What has become worse than it was when it was held is decided anew.
    const isWorse = held !== undefined && RANK[alert.severity] > RANK[held.severity]
    const followsHeld = !isWorse && (heldBefore || (alert.revision > 1 && ledger.held > ledger.worst.length))
    if (!followsHeld && ledger.delivered < this.#room(ledger, alert) && this.#isNews(ledger, alert)) {
      if (heldBefore) this.#release(ledger, alert.id)
      count(ledger, alert, false)
      return 'delivered'
    }
    hold(ledger, alert, !followsHeld && !heldBefore)
    return 'held'
  }

  days(): readonly BudgetDay[] {
    return Object.entries(this.#state.days).map(([key, l]) => {
      const [tenant = '', day = '0'] = key.split('\n')
      return {
        tenant,
        day: new Date(Number(day) * DAY_MS).toISOString().slice(0, 10),
        delivered: l.delivered,
        critical: l.critical,
        held: l.held,
        worst: l.worst,
      }
    })
  }

  state(): BudgetState {
    return structuredClone(this.#state)
  }

  /**
   * A closing wakes nobody, counts for nothing and goes where its group went. Where that is forgotten, it is delivered: who
   * never heard of the group loses nothing by hearing that it is over.
   */
  #ending(alert: BudgetedAlert): Delivery {
    const ledger = this.#state.days[keyOf(alert)]
    const wasHeld = ledger !== undefined && ledger.held > 0 && !ledger.deliveredIds.includes(alert.id)
    return wasHeld && (ledger.worst.some((h) => h.id === alert.id) || ledger.held > ledger.worst.length) ? 'held' : 'delivered'
  }

  #room({ told }: DayLedger, alert: BudgetedAlert): number {
    const all = Math.max(0, this.#perDay(alert.facts.tenant))
    const rank = RANK[alert.severity]
    const room = rank >= RANK.high ? all : Math.ceil(all * COMMON_SHARE)
    const before = told?.[rank >= RANK.high ? whatOf(alert) : whose(alert)] ?? -1
    return before >= rank ? Math.min(room, partOf(all, AGAIN_SHARE)) : room
  }

  /** Neither its kind nor its action has had its part of the day. */
  #isNews({ families, actions }: DayLedger, { family, facts, severity }: BudgetedAlert): boolean {
    const all = Math.max(0, this.#perDay(facts.tenant))
    const asGrave = (actions?.[actOf(facts)] ?? []).reduce((sum, n, rank) => (rank >= RANK[severity] ? sum + n : sum), 0)
    return (families?.[family] ?? 0) < partOf(all, FAMILY_SHARE) && asGrave < partOf(all, ACTION_SHARE)
  }

  #release(ledger: DayLedger, id: string): void {
    ledger.worst = ledger.worst.filter((h) => h.id !== id)
    ledger.held--
  }

  #ledger(alert: BudgetedAlert): DayLedger {
    const { tenant } = alert.facts
    const key = keyOf(alert)
    const known = this.#state.days[key]
    if (known !== undefined) {
      known.kinds ??= []
      return known
    }
    const made: DayLedger = { delivered: 0, critical: 0, held: 0, kinds: [], deliveredIds: [], worst: [] }
    this.#state.days[key] = made
    const newest = Math.max(...this.#daysOf(tenant))
    for (const day of this.#daysOf(tenant))
      if (day <= newest - DAYS_KEPT && `${tenant}\n${day}` !== key) delete this.#state.days[`${tenant}\n${day}`]
    return made
  }

  #daysOf(tenant: string): number[] {
    const own = `${tenant}\n`
    return Object.keys(this.#state.days).flatMap((key) => (key.startsWith(own) ? [Number(key.slice(own.length))] : []))
  }
}

const keyOf = (alert: BudgetedAlert): string => `${alert.facts.tenant}\n${Math.floor(alert.firstSeen / DAY_MS)}`

const CRITICAL_IDS = 1000

const short = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 11)
const whose = ({ facts }: BudgetedAlert): string => short(facts.identity.id)
const whatOf = ({ facts, family }: BudgetedAlert): string => short(`${facts.identity.id}\n${family}`)

const plusOne = (counts: Readonly<Record<string, number>> | undefined, name: string): Record<string, number> => ({
  ...counts,
  [name]: (counts?.[name] ?? 0) + 1,
})

/** Where all acts have one name, what they are done to still tells them apart. */
const actOf = ({ action, resource }: BudgetedAlert['facts']): string => `${action} ${resource.class}`

const count = (ledger: DayLedger, alert: BudgetedAlert, critical: boolean): void => {
  ledger.delivered++
  ledger.families = plusOne(ledger.families, alert.family)
  const rank = RANK[alert.severity]
  const act = actOf(alert.facts)
  const ranks = ledger.actions?.[act] ?? SEVERITIES.map(() => 0)
  ledger.actions = { ...ledger.actions, [act]: ranks.map((n, i) => (i === rank ? n + 1 : n)) }
  for (const key of [whose(alert), whatOf(alert)]) ledger.told = { ...ledger.told, [key]: Math.max(ledger.told?.[key] ?? 0, rank) }
  if (critical) ledger.critical++
  if (!critical || ledger.critical <= CRITICAL_IDS) ledger.deliveredIds.push(alert.id)
}

/** Worst first; ties by time and id, so that the order never depends on arrival alone. */
const worse = (a: HeldAlert, b: HeldAlert): number =>
  RANK[b.severity] - RANK[a.severity] || b.score - a.score || a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1)

const hold = (ledger: DayLedger, alert: BudgetedAlert, first: boolean): void => {
  if (first) ledger.held++
  const entry: HeldAlert = {
    id: alert.id,
    score: alert.score,
    severity: alert.severity,
    identity: alert.facts.identity.id,
    headline: alert.text.headline.slice(0, 300),
    firstSeen: alert.firstSeen,
  }
  ledger.worst = [...ledger.worst.filter((h) => h.id !== alert.id), entry].sort(worse).slice(0, HELD_LISTED)
}
