import type { Severity } from '@plumbline/schemas'

/** An alert group, by what people need to tell it from others. */
export interface BacktestGroup {
  readonly id: string
  readonly tenant: string
  readonly identity: string
  readonly family: string
  readonly severity: Severity
  readonly score: number
  /** ms since epoch. */
  readonly firstSeen: number
  readonly headline: string
  /** What an analyst said of it. */
  readonly verdict: string | null
}

/** One way of deciding: which groups were told, and how many the daily ceiling held back. */
export interface Told {
  readonly groups: ReadonlyMap<string, BacktestGroup>
  readonly held: number
}

export interface Comparison {
  readonly before: { readonly told: number; readonly held: number }
  readonly after: { readonly told: number; readonly held: number }
  /** Told as it was, and not with the settings; and the other way round. By time. */
  readonly gone: readonly BacktestGroup[]
  readonly more: readonly BacktestGroup[]
  /** Of those gone, how many an analyst had confirmed: what the settings would have cost. */
  readonly goneConfirmed: number
}

const without = (from: Told, other: Told): BacktestGroup[] =>
  [...from.groups.values()].filter(({ id }) => !other.groups.has(id)).sort((a, b) => a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1))

export const compareTold = (before: Told, after: Told): Comparison => {
  const gone = without(before, after)
  return {
    before: { told: before.groups.size, held: before.held },
    after: { told: after.groups.size, held: after.held },
    gone,
    more: without(after, before),
    goneConfirmed: gone.filter(({ verdict }) => verdict === 'confirmed').length,
  }
}
