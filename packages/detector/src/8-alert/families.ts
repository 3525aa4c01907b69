import { FEATURE_COUNT, FEATURES, REASON_FAMILIES, type ReasonFamily } from '@plumbline/schemas'
import type { Work } from '../work.ts'

const FAMILY = Uint8Array.from(FEATURES, (f) => REASON_FAMILIES.indexOf(f.family))
const GENERIC: readonly ReasonFamily[] = ['new_behaviour', 'combination', 'policy']
const PREFERENCE = Float64Array.from(REASON_FAMILIES, (f) => (GENERIC.includes(f) ? 0.5 : 1))
const strongest = new Float64Array(REASON_FAMILIES.length)
const rest = new Float64Array(REASON_FAMILIES.length)
/** What a family's further features add beside its strongest: they mostly say the same thing again. */
const REST = 0.2
/** A family weaker than this is not a reason; the alert is then their combination. */
const LEAST = 0.4

/**
 * The family to name first: by its strongest feature, its further features adding a little; what is specific goes
 * before "did something new", which accompanies nearly every departure.
 */
export const leadingFamily = (w: Work): ReasonFamily => {
  weigh(w)
  let best = -1
  let most = LEAST
  for (let f = 0; f < strongest.length; f++) {
    const weight = weightOf(f)
    if (weight > most) {
      most = weight
      best = f
    }
  }
  return best < 0 ? 'combination' : REASON_FAMILIES[best]!
}

/** The families that would be named, heaviest first, at most `most`: once the first is known as safe the next would lead. */
export const speakingFamilies = (w: Work, most: number): readonly ReasonFamily[] => {
  weigh(w)
  return REASON_FAMILIES.map((family, f) => ({ family, weight: weightOf(f) }))
    .filter(({ weight }) => weight > LEAST)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most)
    .map(({ family }) => family)
}

const weightOf = (f: number): number => PREFERENCE[f]! * (strongest[f]! + REST * (rest[f]! - strongest[f]!))

const weigh = (w: Work): void => {
  strongest.fill(0)
  rest.fill(0)
  for (let i = 0; i < FEATURE_COUNT; i++) {
    const c = w.contributions[i]!
    const f = FAMILY[i]!
    rest[f]! += c
    if (c > strongest[f]!) strongest[f] = c
  }
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
