import { type Alert, type AlertView, SEVERITIES, type Severity, type Verdict } from '@plumbline/schemas'
import type { Store } from '../client.ts'

export interface AlertSelection {
  /** Null: every tenant. */
  readonly tenants: readonly string[] | null
  readonly identity?: string
  readonly minSeverity?: Severity
  /** Last seen at or after this, ms since epoch. */
  readonly since?: number
  readonly historic: boolean
  /** Absent: whatever became of it. */
  readonly delivery?: AlertView['delivery']
  /** Newest first, or worst first and newest first among equals. */
  readonly sort: 'time' | 'score'
}

export interface AlertPlace {
  readonly firstSeen: number
  readonly id: string
  readonly score: number
}

interface StoredAlert {
  readonly id: string
  readonly alert: string
  readonly delivery: AlertView['delivery']
}

/** Alerts are searched on narrow columns first; their JSON is read for the rows of the page only. */
const PAGE = (db: string, where: string, sort: AlertSelection['sort']) => `
SELECT id, alert, delivery FROM ${db}.alerts
WHERE (tenant, id, revision) IN (
  SELECT tenant, id, newest FROM (
    SELECT tenant, id, max(revision) AS newest, argMax(severity_rank, revision) AS rank, argMax(first_seen, revision) AS first,
           argMax(last_seen, revision) AS last, argMax(historic, revision) AS history,
           argMax(delivery, revision) AS decided, argMax(score, revision) AS top
    FROM ${db}.alerts${where === '' ? '' : ` WHERE ${where}`}
    GROUP BY tenant, id)
  WHERE rank >= {rank:UInt8} AND history = {historic:UInt8} AND last >= fromUnixTimestamp64Milli({since:Int64})
    AND ({delivery:String} = '' OR decided = {delivery:String})
    AND (${sort === 'score' ? 'top, ' : ''}first, id) < (${sort === 'score' ? 'toFloat32({afterScore:Float64}), ' : ''}fromUnixTimestamp64Milli({afterTime:Int64}), {afterId:String})
  ORDER BY ${sort === 'score' ? 'top DESC, ' : ''}first DESC, id DESC LIMIT {limit:UInt32})
ORDER BY ${sort === 'score' ? 'score DESC, ' : ''}first_seen DESC, id DESC LIMIT 1 BY tenant, id`

/** Later than any event the service accepts. */
const END_OF_TIME_MS = Date.UTC(2200, 0, 1)
const ABOVE_ALL_SCORES = 101

const parseAlert = (row: StoredAlert, verdicts: ReadonlyMap<string, Verdict>): AlertView => ({
  ...(JSON.parse(row.alert) as Alert),
  delivery: row.delivery,
  verdict: verdicts.get(row.id) ?? null,
})

async function verdictsOf(store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, Verdict>> {
  if (ids.length === 0) return new Map()
  const rows = await store.rows<{ alert_id: string; newest: Verdict }>(
    `SELECT alert_id, argMax(verdict, sequence) AS newest FROM ${store.database}.feedback WHERE alert_id IN {ids:Array(String)} GROUP BY alert_id`,
    { ids: [...ids] },
  )
  return new Map(rows.map((row) => [row.alert_id, row.newest]))
}

/** Alerts in their highest revision with the newest verdict. Errors: STORE_UNAVAILABLE (retryable). */
export function alertReader(store: Store) {
  const finish = async (rows: readonly StoredAlert[]): Promise<AlertView[]> => {
    const verdicts = await verdictsOf(
      store,
      rows.map((row) => row.id),
    )
    return rows.map((row) => parseAlert(row, verdicts))
  }
  return {
    /** In the order of the selection, strictly after `after`. */
    async page(selection: AlertSelection, after: AlertPlace | null, limit: number): Promise<readonly AlertView[]> {
      const where: string[] = []
      if (selection.tenants !== null) where.push('tenant IN {tenants:Array(String)}')
      if (selection.identity !== undefined) where.push('identity = {identity:String}')
      const rows = await store.rows<StoredAlert>(PAGE(store.database, where.join(' AND '), selection.sort), {
        ...(selection.tenants !== null && { tenants: [...selection.tenants] }),
        ...(selection.identity !== undefined && { identity: selection.identity }),
        rank: selection.minSeverity === undefined ? 0 : SEVERITIES.indexOf(selection.minSeverity),
        historic: selection.historic ? 1 : 0,
        since: selection.since ?? 0,
        delivery: selection.delivery ?? '',
        afterScore: after?.score ?? ABOVE_ALL_SCORES,
        afterTime: after?.firstSeen ?? END_OF_TIME_MS,
        afterId: after?.id ?? '',
        limit,
      })
      return finish(rows)
    },
    async find(id: string): Promise<AlertView | null> {
      const rows = await store.rows<StoredAlert>(
        `SELECT id, alert, delivery FROM ${store.database}.alerts WHERE id = {id:String} ORDER BY revision DESC LIMIT 1`,
        { id },
      )
      return (await finish(rows))[0] ?? null
    },
  }
}
