import type { ReasonFamily } from '@plumbline/schemas'

/** Step between the amounts that are tried first, and how close the limit is then found. */
const STEP = 4
const CLOSE = 1.05
/** Up to here every amount is tried: of two acts or three the larger number may well be the quieter. */
const FEW = 32

export interface Limit {
  /** Least amount that alerts; null where not even the largest does. */
  readonly from: number | null
  readonly family: ReasonFamily | null
}

/**
 * The least amount from which on everything alerts. Larger is not always easier to see, so it goes down from the largest in
 * wide steps to the first that stays quiet, and only then halves (on a logarithmic scale) what lies between that and the
 * last that alerted; small numbers one by one. Amounts are whole numbers.
 */
export const leastAmount = (floor: number, ceiling: number, alertOf: (amount: number) => ReasonFamily | null): Limit => {
  let loud = ceiling
  let family = alertOf(ceiling)
  if (family === null) return { from: null, family }
  let quiet = floor - 1
  while (loud > floor) {
    const amount = Math.max(floor, Math.floor(loud / STEP))
    const found = alertOf(amount)
    if (found === null) {
      quiet = amount
      break
    }
    loud = amount
    family = found
  }
  while (loud - quiet > 1 && loud > quiet * CLOSE) {
    const amount = loud <= FEW ? loud - 1 : Math.max(quiet + 1, Math.min(loud - 1, Math.round(Math.sqrt(quiet * loud))))
    const found = alertOf(amount)
    if (found === null) quiet = amount
    else {
      loud = amount
      family = found
    }
  }
  return { from: loud, family }
}
