import type { Store } from '@plumbline/adapters/clickhouse'

/** Newest event time of each tenant as recorded; asked for at most once a minute, and only when events came. */
export interface LastTimes {
  /** ms since epoch; 0 while it is not known. `force`: not of a minute ago. */
  of(tenant: { readonly name: string; readonly events: number }, force: boolean): Promise<number>
  forget(tenant: string): void
}

const LOOK_MS = 60_000

/** `store`: null while ClickHouse is away. */
export const createLastTimes = (store: () => Store | null, clock: () => number): LastTimes => {
  const known = new Map<string, { readonly atMs: number; readonly events: number; readonly time: number }>()
  return {
    async of({ name, events }, force) {
      const before = known.get(name)
      const fresh = before !== undefined && (before.events === events || (!force && clock() - before.atMs < LOOK_MS))
      const reader = store()
      if (fresh || reader === null) return before?.time ?? 0
      const [row] = await reader.rows<{ time: number }>(
        `SELECT toUnixTimestamp64Milli(max(last_seen)) AS time FROM ${reader.database}.identities WHERE tenant = {tenant:String}`,
        { tenant: name },
      )
      const time = row?.time ?? 0
      known.set(name, { atMs: clock(), events, time })
      return time
    },
    forget: (tenant) => void known.delete(tenant),
  }
}
