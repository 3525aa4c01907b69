import { checkClusters } from './cluster.ts'
import { checkConstant, checkNumbers } from './columns.ts'
import { CHECKS, type Dataset, type Finding, rowCount, type Severity } from './dataset.ts'
import { checkDrift, fitsReference, type Reference } from './drift.ts'
import { checkDuplicates } from './duplicates.ts'
import { checkIdentities } from './identities.ts'
import { checkLeakage, checkNearDuplicates, crowded } from './near.ts'
import { neighbourhoodOf } from './neighbours.ts'

/** What these checks cannot find, to be said beside every answer of theirs. */
export const BLIND_SPOTS =
  'These checks look at numbers. They cannot find: poison that keeps within what is usual, or comes from many identities over a long time; labels or values that are wrong but likely; what is missing as a whole; whether the senders told the truth.'

export interface CheckOptions {
  /** How the columns were spread in what was learned from before. Ignored where the columns are others. */
  readonly before?: Reference | undefined
  /** Rows that were taken out because they alerted or were withheld, row by row. */
  readonly leftOut?: Float32Array
  /** Newest time that the model in use was trained on, ms since epoch. */
  readonly knownUntil?: number | undefined
}

export interface DatasetReport {
  readonly verdict: 'passed' | 'warned' | 'failed'
  readonly rows: number
  readonly columns: number
  /** The worst first. */
  readonly findings: readonly Finding[]
  /** Checks that could not be made, and why. */
  readonly skipped: readonly string[]
  readonly blindSpots: string
}

const ORDER: Readonly<Record<Severity, number>> = { severe: 0, warning: 1, note: 2 }
/** Neighbours of fewer rows tell nothing. */
const LEAST_NEIGHBOURS = 100

/** All checks of a table that something is to be learned from. Same table, same report. */
export const checkDataset = (
  data: Dataset,
  { before, leftOut = new Float32Array(0), knownUntil = Number.NEGATIVE_INFINITY }: CheckOptions = {},
): DatasetReport => {
  const numbers = checkNumbers(data)
  const skipped: string[] = []
  const neighbours = numbers.length === 0 && rowCount(data) >= LEAST_NEIGHBOURS ? neighbourhoodOf(data) : null
  if (neighbours === null) {
    const why = numbers.length === 0 ? `fewer than ${LEAST_NEIGHBOURS} rows` : 'values that are not finite'
    skipped.push(`near duplicates, clusters: ${why}`)
  }
  const close = neighbours !== null && crowded(neighbours.sample.length, data.names.length)
  if (close) skipped.push('near duplicates: with so few columns rows are alike by chance')
  if (data.identities === undefined) skipped.push('identities: no column says whose a row is')
  if (data.times === undefined) skipped.push('when clusters came: no column says when a row was')
  if (data.withheld === undefined && leftOut.length === 0) skipped.push('leakage: no column says what alerted')
  const drifts = before !== undefined && fitsReference(data.names, before)
  if (!drifts) skipped.push(before === undefined ? 'drift: nothing to compare with' : 'drift: the columns are others')
  const findings = [
    ...numbers,
    ...checkConstant(data),
    ...checkDuplicates(data),
    ...(neighbours === null || close ? [] : checkNearDuplicates(neighbours)),
    ...(drifts ? checkDrift(data, before) : []),
    ...checkLeakage(data, neighbours, leftOut),
    ...(neighbours === null ? [] : checkClusters(data, neighbours, knownUntil)),
    ...checkIdentities(data),
  ].sort((a, b) => ORDER[a.severity] - ORDER[b.severity] || CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check))
  const worst = findings[0]?.severity ?? 'note'
  return {
    verdict: worst === 'severe' ? 'failed' : worst === 'warning' ? 'warned' : 'passed',
    rows: rowCount(data),
    columns: data.names.length,
    findings,
    skipped,
    blindSpots: BLIND_SPOTS,
  }
}
