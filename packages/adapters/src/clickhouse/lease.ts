import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import type { Store } from './client.ts'

/** Without a sign of life for so long, by ClickHouse's own clock, a lease is somebody else's to take. */
const LEASE_MS = 30_000
const ALIVE_MS = 10_000
const LOOK_MS = 200
const WAIT_MS = 120_000

const TABLE = 'migration_leases'

/** Made by whoever comes first; making it twice does nothing. */
export const LEASES = (database: string): string =>
  `CREATE TABLE IF NOT EXISTS ${database}.${TABLE} (generation UInt64, owner String, event LowCardinality(String), at DateTime64(3, 'UTC') DEFAULT now64(3)) ` +
  'ENGINE = MergeTree ORDER BY (generation, at) SETTINGS non_replicated_deduplication_window = 10000'

interface Latest {
  readonly generation: number
  readonly owner: string
  readonly done: number
  readonly silentMs: number
}

const latest = async (store: Store): Promise<Latest | undefined> => {
  const [found] = await store.rows<Latest>(
    `SELECT generation, anyIf(owner, event = 'take') AS owner, countIf(event = 'done') AS done,
       dateDiff('millisecond', max(at), now64(3)) AS silentMs
     FROM ${store.database}.${TABLE}
     WHERE generation = (SELECT max(generation) FROM ${store.database}.${TABLE}) GROUP BY generation`,
  )
  return found
}

const note = (store: Store, generation: number, owner: string, event: string, token: string): Promise<void> =>
  store.insert({
    table: TABLE,
    columns: ['generation', 'owner', 'event'],
    format: 'JSONEachRow',
    bytes: Buffer.from(`${JSON.stringify({ generation, owner, event })}\n`),
    token: `migration-lease:${generation}:${token}`,
  })

/** The lease of the next generation, when it is free and nobody else was first: of inserts with one token ClickHouse keeps one. */
const tryTake = async (store: Store, owner: string): Promise<number | undefined> => {
  const known = await latest(store)
  if (known !== undefined && Number(known.done) === 0 && Number(known.silentMs) < LEASE_MS) return undefined
  const generation = Number(known?.generation ?? 0) + 1
  await note(store, generation, owner, 'take', 'take')
  const now = await latest(store)
  return now?.owner === owner && Number(now.generation) === generation ? generation : undefined
}

/**
 * Runs the work of one starter at a time, although ClickHouse has no locks: a lease is a numbered row whose insert is
 * deduplicated by a token, so that one of several gets it. A holder that died is waited out; one that only slept may then work
 * beside the next, which is why all work under a lease can be done twice. Error: MIGRATION_WAITED.
 */
export const withLease = async <T>(store: Store, work: () => Promise<T>): Promise<T> => {
  const owner = randomUUID()
  let generation: number | undefined
  for (const until = performance.now() + WAIT_MS; generation === undefined; ) {
    generation = await tryTake(store, owner)
    if (generation !== undefined) break
    if (performance.now() > until)
      throw new PlumblineError('MIGRATION_WAITED', `Another process has been migrating ${store.database} for ${WAIT_MS / 1000} s.`, {
        retryable: true,
      })
    await sleep(LOOK_MS * (0.5 + Math.random()))
  }
  const held = generation
  const alive = setInterval(() => void note(store, held, owner, 'alive', randomUUID()).catch(() => {}), ALIVE_MS)
  try {
    return await work()
  } finally {
    clearInterval(alive)
    await note(store, held, owner, 'done', 'done').catch(() => {})
  }
}
