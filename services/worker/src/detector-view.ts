import { type Detector, log10, scoreOf, type TenantState } from '@plumbline/detector'
import type { Metrics } from '@plumbline/runtime'
import type { DetectionConfig } from '@plumbline/schemas'

export interface ReleaseInForce {
  readonly id: string
  readonly trained: boolean
  /** Score from which an event alerts without a rule. */
  readonly alertsFrom: number
}

/** What a detector counted since its process started. */
export interface DetectorTotals {
  readonly late: number
  readonly duplicates: number
  readonly sessionsOverflow: number
  /** What could have alerted and did not, by reason. */
  readonly quiet: Readonly<Record<string, number>>
  /** Invariants found broken, by id. */
  readonly broken: Readonly<Record<string, number>>
  readonly resident: number
  readonly evictions: number
}

export const releaseInForce = (tenant: TenantState, { tailFloor }: Pick<DetectionConfig, 'tailFloor'>): ReleaseInForce => {
  const floor = -log10(tailFloor)
  const tail = Math.max(floor, tenant.release?.header.thresholds.alertTailLog10 ?? floor)
  return { id: tenant.releaseId, trained: (tenant.release?.autoencoder ?? null) !== null, alertsFrom: scoreOf(tail, 0) }
}

export const totalsOf = ({ counters, slots }: Detector): DetectorTotals => {
  const { late, duplicates, sessionsOverflow, quiet, broken } = counters
  return { late, duplicates, sessionsOverflow, quiet, broken, resident: slots.resident, evictions: slots.evictions }
}

export type DetectorMetrics = Pick<
  Metrics,
  | 'plumbline_events_late_total'
  | 'plumbline_events_duplicate_total'
  | 'plumbline_sessions_overflow_total'
  | 'plumbline_alerts_suppressed_total'
  | 'plumbline_invariant_violations_total'
  | 'plumbline_identities_resident'
  | 'plumbline_identities_evicted_total'
>

/** Carries the detector's totals over into the metrics of its process, by what they have grown. */
export const createDetectorCounts = (metrics: DetectorMetrics): ((totals: DetectorTotals) => void) => {
  const seen = new Map<string, number>()
  const grown = (name: string, total: number): number => {
    const by = Math.max(0, total - (seen.get(name) ?? 0))
    seen.set(name, total)
    return by
  }
  return ({ late, duplicates, sessionsOverflow, quiet, broken, resident, evictions }) => {
    metrics.plumbline_events_late_total.inc(grown('late', late))
    metrics.plumbline_events_duplicate_total.inc(grown('duplicates', duplicates))
    metrics.plumbline_sessions_overflow_total.inc(grown('sessionsOverflow', sessionsOverflow))
    for (const [reason, total] of Object.entries(quiet))
      metrics.plumbline_alerts_suppressed_total.inc({ reason }, grown(`quiet:${reason}`, total))
    for (const [invariant, total] of Object.entries(broken))
      metrics.plumbline_invariant_violations_total.inc({ invariant }, grown(`broken:${invariant}`, total))
    metrics.plumbline_identities_resident.set(resident)
    metrics.plumbline_identities_evicted_total.inc(grown('evictions', evictions))
  }
}
