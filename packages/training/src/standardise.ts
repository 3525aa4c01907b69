/** Centre and spread of each feature of `rows`. `constant[i]` is 1 where the feature never changes. */
export interface Standard {
  readonly mean: Float32Array
  readonly invStd: Float32Array
  readonly constant: Uint8Array
}

/** Share of values cut to the nearest kept one at either end before centre and spread are taken. */
const WINSOR = 0.005
/** A value that never changed counts as this many spreads off once it differs by its own size (or by 1, around 0). */
const CONSTANT_SPREAD = 1

/** Rows looked at for quantiles at most. */
const MAX_SAMPLE = 50_000

const extremes = (rows: Float32Array, width: number, feature: number): [number, number] => {
  let low = Infinity
  let high = -Infinity
  for (let i = feature; i < rows.length; i += width) {
    if (rows[i]! < low) low = rows[i]!
    if (rows[i]! > high) high = rows[i]!
  }
  return [low, high]
}

const quantile = (sorted: Float64Array, q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!

/**
 * Winsorised mean and standard deviation: a handful of absurd values in the history cannot widen the spread so far that
 * nothing looks odd afterwards. Median and MAD would be sturdier still, but call every feature that is mostly zero constant.
 */
export const standardise = (rows: Float32Array, width: number): Standard => {
  const n = rows.length / width
  const mean = new Float32Array(width)
  const invStd = new Float32Array(width)
  const constant = new Uint8Array(width)
  // Evenly spread rows are enough for centre and spread; whether a feature ever changed is asked of all of them.
  const stride = Math.ceil(n / MAX_SAMPLE)
  const column = new Float64Array(Math.ceil(n / stride))
  for (let f = 0; f < width; f++) {
    for (let i = 0; i < column.length; i++) column[i] = rows[i * stride * width + f]!
    column.sort()
    const [first, last] = extremes(rows, width, f)
    if (first === last) {
      constant[f] = 1
      mean[f] = first
      invStd[f] = 1 / (CONSTANT_SPREAD * Math.max(1, Math.abs(first)))
      continue
    }
    let [centre, spread] = moments(column, quantile(column, WINSOR), quantile(column, 1 - WINSOR))
    // A flag set in fewer rows than the cut is not constant: take all of it, of all rows.
    if (!(spread > 0)) {
      const whole = Float64Array.from({ length: n }, (_, r) => rows[r * width + f]!)
      ;[centre, spread] = moments(whole, first, last)
    }
    mean[f] = centre
    invStd[f] = 1 / Math.max(spread, 1e-6 * Math.max(Math.abs(centre), 1e-6))
  }
  return { mean, invStd, constant }
}

const moments = (values: Float64Array, low: number, high: number): [number, number] => {
  let sum = 0
  for (const v of values) sum += Math.min(high, Math.max(low, v))
  const centre = sum / values.length
  let squares = 0
  for (const v of values) squares += (Math.min(high, Math.max(low, v)) - centre) ** 2
  return [centre, Math.sqrt(squares / values.length)]
}
