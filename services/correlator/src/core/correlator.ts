import type { Incident } from '@plumbline/schemas'
import { LIMITS, type Limits, HOUR, TOO_LATE_MS, WINDOW_MS } from './limits.ts'
import { forgetHalf, forgottenBy, sizeOf } from './memory.ts'
import { type AlertSignal, bySequence, placeOf, type Signal } from './signal.ts'
import { type PackedTenant, Tenant } from './tenant.ts'

/** What came in, and what was left out for want of room or because it came too late. */
export interface CorrelatorCounters {
  signals: number
  late: number
  tooLate: number
  overflow: number
  tenantsForgotten: number
}

interface Packed {
  readonly v: 1
  readonly closed: number
  readonly tenants: readonly PackedTenant[]
  readonly pending: readonly Signal[]
  readonly late: readonly Signal[]
  readonly alerts: readonly AlertSignal[]
  readonly lateAlerts: readonly AlertSignal[]
  readonly counters: CorrelatorCounters
}

/**
 * What goes over several identities. Pure: the incidents of a window are a function of what came in before it was closed, in
 * whatever order. `close` may go over many windows at once or one by one; the result is the same.
 */
export class Correlator {
  readonly counters: CorrelatorCounters = { signals: 0, late: 0, tooLate: 0, overflow: 0, tenantsForgotten: 0 }
  readonly #limits: Limits
  readonly #tenants = new Map<string, Tenant>()
  readonly #pending = new Map<number, Signal[]>()
  #pendingCount = 0
  #late: Signal[] = []
  readonly #alerts = new Map<string, AlertSignal>()
  #lateAlerts: AlertSignal[] = []
  #closed = Number.NEGATIVE_INFINITY

  constructor(limits: Partial<Limits> = {}, packed?: string) {
    this.#limits = { ...LIMITS, ...limits }
    if (packed !== undefined) this.#unpack(JSON.parse(packed) as Packed)
  }

  /** End of the last window that is closed. */
  get closed(): number {
    return this.#closed
  }

  /** Memory that was given up for want of room, and episodes that found none. */
  get forgotten(): number {
    return [...this.#tenants.values()].reduce((sum, { memory, refused }) => sum + forgottenBy(memory) + refused, 0)
  }

  add(signal: Signal): void {
    this.counters.signals++
    if (signal.time < this.#closed - TOO_LATE_MS) this.counters.tooLate++
    else if (this.#pendingCount + this.#late.length >= this.#limits.pending) this.counters.overflow++
    else if (signal.time < this.#closed) {
      this.counters.late++
      this.#late.push(signal)
    } else {
      const window = Math.floor(signal.time / WINDOW_MS)
      const signals = this.#pending.get(window)
      if (signals === undefined) this.#pending.set(window, [signal])
      else signals.push(signal)
      this.#pendingCount++
    }
  }

  addAlert(alert: AlertSignal): void {
    if (alert.time < this.#closed - TOO_LATE_MS) return
    if (alert.time < this.#closed) this.#lateAlerts.push(alert)
    if (this.#alerts.size >= this.#limits.alerts) this.counters.overflow++
    else this.#alerts.set(placeOf(alert), alert)
  }

  /** Closes all windows that end at or before this time and returns the revisions that come of them, in order. */
  close(upTo: number): Incident[] {
    const end = Math.floor(upTo / WINDOW_MS) * WINDOW_MS
    if (end <= this.#closed) return []
    const told = this.#takeLate()
    const windows = [...this.#pending.keys()].filter((window) => (window + 1) * WINDOW_MS <= end).sort((a, b) => a - b)
    for (const window of windows) {
      const signals = this.#pending.get(window) ?? []
      this.#pending.delete(window)
      this.#pendingCount -= signals.length
      told.push(...this.#take(signals, (window + 1) * WINDOW_MS, false))
    }
    for (const tenant of this.#tenants.values()) told.push(...tenant.expire(end))
    this.#closed = end
    for (const [place, { time }] of this.#alerts) if (time < end - HOUR) this.#alerts.delete(place)
    return told
  }

  /** Forgets the older half of the largest memory; false when there is nothing left to forget. */
  shrink(): boolean {
    const [largest] = [...this.#tenants.values()].sort((a, b) => sizeOf(b.memory) - sizeOf(a.memory) || (a.name < b.name ? -1 : 1))
    return largest !== undefined && forgetHalf(largest.memory)
  }

  forget(tenant: string, identity?: string): void {
    if (identity === undefined) this.#tenants.delete(tenant)
    else this.#tenants.get(tenant)?.forgetIdentity(identity)
    const others = (signal: Signal): boolean => signal.tenant !== tenant || (identity !== undefined && signal.identity !== identity)
    for (const [window, signals] of this.#pending) this.#pending.set(window, signals.filter(others))
    this.#pendingCount = [...this.#pending.values()].reduce((sum, signals) => sum + signals.length, 0)
    this.#late = this.#late.filter(others)
  }

  /** Everything, as text from which one that goes on exactly here can be made. */
  pack(): string {
    const packed: Packed = {
      v: 1,
      closed: Number.isFinite(this.#closed) ? this.#closed : 0,
      tenants: [...this.#tenants.values()].map((tenant) => tenant.pack()),
      pending: [...this.#pending.values()].flat(),
      late: this.#late,
      alerts: [...this.#alerts.values()],
      lateAlerts: this.#lateAlerts,
      counters: this.counters,
    }
    return JSON.stringify(packed)
  }

  #unpack({ closed, tenants, pending, late, alerts, lateAlerts, counters }: Packed): void {
    for (const tenant of tenants) this.#tenants.set(tenant.name, new Tenant(tenant.name, this.#limits, 0, tenant))
    for (const signal of pending) this.add(signal)
    for (const alert of alerts) this.#alerts.set(placeOf(alert), alert)
    this.#late = [...late]
    this.#lateAlerts = [...lateAlerts]
    this.#closed = closed
    Object.assign(this.counters, counters)
  }

  #takeLate(): Incident[] {
    const late = this.#late
    const alerts = this.#lateAlerts
    this.#late = []
    this.#lateAlerts = []
    const told = this.#take(late, this.#closed, true)
    for (const alert of alerts) told.push(...(this.#tenants.get(alert.tenant)?.attach(alert, this.#closed) ?? []))
    return told
  }

  #take(signals: Signal[], at: number, late: boolean): Incident[] {
    signals.sort(bySequence)
    const byTenant = Map.groupBy(signals, ({ tenant }) => tenant)
    const names = [...byTenant.keys()].sort()
    return names.flatMap((name) =>
      this.#tenant(name, at).take({ at, late, signals: byTenant.get(name) ?? [], alertOf: (place) => this.#alerts.get(place) }),
    )
  }

  #tenant(name: string, now: number): Tenant {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    if (this.#tenants.size >= this.#limits.tenants) {
      const [quietest] = [...this.#tenants.values()].sort((a, b) => a.memory.lastSeen - b.memory.lastSeen || (a.name < b.name ? -1 : 1))
      if (quietest !== undefined) this.#tenants.delete(quietest.name)
      this.counters.tenantsForgotten++
    }
    const tenant = new Tenant(name, this.#limits, now)
    this.#tenants.set(name, tenant)
    return tenant
  }
}
