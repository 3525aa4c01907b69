import type { Store } from '@plumbline/adapters/clickhouse'
import { USABLE } from './history.ts'

/** A figure of each tenant as recorded; asked for at most once a minute, and only when events came. */
export interface Figures {
  /** 0 while it is not known. `force`: not of a minute ago. */
  of(tenant: { readonly name: string; readonly events: number }, force: boolean): Promise<number>
  forget(tenant: string): void
}

const LOOK_MS = 60_000

/** `store`: null while ClickHouse is away. `query`: gives one row with the figure as `n`, of the tenant in {tenant:String}. */
const createFigures = (store: () => Store | null, clock: () => number, query: (database: string) => string): Figures => {
  const known = new Map<string, { readonly atMs: number; readonly events: number; readonly n: number }>()
  return {
    async of({ name, events }, force) {
      const before = known.get(name)
      const fresh = before !== undefined && (before.events === events || (!force && clock() - before.atMs < LOOK_MS))
      const reader = store()
      if (fresh || reader === null) return before?.n ?? 0
      const [row] = await reader.rows<{ n: number }>(query(reader.database), { tenant: name })
      const n = Number(row?.n ?? 0)
      known.set(name, { atMs: clock(), events, n })
      return n
    },
    forget: (tenant) => void known.delete(tenant),
  }
}

/** Newest event time, ms since epoch. */
export const createLastTimes = (store: () => Store | null, clock: () => number): Figures =>
  createFigures(
    store,
    clock,
    (database) => `SELECT toUnixTimestamp64Milli(max(last_seen)) AS n FROM ${database}.identities WHERE tenant = {tenant:String}`,
  )

/** Rows that a model of the present feature catalogue can be trained on. */
export const createUsableRows = (store: () => Store | null, clock: () => number): Figures =>
  createFigures(store, clock, (database) => `SELECT count() AS n FROM ${database}.scored_events WHERE ${USABLE}`)
