import type { Store } from '@plumbline/adapters/clickhouse'
import { type HistoryAnswer, SCORED_FLAGS } from '@plumbline/schemas'
import type { Span } from './feeds.ts'

const TOP = 5
const MAX_IDENTITIES = 10_000

/** History that lies within a span of positions, whatever else the tenant has. */
const WITHIN = `tenant = {tenant:String} AND offset >= arrayElement({from:Array(UInt64)}, shard + 1) AND offset < arrayElement({to:Array(UInt64)}, shard + 1)`

/** What the history of a span made of a tenant: what it would have alerted on, and how well each of its identities is known at its end. */
export const historyOf = async (store: Store, tenant: string, { from, to }: Span): Promise<Omit<HistoryAnswer, 'models'>> => {
  const { database } = store
  const parameters = { tenant, from: [...from], to: [...to] }
  const groups = `(SELECT id, max(score) AS worst, argMax(headline, revision) AS words, argMax(severity, revision) AS level,
      max(severity_rank) AS rank, min(first_seen) AS first
    FROM ${database}.alerts WHERE ${WITHIN} AND historic = 1 GROUP BY id)`
  const [count] = await store.rows<{ n: number }>(`SELECT count() AS n FROM ${groups}`, parameters)
  const top = await store.rows<HistoryAnswer['top'][number]>(
    `SELECT id, words AS headline, level AS severity, worst AS score, toUnixTimestamp64Milli(first) AS firstSeen
     FROM ${groups} ORDER BY rank DESC, worst DESC, first, id LIMIT ${TOP}`,
    parameters,
  )
  const identities = await store.rows<HistoryAnswer['identities'][number]>(
    `SELECT identity, uniqExact(offset) AS events, argMax(maturity, offset) AS maturity
     FROM ${database}.scored_events WHERE ${WITHIN} AND bitAnd(flags, ${SCORED_FLAGS.historic}) != 0
     GROUP BY identity ORDER BY events DESC, identity LIMIT ${MAX_IDENTITIES}`,
    parameters,
  )
  return {
    alerts: Number(count?.n ?? 0),
    top: [...top],
    identities: identities.map((row) => ({ ...row, events: Number(row.events) })),
  }
}

/** Events of a tenant that came in by themselves. */
export const liveEventsOf = async (store: Store, tenant: string): Promise<number> => {
  const [row] = await store.rows<{ n: number }>(
    `SELECT count() AS n FROM ${store.database}.scored_events WHERE tenant = {tenant:String} AND bitAnd(flags, ${SCORED_FLAGS.historic}) = 0`,
    { tenant },
  )
  return Number(row?.n ?? 0)
}
