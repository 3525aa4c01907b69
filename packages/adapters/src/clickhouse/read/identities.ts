import { IDENTITY_KINDS, type IdentityKind, type IdentitySummary, type IdentityView, SCORED_FLAGS } from '@plumbline/schemas'
import type { Store } from '../client.ts'

const HOUR_MS = 3_600_000
const TIMELINE_HOURS = 168
const TYPICAL_DAYS = 30
const TYPICAL_ROWS = 8

export interface Described {
  readonly owner?: string
  readonly peerGroup?: string
}

export interface IdentityReaderOptions {
  /** What the policy says of an identity. Default: what its newest alert said. */
  readonly describe?: (tenant: string, identity: string) => Described
}

interface SummaryRow {
  readonly tenant: string
  readonly identity: string
  readonly kind: number
  readonly first: number
  readonly last: number
  readonly events: number
  readonly maturity: number
  readonly max_score: number
  readonly alerts: number
}

const SUMMARY = (db: string, where: string) => `
SELECT i.tenant AS tenant, i.identity AS identity, kind, first, last, events, maturity, top_score AS max_score, alerts
FROM (
  SELECT tenant, identity, anyLast(identity_kind) AS kind, toUnixTimestamp64Milli(min(first_seen)) AS first,
         toUnixTimestamp64Milli(max(last_seen)) AS last, uniqCombined64Merge(15)(events) AS events,
         argMaxMerge(maturity) AS maturity, max(max_score) AS top_score
  FROM ${db}.identities WHERE ${where} GROUP BY tenant, identity ORDER BY last DESC, identity LIMIT {limit:UInt32}
) AS i LEFT JOIN (
  SELECT tenant, identity, uniqExact(id) AS alerts FROM ${db}.alerts WHERE historic = 0 GROUP BY tenant, identity
) AS a ON a.tenant = i.tenant AND a.identity = i.identity
ORDER BY last DESC, identity`

const kindOf = (row: SummaryRow): IdentityKind => IDENTITY_KINDS[row.kind] ?? 'agent'

interface HourRow {
  readonly hour: number
  readonly events: number
  readonly bytes_out: number
  readonly max_score: number
}

type Timeline = IdentityView['timeline']

/** Hours without events are rows too: a gap is something to see. */
function fillHours(rows: readonly HourRow[], alerts: ReadonlyMap<number, number>): Timeline {
  const first = rows[0]?.hour
  const last = rows.at(-1)?.hour
  if (first === undefined || last === undefined) return []
  const byHour = new Map(rows.map((row) => [row.hour, row]))
  const timeline: Timeline = []
  for (let time = first; time <= last; time += HOUR_MS) {
    const row = byHour.get(time)
    timeline.push({
      time,
      events: Number(row?.events ?? 0),
      bytesOut: Number(row?.bytes_out ?? 0),
      maxScore: row?.max_score ?? 0,
      alerts: alerts.get(time) ?? 0,
    })
  }
  return timeline
}

interface NewestAlert {
  readonly risk: number
  readonly owner: string
  readonly peer_group: string
}

const orNull = (text: string | undefined): string | null => (text === undefined || text === '' ? null : text)

/** What is known of identities. Errors: STORE_UNAVAILABLE (retryable). */
export function identityReader(store: Store, options: IdentityReaderOptions = {}) {
  const db = store.database

  const hours = async (of: { readonly tenant: string; readonly identity: string }, untilMs: number): Promise<Timeline> => {
    const from = { ...of, from: Math.floor(untilMs / HOUR_MS) * HOUR_MS - (TIMELINE_HOURS - 1) * HOUR_MS }
    const [rows, alerts] = await Promise.all([
      store.rows<HourRow>(
        `SELECT toUnixTimestamp(toStartOfHour(event_time)) * 1000 AS hour, count() AS events, sum(bytes_out) AS bytes_out, max(score) AS max_score
         FROM ${db}.scored_events FINAL
         WHERE tenant = {tenant:String} AND identity = {identity:String} AND event_time >= fromUnixTimestamp64Milli({from:Int64})
         GROUP BY hour ORDER BY hour`,
        from,
      ),
      store.rows<{ hour: number; alerts: number }>(
        `SELECT toUnixTimestamp(toStartOfHour(first_seen)) * 1000 AS hour, uniqExact(id) AS alerts FROM ${db}.alerts
         WHERE tenant = {tenant:String} AND identity = {identity:String} AND first_seen >= fromUnixTimestamp64Milli({from:Int64}) AND historic = 0
         GROUP BY hour`,
        from,
      ),
    ])
    return fillHours(rows, new Map(alerts.map((row) => [row.hour, Number(row.alerts)])))
  }

  /** What is usual: without events that were withheld from learning. */
  const typical = async (
    column: 'action' | 'resource_class' | 'destination',
    of: { tenant: string; identity: string },
    untilMs: number,
  ) => {
    const rows = await store.rows<{ name: string; count: number }>(
      `SELECT ${column} AS name, count() AS count FROM ${db}.scored_events FINAL
       WHERE tenant = {tenant:String} AND identity = {identity:String} AND event_time >= fromUnixTimestamp64Milli({from:Int64}) AND ${column} != ''
           AND bitAnd(flags, ${SCORED_FLAGS.withheld}) = 0
       GROUP BY name ORDER BY count DESC, name LIMIT ${TYPICAL_ROWS}`,
      { ...of, from: untilMs - TYPICAL_DAYS * 24 * HOUR_MS },
    )
    return rows.map((row) => ({ name: row.name, count: Number(row.count) }))
  }

  const newestAlert = async (of: { tenant: string; identity: string }): Promise<NewestAlert | undefined> => {
    const rows = await store.rows<NewestAlert>(
      `SELECT risk, JSONExtractString(alert, 'facts', 'identity', 'owner') AS owner, JSONExtractString(alert, 'facts', 'baseline', 'peerGroup') AS peer_group
       FROM ${db}.alerts WHERE tenant = {tenant:String} AND identity = {identity:String} ORDER BY last_seen DESC, revision DESC LIMIT 1`,
      of,
    )
    return rows[0]
  }

  return {
    /** By last activity, newest first; `tenants` null: of every tenant. */
    async list(tenants: readonly string[] | null, search: string | undefined, limit: number): Promise<readonly IdentitySummary[]> {
      const where = ['1']
      if (tenants !== null) where.push('tenant IN {tenants:Array(String)}')
      if (search !== undefined && search !== '') where.push('positionCaseInsensitiveUTF8(identity, {search:String}) > 0')
      const rows = await store.rows<SummaryRow>(SUMMARY(db, where.join(' AND ')), {
        limit,
        ...(tenants !== null && { tenants: [...tenants] }),
        ...(search !== undefined && search !== '' && { search }),
      })
      return rows.map((row) => ({
        tenant: row.tenant,
        identity: row.identity,
        kind: kindOf(row),
        lastSeen: row.last,
        events: Number(row.events),
        maturity: row.maturity,
        maxScore: row.max_score,
        alerts: Number(row.alerts),
      }))
    },
    /** With its last seven days by the hour, ending with its newest event; null when nothing of it is stored. */
    async find(tenant: string, identity: string): Promise<IdentityView | null> {
      const of = { tenant, identity }
      const [row] = await store.rows<SummaryRow>(SUMMARY(db, 'tenant = {tenant:String} AND identity = {identity:String}'), {
        ...of,
        limit: 1,
      })
      if (row === undefined) return null
      const [timeline, actions, classes, destinations, alert] = await Promise.all([
        hours(of, row.last),
        typical('action', of, row.last),
        typical('resource_class', of, row.last),
        typical('destination', of, row.last),
        newestAlert(of),
      ])
      const described = options.describe?.(tenant, identity)
      return {
        tenant,
        identity,
        kind: kindOf(row),
        owner: orNull(described?.owner ?? alert?.owner),
        firstSeen: row.first,
        lastSeen: row.last,
        events: Number(row.events),
        maturity: row.maturity,
        risk: alert?.risk ?? 0,
        peerGroup: orNull(described?.peerGroup ?? alert?.peer_group),
        actions,
        classes,
        destinations,
        timeline,
      }
    },
  }
}
