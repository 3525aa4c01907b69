import { type Dataset, type Finding, listed, rowCount } from './dataset.ts'

/** Bins per column: what lies between the tenths of the rows that were learned from. */
const BINS = 10
const EDGES = BINS - 1
const PER_COLUMN = EDGES + BINS
/** Least share of a bin, so that an empty one does not make the index infinite. */
const LEAST = 1e-4
/** Population stability index: below, as before; above the second, another population. The customary thresholds of the trade. */
const MOVED = 0.1
const DRIFTED = 0.25
/** Fewer rows than this scatter more than the index can tell from drift. */
const LEAST_ROWS = 200

/**
 * How the values of each column were spread, in few numbers: per column the nine edges between its tenths, then the share of the rows
 * in each of the ten bins. Section `reference` of a release.
 */
export type Reference = Float32Array

export const referenceOf = (rows: Float32Array, width: number): Reference => {
  const n = rows.length / width
  const out = new Float32Array(width * PER_COLUMN)
  const column = new Float32Array(n)
  for (let c = 0; c < width; c++) {
    for (let r = 0; r < n; r++) column[r] = rows[r * width + c]!
    column.sort()
    for (let e = 0; e < EDGES; e++) out[c * PER_COLUMN + e] = n === 0 ? 0 : column[Math.floor((n * (e + 1)) / BINS)]!
    out.set(
      binned(column, out.subarray(c * PER_COLUMN, c * PER_COLUMN + EDGES)).map((count) => count / Math.max(1, n)),
      c * PER_COLUMN + EDGES,
    )
  }
  return out
}

/** How many of the values lie in each bin. Equal edges leave bins between them empty. */
const binned = (values: Float32Array, edges: Float32Array): Float32Array => {
  const counts = new Float32Array(BINS)
  for (const value of values) {
    let bin = 0
    while (bin < EDGES && value > edges[bin]!) bin++
    counts[bin]!++
  }
  return counts
}

export interface Drift {
  readonly column: string
  /** Population stability index. */
  readonly psi: number
}

/** How far each column went from the reference, the farthest first. */
export const driftOf = ({ names, rows }: Dataset, reference: Reference): readonly Drift[] => {
  const n = rows.length / names.length
  const column = new Float32Array(n)
  return names
    .map((name, c) => {
      for (let r = 0; r < n; r++) column[r] = rows[r * names.length + c]!
      const at = c * PER_COLUMN
      const now = binned(column, reference.subarray(at, at + EDGES))
      let psi = 0
      for (let b = 0; b < BINS; b++) {
        const before = Math.max(LEAST, reference[at + EDGES + b]!)
        const share = Math.max(LEAST, now[b]! / n)
        psi += (share - before) * Math.log(share / before)
      }
      return { column: name, psi }
    })
    .sort((a, b) => b.psi - a.psi)
}

export const fitsReference = (names: readonly string[], reference: Reference): boolean => reference.length === names.length * PER_COLUMN

/**
 * How far the columns went from what was learned from before. No severe kind: a company that grows drifts, and whether what was
 * learned of it is worse is asked of held-out rows.
 */
export const checkDrift = (data: Dataset, reference: Reference): readonly Finding[] => {
  if (rowCount(data) < LEAST_ROWS) return []
  const all = driftOf(data, reference)
  const drifted = all.filter(({ psi }) => psi >= DRIFTED)
  const moved = all.filter(({ psi }) => psi >= MOVED)
  if (moved.length === 0) return []
  const said = drifted.length > 0 ? drifted : moved
  const named = said.map(({ column, psi }) => `${column} ${psi.toFixed(2)}`)
  return [
    {
      check: 'drift',
      severity: drifted.length > 0 ? 'warning' : 'note',
      words:
        drifted.length > 0
          ? `${drifted.length} of ${all.length} columns are spread otherwise than before (stability index of at least ${DRIFTED}): ${listed(named)}.`
          : `${moved.length} of ${all.length} columns moved a little (stability index of at least ${MOVED}): ${listed(named)}.`,
      columns: said.map(({ column }) => column),
      numbers: { drifted: drifted.length, moved: moved.length, worst: all[0]!.psi },
    },
  ]
}
