import { PlumblineError, SEVERITIES, type Alert, type AlertView, type IngestNotice, type Verdict } from '@plumbline/schemas'
import { compareKeys } from './cursor.ts'
import type { AlertFilter, AlertKey, AlertStore } from './ports.ts'

/** One message of the stream. `seq` is absent for messages that are not worth replaying. */
export type TailMessage =
  | { readonly kind: 'alert'; readonly seq: number; readonly alert: AlertView }
  | { readonly kind: 'ingest'; readonly notice: IngestNotice }
  | { readonly kind: 'removed'; readonly tenant: string }

/** Tenant that a message speaks of. */
export const tenantOf = (message: TailMessage): string =>
  message.kind === 'alert' ? message.alert.facts.tenant : message.kind === 'ingest' ? message.notice.tenant : message.tenant

const severityRank = (alert: AlertView): number => SEVERITIES.indexOf(alert.severity)

export function matches(alert: AlertView, filter: AlertFilter): boolean {
  if (filter.tenants !== null && !filter.tenants.includes(alert.facts.tenant)) return false
  if (filter.identity !== undefined && alert.facts.identity.id !== filter.identity) return false
  if (filter.minSeverity !== undefined && severityRank(alert) < SEVERITIES.indexOf(filter.minSeverity)) return false
  if (filter.delivery !== undefined && alert.delivery !== filter.delivery) return false
  if (filter.since !== undefined && alert.lastSeen < filter.since) return false
  return alert.historic === filter.historic
}

/**
 * The newest alerts of this process, in memory: fed when a chunk is committed, so that the page and the API show an
 * alert within milliseconds, before its row is in ClickHouse. Bounded; forgetting is harmless, the store has the rest.
 */
export class LiveTail {
  /** Changes with every start: a `Last-Event-ID` of another process cannot be resumed. */
  readonly epoch: string
  readonly #capacity: number
  #seq = 0
  /** By alert id, in the order of last change; each with the sequence number of that change. */
  readonly #alerts = new Map<string, { readonly seq: number; readonly alert: AlertView }>()
  readonly #verdicts = new Map<string, Verdict>()
  readonly #listeners = new Set<(message: TailMessage) => void>()
  #forgottenSeq = 0

  constructor(epoch: string, capacity = 2000) {
    this.epoch = epoch
    this.#capacity = capacity
  }

  get seq(): number {
    return this.#seq
  }

  /** Takes one committed revision in. Older revisions than the one known are ignored. */
  publish(alert: Alert, delivery: AlertView['delivery']): void {
    const known = this.#alerts.get(alert.id)
    if (known !== undefined && known.alert.revision >= alert.revision) return
    const verdict = this.#verdicts.get(alert.id) ?? known?.alert.verdict ?? null
    this.#put({ ...alert, delivery, verdict })
  }

  /** A verdict shows at once, also on alerts that only the store knows. */
  setVerdict(alert: AlertView, verdict: Verdict): void {
    this.#verdicts.delete(alert.id)
    this.#verdicts.set(alert.id, verdict)
    dropOldest(this.#verdicts, this.#capacity)
    this.#put({ ...(this.#alerts.get(alert.id)?.alert ?? alert), verdict })
  }

  ingest(notice: IngestNotice): void {
    this.#emit({ kind: 'ingest', notice })
  }

  /** Forgets a tenant that was removed and tells every viewer. */
  removeTenant(tenant: string): void {
    for (const [id, entry] of this.#alerts) if (entry.alert.facts.tenant === tenant) this.#alerts.delete(id)
    this.#emit({ kind: 'removed', tenant })
  }

  listen(listener: (message: TailMessage) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What changed after `seq`, oldest first; null when some of it was already forgotten. */
  since(seq: number): readonly (TailMessage & { kind: 'alert' })[] | null {
    if (seq < this.#forgottenSeq || seq > this.#seq) return null
    const later = [...this.#alerts.values()].filter((entry) => entry.seq > seq)
    return later.map((entry) => ({ kind: 'alert', seq: entry.seq, alert: entry.alert }))
  }

  get(id: string): AlertView | undefined {
    return this.#alerts.get(id)?.alert
  }

  verdict(id: string): Verdict | undefined {
    return this.#verdicts.get(id)
  }

  matching(filter: AlertFilter, after: AlertKey | null): AlertView[] {
    const found: AlertView[] = []
    for (const { alert } of this.#alerts.values()) {
      if (matches(alert, filter) && (after === null || compareKeys(after, alert, filter.sort) < 0)) found.push(alert)
    }
    return found
  }

  #put(alert: AlertView): void {
    this.#seq++
    this.#alerts.delete(alert.id)
    this.#alerts.set(alert.id, { seq: this.#seq, alert })
    const dropped = dropOldest(this.#alerts, this.#capacity)
    if (dropped !== undefined) this.#forgottenSeq = dropped.seq
    this.#emit({ kind: 'alert', seq: this.#seq, alert })
  }

  #emit(message: TailMessage): void {
    for (const listener of this.#listeners) listener(message)
  }
}

function dropOldest<K, V>(map: Map<K, V>, capacity: number): V | undefined {
  if (map.size <= capacity) return undefined
  const [key, value] = map.entries().next().value as [K, V]
  map.delete(key)
  return value
}

export interface TailedPage {
  readonly alerts: readonly AlertView[]
  /** The store could not be asked: this is what memory holds. */
  readonly partial: boolean
}

export interface TailedAlerts {
  page(filter: AlertFilter, after: AlertKey | null, limit: number): Promise<TailedPage>
  find(id: string): Promise<AlertView | null>
}

/** What the store answers, or undefined while it is away (starting, restarting). Other errors are thrown. */
export async function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof PlumblineError && error.retryable) return undefined
    throw error
  }
}

/** The store with the live tail laid over it: what either of them knows, newest revision first. */
export function withTail(store: AlertStore, tail: LiveTail): TailedAlerts {
  const newest = (stored: AlertView): AlertView => {
    const live = tail.get(stored.id)
    const base = live !== undefined && live.revision >= stored.revision ? live : stored
    const verdict = tail.verdict(stored.id) ?? base.verdict ?? stored.verdict
    return verdict === base.verdict ? base : { ...base, verdict }
  }
  return {
    async page(filter, after, limit) {
      const stored = await unlessAway(store.page(filter, after, limit))
      const byId = new Map(tail.matching(filter, after).map((alert) => [alert.id, alert]))
      for (const alert of stored ?? []) {
        const view = newest(alert)
        if (matches(view, filter)) byId.set(view.id, view)
      }
      return { alerts: [...byId.values()].sort((a, b) => compareKeys(a, b, filter.sort)).slice(0, limit), partial: stored === undefined }
    },
    async find(id) {
      const live = tail.get(id)
      if (live !== undefined) return live
      const stored = await store.find(id)
      return stored === null ? null : newest(stored)
    },
  }
}
