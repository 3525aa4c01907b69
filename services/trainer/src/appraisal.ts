import { isFormer } from '@plumbline/detector'
import { unpackRelease } from '@plumbline/detector/release'
import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { checkDataset, compareReleases, type DatasetReport, selectRows, type ShadowComparison } from '@plumbline/training'
import { type History, quietRows, whoseIs } from './history.ts'

/** What was found when a model was made: stored with its release. */
export interface Appraisal {
  /** Of the rows that it was trained on. */
  readonly checks: DatasetReport
  /** Beside the model in force, on rows later than those; null when there was none to compare with. */
  readonly shadow: ShadowComparison | null
  /** Why there was no comparison. */
  readonly notCompared?: string
}

const DAY_MS = 86_400_000
/** Fewer held-out rows that did not alert cannot tell which release is better. */
const LEAST_HELD_OUT = 200

const rowsWhere = ({ rows, alerted }: History, quiet: boolean): { readonly at: number[]; readonly rows: Float32Array } => {
  const at = Array.from(alerted.keys()).filter((i) => (alerted[i] === 0) === quiet)
  return { at, rows: selectRows(rows, FEATURE_COUNT, at) }
}

/** Checks of what a model is fitted to: everything that did not alert and was not withheld. */
export const checkTraining = (tenant: string, training: History, inForce: Uint8Array | null): DatasetReport => {
  const quiet = rowsWhere(training, true)
  const before = inForce === null ? undefined : unpackRelease(inForce)
  const report = checkDataset(
    {
      names: FEATURES.map(({ name }) => name),
      rows: quiet.rows,
      identities: Uint32Array.from(quiet.at, (i) => training.identities[i]!),
      times: Float64Array.from(quiet.at, (i) => training.times[i]!),
      withheld: new Uint8Array(quiet.at.length),
    },
    {
      // Rows of another catalogue are spread otherwise because they say something else.
      before: before?.has('reference') === true && !isFormer(before.header.catalogueHash) ? before.section('reference') : undefined,
      leftOut: rowsWhere(training, false).rows,
      knownUntil: before?.header.createdFrom.toTime,
    },
  )
  const findings = report.findings.map((finding) => {
    const identity = finding.numbers['identityHash']
    return identity === undefined ? finding : { ...finding, words: `${finding.words} Whose: ${whoseIs(tenant, identity)}` }
  })
  return { ...report, findings }
}

export const enoughHeldOut = (heldOut: History): boolean => quietRows(heldOut) >= LEAST_HELD_OUT

export const compareOn = (candidate: Uint8Array, inForce: Uint8Array, heldOut: History): ShadowComparison =>
  compareReleases(candidate, inForce, { ...heldOut, days: Math.max(0.05, (heldOut.toTime - heldOut.fromTime) / DAY_MS) })

/** Why what was made must not be put into use; none: it may. */
export const reasonsAgainst = ({ checks, shadow }: Appraisal): readonly string[] => [
  ...checks.findings.filter(({ severity }) => severity === 'severe').map(({ check, words }) => `${check}: ${words}`),
  ...(shadow?.worse ?? []).map((words) => `shadow run: ${words}.`),
]
