import { jointScore, netOf, readyRelease, sumSurprise, tailLog10, unpackRelease } from '@plumbline/detector'
import { FEATURE_COUNT } from '@plumbline/schemas'
import { BASES, deviate, FAMILIES, SIZES } from './deviations.ts'
import { declustered, inSessions } from './release-builder.ts'

/** Recorded rows that lie after everything a candidate was trained on, in the order of their event time. */
export interface HeldOut {
  readonly rows: Float32Array
  /** Per row how it alerted, see `alertedAs`, and the group an alert on it would join. */
  readonly alerted: Uint8Array
  readonly groups: Uint32Array
  /** Days that the rows cover. */
  readonly days: number
}

/** How a release does on rows that it never saw. */
export interface ShadowScore {
  /** Share of rows as improbable as one in a hundred and one in a thousand, over what that says: 1 is as calibrated. */
  readonly exceedance2: number
  readonly exceedance3: number
  /** Alert groups a day that would be raised for their score alone, before the ceiling of the budget. */
  readonly groupsPerDay: number
  /** Mean squared error of what the net makes of a row, in spreads of these rows. */
  readonly loss: number
  /** Share of synthetic deviations that rank above all but a few of the rows as they were; mean over several few. */
  readonly detection: number
  /** The same by reason family. */
  readonly byFamily: Readonly<Record<string, number>>
}

/**
 * Shares of rows that rank above the lines at which deviations count: the same for every release, so that none gains by being nervous;
 * several, because one line among few rows lies where chance put it.
 */
const BUDGETS = [0.005, 0.01, 0.02, 0.04] as const

interface Scorer {
  joint(row: Float32Array): number
  /** Of the row scored last: mean squared error in the given spreads. */
  loss(spreads: Float32Array): number
  readonly release: ReturnType<typeof readyRelease>
}

const scorerOf = (bytes: Uint8Array): Scorer => {
  const release = readyRelease(bytes)
  const net = release.autoencoder
  const parameters = netOf(unpackRelease(bytes))
  const contributions = new Float32Array(FEATURE_COUNT)
  return {
    release,
    joint(row) {
      const surprise = sumSurprise(row, release.typical, contributions)
      if (net === null) return surprise
      net.input.set(row)
      return jointScore(release.joint, surprise, net.run())
    },
    loss(spreads) {
      if (net === null || parameters === null) return 0
      let [sum, counted] = [0, 0]
      for (let f = 0; f < FEATURE_COUNT; f++) {
        const unit = parameters.residualScale[f]! * parameters.invStd[f]! * spreads[f]!
        if (!(unit > 0)) continue
        sum += net.errors[f]! / (unit * unit)
        counted++
      }
      return counted === 0 ? 0 : sum / counted
    },
  }
}

const spreadsOf = (rows: Float32Array): Float32Array => {
  const n = rows.length / FEATURE_COUNT
  return Float32Array.from({ length: FEATURE_COUNT }, (_, f) => {
    let [sum, squares] = [0, 0]
    for (let i = f; i < rows.length; i += FEATURE_COUNT) sum += rows[i]!
    for (let i = f; i < rows.length; i += FEATURE_COUNT) squares += (rows[i]! - sum / n) ** 2
    return Math.sqrt(squares / n)
  })
}

const shareAbove = (scores: Float32Array, table: Float32Array, tail: number): number =>
  scores.reduce((n, s) => n + (tailLog10(table, s) >= tail ? 1 : 0), 0) / scores.length

const rowAt = (rows: Float32Array, i: number): Float32Array => rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)

/** Share of deviations of each family that rank above the lines. */
const detectionOf = (scorer: Scorer, rows: Float32Array, quiet: Int32Array, lines: readonly number[]): Record<string, number> => {
  const row = new Float32Array(FEATURE_COUNT)
  const step = Math.max(1, Math.floor(quiet.length / BASES))
  return Object.fromEntries(
    FAMILIES.map(({ family, features }) => {
      let [found, all] = [0, 0]
      for (let k = 0; k < quiet.length; k += step) {
        for (const size of SIZES) {
          row.set(rowAt(rows, quiet[k]!))
          deviate(row, features, size)
          const score = scorer.joint(row)
          all += lines.length
          for (const line of lines) if (score > line) found++
        }
      }
      return [family, found / all]
    }),
  )
}

/** Scores the held-out rows with a release, by the very functions that score in a deployment. Same rows, same figures. */
export const shadowScore = (artifact: Uint8Array, held: HeldOut): ShadowScore => {
  const { rows, alerted, groups, days } = held
  const scorer = scorerOf(artifact)
  const { calibration, evidence, header } = scorer.release
  const spreads = spreadsOf(rows)
  const quiet = Int32Array.from(Array.from(alerted.keys()).filter((i) => alerted[i] === 0))
  let loss = 0
  const scores = Float32Array.from(alerted, (how, i) => {
    const joint = scorer.joint(rowAt(rows, i))
    if (how === 0) loss += scorer.loss(spreads)
    return joint
  })
  const once = declustered(scores, held)
  const sorted = Float32Array.from(quiet, (i) => scores[i]!).sort()
  const lines = BUDGETS.map((share) => sorted[Math.max(0, Math.ceil(sorted.length * (1 - share)) - 1)] ?? 0)
  const byFamily = detectionOf(scorer, rows, quiet, lines)
  const shares = Object.values(byFamily)
  const raised = new Set<number>()
  inSessions(scores, calibration, groups).forEach((s, i) => {
    if (tailLog10(evidence, s) >= header.thresholds.alertTailLog10) raised.add(groups[i]!)
  })
  return {
    exceedance2: shareAbove(once, calibration, 2) / 1e-2,
    exceedance3: shareAbove(once, calibration, 3) / 1e-3,
    groupsPerDay: raised.size / days,
    loss: loss / Math.max(1, quiet.length),
    detection: shares.reduce((a, b) => a + b, 0) / shares.length,
    byFamily,
  }
}
