import { PlumblineError } from '@plumbline/schemas'

/**
 * Section `calibration` of a release: how improbable a joint score is, as recorded history shows it.
 * Layout (float32): version 1, number of knots n ≥ 2, then n scores rising strictly, then n values of −log10 p not falling.
 * Made by packages/training/src/calibrate.ts.
 */
export type CalibrationTable = Float32Array

export const CALIBRATION_VERSION = 1
/** No score counts as less probable than 10^−12: the history cannot vouch for more. */
export const MAX_TAIL_LOG10 = 12
const HEAD = 2

/** Refuses a table that `tailLog10` could not read in order. Throws `CALIBRATION_INVALID`. */
export const checkCalibration = (table: CalibrationTable): void => {
  const fail = (message: string): never => {
    throw new PlumblineError('CALIBRATION_INVALID', message)
  }
  const count = table[1] ?? 0
  if (table[0] !== CALIBRATION_VERSION) fail('The calibration table is of an unknown version.')
  if (!Number.isInteger(count) || count < 2 || table.length !== HEAD + 2 * count) fail('The calibration table has the wrong length.')
  if (!table.every(Number.isFinite)) fail('The calibration table holds a value that is not finite.')
  for (let i = 1; i < count; i++) {
    if (!(table[HEAD + i]! > table[HEAD + i - 1]!)) fail('The scores of the calibration table do not rise.')
    if (!(table[HEAD + count + i]! >= table[HEAD + count + i - 1]!)) fail('The tails of the calibration table fall.')
  }
  if (table[HEAD + count]! < 0 || table.at(-1)! > MAX_TAIL_LOG10) fail('The tails of the calibration table lie outside their range.')
}

/**
 * −log10 of the probability of a score at least this high: 0 (usual) to MAX_TAIL_LOG10.
 * Between knots straight lines; above the last the line of the last two goes on, below the first it is the first's value.
 * Never falls as `score` rises. NaN counts as usual.
 */
export const tailLog10 = (table: CalibrationTable, score: number): number => {
  const count = table[1]!
  const first = table[HEAD + count]!
  if (!(score > table[HEAD]!)) return first
  let low = 0
  let high = count - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (table[HEAD + middle]! < score) low = middle
    else high = middle
  }
  const s0 = table[HEAD + low]!
  const t0 = table[HEAD + count + low]!
  const slope = (table[HEAD + count + high]! - t0) / (table[HEAD + high]! - s0)
  const tail = t0 + slope * (score - s0)
  // The comparison also settles 0 × ∞, of a flat last piece and an infinite score.
  return tail < MAX_TAIL_LOG10 ? tail : tail >= MAX_TAIL_LOG10 ? MAX_TAIL_LOG10 : t0
}
