import type { Store } from '@plumbline/adapters/clickhouse'
import { type HistoryAnswer, SCORED_FLAGS } from '@plumbline/schemas'

const TOP = 5
const MAX_IDENTITIES = 10_000

/** What a tenant's history made of it: what it would have alerted on, and how well each identity is known now. */
export const historyOf = async (store: Store, tenant: string): Promise<Omit<HistoryAnswer, 'models'>> => {
  const { database } = store
  const groups = `(SELECT id, max(score) AS worst, argMax(headline, revision) AS words, argMax(severity, revision) AS level,
      max(severity_rank) AS rank, min(first_seen) AS first
    FROM ${database}.alerts WHERE tenant = {tenant:String} AND historic = 1 GROUP BY id)`
  const [count] = await store.rows<{ n: number }>(`SELECT count() AS n FROM ${groups}`, { tenant })
  const top = await store.rows<HistoryAnswer['top'][number]>(
    `SELECT id, words AS headline, level AS severity, worst AS score, toUnixTimestamp64Milli(first) AS firstSeen
     FROM ${groups} ORDER BY rank DESC, worst DESC, first, id LIMIT ${TOP}`,
    { tenant },
  )
  const identities = await store.rows<HistoryAnswer['identities'][number]>(
    `SELECT identity, uniqCombined64Merge(15)(events) AS events, argMaxMerge(maturity) AS maturity
     FROM ${database}.identities WHERE tenant = {tenant:String} GROUP BY identity ORDER BY events DESC, identity LIMIT ${MAX_IDENTITIES}`,
    { tenant },
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
