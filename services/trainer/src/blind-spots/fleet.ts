import type { Metrics } from '@plumbline/runtime'
import { BLIND_SPOT_KINDS } from '@plumbline/schemas'
import type { Measured } from './ledger.ts'

const QUANTILES = [0.5, 0.9] as const

/** Shows what was found of all identities: how many would alert on each kind, how many are blind to it, and from how much on. */
export const showFleet = (
  metrics: Pick<Metrics, 'plumbline_blind_spot_identities' | 'plumbline_blind_spot_limit'>,
  all: readonly { readonly measured: Measured }[],
): void => {
  for (const kind of BLIND_SPOT_KINDS) {
    const spots = all.flatMap(({ measured }) => measured.spots.filter((spot) => spot.kind === kind))
    const limits = spots.flatMap(({ alertsFrom }) => alertsFrom ?? []).sort((a, b) => a - b)
    const skipped = spots.filter((spot) => spot.skipped !== null).length
    const count = (state: string, n: number): void => metrics.plumbline_blind_spot_identities.set({ kind, state }, n)
    count('alerts', limits.length)
    count('blind', spots.length - limits.length - skipped)
    count('not_tried', skipped)
    for (const quantile of QUANTILES) {
      const limit = limits[Math.ceil(quantile * limits.length) - 1]
      if (limit === undefined) metrics.plumbline_blind_spot_limit.remove({ kind, quantile: String(quantile) })
      else metrics.plumbline_blind_spot_limit.set({ kind, quantile: String(quantile) }, limit)
    }
  }
}
