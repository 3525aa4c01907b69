import { type Dataset, rowCount, selectRows, spreadOver } from './dataset.ts'

/** Rows that are looked at, and rows of them whose surroundings are looked at: spread evenly, and far from the middle. */
const SAMPLE = 6000
const EVEN = 150
const FAR = 250
/** The far ones are spread over this share of the sample, the farthest. */
const FARTHEST = 0.1
/** Values are cut to so many spreads from the middle, so that one absurd column is not all of the distance. */
const CAP = 8
/** Share cut off at either end before a column's spread is taken: what a small cluster puts there must not widen it. */
const CUT = 0.03

/** Some rows as seen from others: every distance that the checks of neighbours need, taken once. */
export interface Neighbourhood {
  /** Row numbers. */
  readonly sample: Int32Array
  /** Standardised sample, row by row. */
  readonly points: Float32Array
  /** Places in the sample: `even` ones stand for all rows, `far` ones lie far from the middle, where few rows are. */
  readonly even: Int32Array
  readonly far: Int32Array
  /** From a place to each of the sample: root mean square over the columns, in spreads; the row itself is at Infinity. Not to be written to. */
  distances(place: number): Float32Array
  /** The same from a row that is not among them. */
  distancesFrom(row: Float32Array): Float32Array
}

interface Scale {
  readonly middle: Float32Array
  readonly inverse: Float32Array
}

const scaleOf = (rows: Float32Array, width: number): Scale => {
  const n = rows.length / width
  const middle = new Float32Array(width)
  const inverse = new Float32Array(width)
  const column = new Float32Array(n)
  const momentsOf = (low: number, high: number): [number, number] => {
    let [sum, squares] = [0, 0]
    for (const v of column) sum += Math.min(high, Math.max(low, v))
    const mean = sum / n
    for (const v of column) squares += (Math.min(high, Math.max(low, v)) - mean) ** 2
    return [mean, Math.sqrt(squares / n)]
  }
  for (let c = 0; c < width; c++) {
    for (let r = 0; r < n; r++) column[r] = rows[r * width + c]!
    column.sort()
    const whole = momentsOf(column[0]!, column[n - 1]!)
    const kept = momentsOf(column[Math.floor(n * CUT)]!, column[Math.ceil(n * (1 - CUT)) - 1]!)
    // A flag set in fewer rows than are cut off keeps its full spread.
    const [mean, spread] = kept[1] > 0.05 * whole[1] ? kept : whole
    middle[c] = mean
    inverse[c] = spread > 0 ? 1 / spread : 0
  }
  return { middle, inverse }
}

const standardised = (rows: Float32Array, width: number, { middle, inverse }: Scale): Float32Array =>
  rows.map((v, i) => Math.max(-CAP, Math.min(CAP, (v - middle[i % width]!) * inverse[i % width]!)))

/** Places of the rows farthest from the middle, evenly thinned. */
const farOut = (points: Float32Array, width: number): Int32Array => {
  const n = points.length / width
  const away = Float32Array.from({ length: n }, (_, r) => points.subarray(r * width, (r + 1) * width).reduce((sum, z) => sum + z * z, 0))
  const farthest = Int32Array.from({ length: n }, (_, r) => r)
    .sort((a, b) => away[b]! - away[a]! || a - b)
    .subarray(0, Math.ceil(n * FARTHEST))
  return spreadOver(farthest.length, FAR).map((i) => farthest[i]!)
}

/** `rows` must be finite. */
export const neighbourhoodOf = (data: Dataset): Neighbourhood => {
  const width = data.names.length
  const sample = spreadOver(rowCount(data), SAMPLE)
  const raw = selectRows(data.rows, width, sample)
  const scale = scaleOf(raw, width)
  const points = standardised(raw, width, scale)
  const known = new Map<number, Float32Array>()
  const measure = (from: Float32Array): Float32Array => {
    const into = new Float32Array(sample.length)
    for (let r = 0; r < sample.length; r++) {
      let sum = 0
      for (let c = 0, other = r * width; c < width; c++) {
        const d = from[c]! - points[other + c]!
        sum += d * d
      }
      into[r] = Math.sqrt(sum / width)
    }
    return into
  }
  return {
    sample,
    points,
    even: spreadOver(sample.length, EVEN),
    far: farOut(points, width),
    distances(place) {
      const before = known.get(place)
      if (before !== undefined) return before
      const distances = measure(points.subarray(place * width, (place + 1) * width))
      distances[place] = Number.POSITIVE_INFINITY
      known.set(place, distances)
      return distances
    },
    distancesFrom: (row) => measure(standardised(row, width, scale)),
  }
}
