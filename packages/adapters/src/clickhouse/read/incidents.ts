import { type Incident, SEVERITIES, type Severity } from '@plumbline/schemas'
import type { Store } from '../client.ts'

export interface IncidentSelection {
  /** Null: every tenant. */
  readonly tenants: readonly string[] | null
  readonly kind?: Incident['kind']
  readonly minSeverity?: Severity
  /** Last seen before this, ms since epoch. */
  readonly before?: number
  /** Refers to this alert. */
  readonly alert?: string
}

const NEVER_MS = Date.UTC(2200, 0, 1)

/** Incidents in their highest revision, as stored. Errors: STORE_UNAVAILABLE (retryable). */
export function incidentReader(store: Store) {
  return {
    /** Newest by their last event first. */
    async newest(selection: IncidentSelection, limit: number): Promise<readonly Incident[]> {
      const { tenants, kind = '', minSeverity, before = NEVER_MS, alert = '' } = selection
      const rows = await store.rows<{ newest: string }>(
        `SELECT argMax(incident, revision) AS newest, argMax(last_seen, revision) AS last, argMax(severity_rank, revision) AS rank,
                argMax(alerts, revision) AS named, any(kind) AS what
         FROM ${store.database}.incidents${tenants === null ? '' : ' WHERE tenant IN {tenants:Array(String)}'}
         GROUP BY tenant, id
         HAVING rank >= {rank:UInt8} AND last < fromUnixTimestamp64Milli({before:Int64}) AND ({kind:String} = '' OR what = {kind:String})
           AND ({alert:String} = '' OR has(named, {alert:String}))
         ORDER BY last DESC, id DESC LIMIT {limit:UInt32}`,
        {
          ...(tenants !== null && { tenants: [...tenants] }),
          rank: minSeverity === undefined ? 0 : SEVERITIES.indexOf(minSeverity),
          before,
          kind,
          alert,
          limit,
        },
      )
      return rows.map(({ newest }) => JSON.parse(newest) as Incident)
    },
  }
}
