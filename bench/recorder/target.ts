import { cpuOf } from '../kafka/child.ts'
import { type Engine, type Store, connect, migrate, startEngine } from '@plumbline/adapters/clickhouse'

export interface Run {
  readonly rows: number
  readonly seconds: number
  /** Of this process alone, not of the engine or the broker. */
  readonly cpuSeconds: number
  /** Of the engine, its merges meanwhile included. */
  readonly engineSeconds: number
}

/** The engine, with a new database for each run: nothing of a former one is merged or deduplicated meanwhile. */
export interface Target {
  readonly engine: Engine
  database<T>(work: (store: Store) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export const openTarget = async (dir: string): Promise<Target> => {
  const engine = await startEngine({ dir })
  let made = 0
  return {
    engine,
    async database(work) {
      const store = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner, database: `bench_${++made}` })
      try {
        await migrate(store)
        const done = await work(store)
        await store.command(`DROP DATABASE ${store.database} SYNC`)
        return done
      } finally {
        await store.close()
      }
    },
    close: () => engine.stop(),
  }
}

/** Time and own processor time of some work. */
export const timed = async (rows: number, pid: number, work: () => Promise<void>): Promise<Run> => {
  const engineBefore = cpuOf(pid)
  const before = process.cpuUsage()
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before)
  return { rows, seconds, cpuSeconds: (user + system) / 1e6, engineSeconds: cpuOf(pid) - engineBefore }
}

/** Bytes on disk of a stored row, all columns and indexes, compressed. */
export const rowBytes = async (store: Store): Promise<number> => {
  const [found] = await store.rows<{ bytes: number }>(
    `SELECT sum(bytes_on_disk) / sum(rows) AS bytes FROM system.parts WHERE database = '${store.database}' AND table = 'scored_events' AND active`,
  )
  return Number(found?.bytes ?? Number.NaN)
}

/** Every row is there, once. */
export const checkRows = async (store: Store, rows: number): Promise<void> => {
  const [found] = await store.rows<{ n: number }>(`SELECT count() AS n FROM ${store.database}.scored_events`)
  if (Number(found?.n) !== rows) throw new Error(`${rows} rows were written, ${found?.n} are there`)
}
