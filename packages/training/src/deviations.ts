import { FEATURES, REASON_FAMILIES } from '@plumbline/schemas'

/** Rows that deviations are put on, spread evenly over those that did not alert. */
export const BASES = 150
/** Nats that a deviation adds to each surprise of its family. */
export const SIZES = [2, 4, 8] as const

/** Kinds of deviation: the surprises that speak for each family of reasons. */
export const FAMILIES = REASON_FAMILIES.map((family) => ({
  family,
  features: FEATURES.flatMap((f, i) => (f.family === family && f.surprise ? [i] : [])),
})).filter(({ features }) => features.length > 0)

/** Makes a row stand out by so much in these features, within their range. */
export const deviate = (row: Float32Array, features: readonly number[], nats: number): void => {
  for (const f of features) row[f] = Math.min(FEATURES[f]!.range[1], row[f]! + nats)
}
