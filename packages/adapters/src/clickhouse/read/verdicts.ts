import type { ReasonFamily, Verdict, VerdictSummary } from '@plumbline/schemas'
import type { Store } from '../client.ts'

export interface VerdictSelection {
  /** Null: every tenant. */
  readonly tenants: readonly string[] | null
  /** Alerts last seen at or after this, ms since epoch. */
  readonly since: number
}

type Counts = VerdictSummary['all']
interface Row {
  readonly family: ReasonFamily
  readonly alerts: number
  readonly confirmed: number
  readonly safe: number
  readonly dismissed: number
}

/** 97.5 % quantile of the normal distribution. */
const Z = 1.959964

/** 95 % score interval of a share (Wilson 1927): holds also for few and for extreme counts. */
export const wilson = (count: number, of: number): { readonly rate: number; readonly low: number; readonly high: number } | null => {
  if (of === 0) return null
  const rate = count / of
  const centre = rate + (Z * Z) / (2 * of)
  const half = Z * Math.sqrt((rate * (1 - rate)) / of + (Z * Z) / (4 * of * of))
  const scale = 1 + (Z * Z) / of
  return { rate, low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }
}

const countsOf = ({ alerts, confirmed, safe, dismissed }: Omit<Row, 'family'>): Counts => {
  const judged = confirmed + safe + dismissed
  return { alerts, judged, confirmed, safe, dismissed, falseDiscovery: wilson(safe + dismissed, judged) }
}

const COUNT = (verdict: Verdict): string => `toUInt32(countIf(verdict = '${verdict}')) AS ${verdict}`

/** Verdicts against the alerts they are of. Errors: STORE_UNAVAILABLE (retryable). */
export function verdictReader(store: Store) {
  return {
    /** How many of the delivered alerts were judged, and as what; the newest verdict counts. */
    async summary({ tenants, since }: VerdictSelection): Promise<VerdictSummary> {
      const db = store.database
      const mine = tenants === null ? '' : ' WHERE tenant IN {tenants:Array(String)}'
      const rows = await store.rows<Row>(
        `SELECT what AS family, toUInt32(count()) AS alerts, ${COUNT('confirmed')}, ${COUNT('safe')}, ${COUNT('dismissed')}
         FROM (
           SELECT tenant, id, argMax(family, revision) AS what, argMax(delivery, revision) AS decided, argMax(historic, revision) AS history,
                  max(last_seen) AS last
           FROM ${db}.alerts${mine} GROUP BY tenant, id) AS a
         LEFT JOIN (
           SELECT tenant, alert_id, argMax(verdict, sequence) AS verdict FROM ${db}.feedback${mine} GROUP BY tenant, alert_id) AS f
         ON f.tenant = a.tenant AND f.alert_id = a.id
         WHERE decided = 'delivered' AND history = 0 AND last >= fromUnixTimestamp64Milli({since:Int64})
         GROUP BY what ORDER BY alerts DESC, what`,
        { ...(tenants !== null && { tenants: [...tenants] }), since },
      )
      const sum = (of: Exclude<keyof Row, 'family'>): number => rows.reduce((n, row) => n + row[of], 0)
      return {
        since,
        all: countsOf({ alerts: sum('alerts'), confirmed: sum('confirmed'), safe: sum('safe'), dismissed: sum('dismissed') }),
        families: rows.map((row) => ({ family: row.family, ...countsOf(row) })),
      }
    },
  }
}
