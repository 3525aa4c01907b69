import { type Dataset, type Finding, percent, rowCount, spreadOver } from './dataset.ts'
import type { Neighbourhood } from './neighbours.ts'

/** So close, in spreads, two rows are the same but for noise. */
const CLOSE = 0.05
const WARN = { share: 0.5, largest: 0.2 } as const
/** Whether rows of so many columns are as close as that by chance alone: drawn evenly, the nearest lies at about n to the power of -1/columns. */
export const crowded = (rows: number, columns: number): boolean => rows ** (-1 / columns) < 2 * CLOSE

/** Rows left out of the training whose surroundings are looked at. */
const MOST_LEFT_OUT = 300

/** Rows that are nearly copies of others but for noise; estimated from some of them. */
export const checkNearDuplicates = (near: Neighbourhood): readonly Finding[] => {
  let [found, largest] = [0, 0]
  for (const place of near.even) {
    let close = 0
    for (const d of near.distances(place)) if (d > 0 && d <= CLOSE) close++
    if (close > 0) found++
    largest = Math.max(largest, close + (close > 0 ? 1 : 0))
  }
  if (found === 0) return []
  const share = found / near.even.length
  const most = largest / near.sample.length
  return [
    {
      check: 'near_duplicates',
      severity: share >= WARN.share || most >= WARN.largest ? 'warning' : 'note',
      words: `About ${percent(share)} of the rows are nearly copies of another (within ${CLOSE} spreads); the largest group of them has about ${percent(most)} of all rows.`,
      numbers: { share, largestShare: most },
    },
  ]
}

/**
 * Whether rows that alerted or were withheld teach after all. `withheld` marks such rows in the data itself; `leftOut` are those that
 * were taken out before, and rows nearer to one of them than rows usually are to each other were perhaps part of the same.
 */
export const checkLeakage = (data: Dataset, near: Neighbourhood | null, leftOut: Float32Array): readonly Finding[] => {
  const inside = data.withheld?.reduce((n, w) => n + w, 0) ?? 0
  const findings: Finding[] = []
  if (inside > 0)
    findings.push({
      check: 'leakage',
      severity: 'severe',
      words: `${inside} rows (${percent(inside / rowCount(data))}) alerted or were withheld from learning, and would teach that they are usual.`,
      numbers: { rows: inside, share: inside / rowCount(data) },
    })
  if (near === null || leftOut.length === 0) return findings
  const share = alikeShare(data.names.length, near, leftOut)
  if (share > 0)
    findings.push({
      check: 'leakage',
      severity: share >= 0.05 ? 'warning' : 'note',
      words: `About ${percent(share)} of the rows are as close to a row that alerted or was withheld as rows usually are to each other.`,
      numbers: { alike: share },
    })
  return findings
}

/** Share of the sample that lies nearer to a left-out row than half of the rows to their nearest neighbour. */
const alikeShare = (width: number, near: Neighbourhood, leftOut: Float32Array): number => {
  const nearest = Float32Array.from(near.even, (place) => near.distances(place).reduce((a, b) => Math.min(a, b)))
  const usual = nearest.sort()[nearest.length >> 1]!
  const alike = new Uint8Array(near.sample.length)
  for (const row of spreadOver(leftOut.length / width, MOST_LEFT_OUT)) {
    const distances = near.distancesFrom(leftOut.subarray(row * width, (row + 1) * width))
    for (let i = 0; i < distances.length; i++) if (distances[i]! <= usual) alike[i] = 1
  }
  return alike.reduce((sum, a) => sum + a, 0) / alike.length
}
