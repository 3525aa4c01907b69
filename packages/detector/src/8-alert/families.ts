import { FEATURE_COUNT, FEATURES, REASON_FAMILIES, type ReasonFamily } from '@plumbline/schemas'
import type { Work } from '../work.ts'

const FAMILY = Uint8Array.from(FEATURES, (f) => REASON_FAMILIES.indexOf(f.family))
const weights = new Float64Array(REASON_FAMILIES.length)
/** A family must carry at least this share of the score to be named as the reason; else it is their combination. */
const LEADING_SHARE = 0.2

/** The family that contributes most, by the sum over its features. */
export const leadingFamily = (w: Work): ReasonFamily => {
  weights.fill(0)
  let total = 0
  for (let i = 0; i < FEATURE_COUNT; i++) {
    const c = w.contributions[i]!
    weights[FAMILY[i]!]! += c
    total += c
  }
  let best = 0
  for (let i = 1; i < weights.length; i++) if (weights[i]! > weights[best]!) best = i
  return weights[best]! >= LEADING_SHARE * total ? REASON_FAMILIES[best]! : 'combination'
}

export interface Contribution {
  readonly feature: number
  readonly weight: number
}

/** The heaviest features with their shares of all contributions, heaviest first; the leading family's first. */
export const topContributions = (w: Work, most: number, first: ReasonFamily | null): readonly Contribution[] => {
  let total = 0
  const rows: Contribution[] = []
  for (let i = 0; i < FEATURE_COUNT; i++) {
    const weight = w.contributions[i]!
    total += weight
    if (weight > 0) rows.push({ feature: i, weight })
  }
  rows.sort((a, b) => b.weight - a.weight || a.feature - b.feature)
  const shares = rows.map((r) => ({ feature: r.feature, weight: r.weight / total }))
  if (first === null) return shares.slice(0, most)
  const leading = shares.filter((r) => FEATURES[r.feature]!.family === first)
  return [...leading, ...shares.filter((r) => FEATURES[r.feature]!.family !== first)].slice(0, most)
}
