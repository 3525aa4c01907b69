import type { Store } from '@plumbline/adapters/clickhouse'
import { createLastTimes, createUsableRows } from './figures.ts'
import type { ModelsInForce } from './model-in-force.ts'
import { heldBackOf, type ReleaseStore } from './releases.ts'
import { type Due, due, type Pace, unlearned } from './schedule.ts'

/** A tenant with the number of its events that were scored. */
type Measured = { readonly name: string; readonly events: number }

export interface DueNowOptions {
  readonly releases: ReleaseStore
  readonly models: ModelsInForce
  paceOf(tenant: string): Pace
  /** Null while ClickHouse is away. */
  reader(): Store | null
  readonly clock: () => number
}

/** What each tenant is due, asked of the ledger of its releases and of ClickHouse. `force`: not by figures of a minute ago. */
export interface DueNow {
  of(tenant: Measured, force: boolean): Promise<Due>
  /** The same at the end of a history: whatever was scored since the last release counts. */
  atTheEnd(tenant: Measured): Promise<Due>
  /** Without asking ClickHouse. */
  known(tenant: string, events: number): boolean
  /** Newest event time that is recorded, ms since epoch; 0 while it is not known. */
  lastTime(tenant: Measured): Promise<number>
  /** Somebody feeds the tenant's history, and has brought in events up to `timeMs`: nothing is made by itself for half a minute. */
  led(tenant: string, timeMs: number): void
  isLed(tenant: string): boolean
  endLead(tenant: string): void
  forget(tenant: string): void
}

const LED_MS = 30_000

export const createDueNow = ({ releases, models, paceOf, reader, clock }: DueNowOptions): DueNow => {
  const lastTimes = createLastTimes(reader, clock)
  const usableRows = createUsableRows(reader, clock)
  const leads = new Map<string, { readonly untilMs: number; readonly time: number }>()
  const ledTo = (tenant: string): number => leads.get(tenant)?.time ?? 0

  /**
   * Where the model in force is of the feature catalogue before: a model of this one, as soon as so much was scored with it as a first
   * model takes. Null: the usual schedule holds.
   */
  const afterUpgrade = async (tenant: Measured, force: boolean): Promise<Due | null> => {
    if (!models.isFormer(tenant.name) || heldBackOf(releases.list(tenant.name)) !== undefined) return null
    return (await usableRows.of(tenant, force)) >= paceOf(tenant.name).trainAfterEvents ? 'model' : 'none'
  }

  return {
    async of(tenant, force) {
      const upgraded = await afterUpgrade(tenant, force)
      if (upgraded !== null) return upgraded
      const made = releases.list(tenant.name)
      const time = made.length > 0 ? await lastTimes.of(tenant, force) : 0
      const lastTime = Math.max(time, ledTo(tenant.name))
      return due(made, paceOf(tenant.name), { events: tenant.events, lastTime: () => lastTime })
    },
    async atTheEnd(tenant) {
      return (await afterUpgrade(tenant, true)) ?? unlearned(releases.list(tenant.name), paceOf(tenant.name), tenant.events)
    },
    known: (tenant, events) => due(releases.list(tenant), paceOf(tenant), { events, lastTime: () => ledTo(tenant) }) !== 'none',
    lastTime: (tenant) => lastTimes.of(tenant, true),
    led: (tenant, timeMs) => void leads.set(tenant, { untilMs: clock() + LED_MS, time: Math.max(timeMs, ledTo(tenant)) }),
    isLed: (tenant) => clock() < (leads.get(tenant)?.untilMs ?? 0),
    endLead: (tenant) => void leads.delete(tenant),
    forget(tenant) {
      lastTimes.forget(tenant)
      usableRows.forget(tenant)
      leads.delete(tenant)
    },
  }
}
