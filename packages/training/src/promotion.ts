import { unpackRelease } from '@plumbline/detector'
import { type HeldOut, type ShadowScore, shadowScore } from './shadow.ts'

/** A candidate beside the release in force, on rows that the candidate was not trained on. */
export interface ShadowComparison {
  readonly rows: number
  readonly days: number
  readonly inForce: string
  readonly candidate: ShadowScore
  readonly before: ShadowScore
  /** In what the candidate is worse, in words; none: it may be put into use. */
  readonly worse: readonly string[]
}

/** What counts as worse. Between these two releases of the same life differ by chance. */
export const WORSE = {
  /** So much less of the synthetic deviations is found; and so much more by the root of the rows, because few rows scatter. */
  detection: 0.03,
  detectionScatter: 3,
  /** The net fits so many times worse. */
  loss: 1.15,
  /** Off the calibration by more than this factor (contracts C11), and by so many times more than the one in force. */
  calibration: 2,
  calibrationBeside: 1.5,
  /** So many times the groups a day, and as many more. */
  groups: 2,
  groupsMore: 2,
} as const

/** A share of rows that is none says no more than that it is small. */
const LEAST_EXCEEDANCE = 0.05
/** Rows from which on one in a hundred and one in a thousand can be told: odd events come in sessions, so chance is wide. */
const ROWS_FOR = { hundred: 3000, thousand: 10_000 } as const

const offBy = (exceedance: number): number => {
  const at = Math.max(LEAST_EXCEEDANCE, exceedance)
  return Math.max(at, 1 / at)
}
const miscalibrated = (candidate: number, before: number): boolean =>
  offBy(candidate) > WORSE.calibration && offBy(candidate) > WORSE.calibrationBeside * offBy(before)

const share = (x: number): string => `${(100 * x).toFixed(1)} %`

/** Why a candidate must not take the place of the release in force; empty when it may. `rows` held out. */
export const worseThan = (candidate: ShadowScore, before: ShadowScore, rows: number): readonly string[] => {
  const words: string[] = []
  if (candidate.detection < before.detection - WORSE.detection - WORSE.detectionScatter / Math.sqrt(rows))
    words.push(`it finds ${share(candidate.detection)} of synthetic deviations, the one in force ${share(before.detection)}`)
  if (before.loss > 0 && candidate.loss > WORSE.loss * before.loss)
    words.push(`it reconstructs new rows ${(candidate.loss / before.loss).toFixed(2)} times as badly`)
  const levels = [
    ['one in a hundred', candidate.exceedance2, before.exceedance2, ROWS_FOR.hundred],
    ['one in a thousand', candidate.exceedance3, before.exceedance3, ROWS_FOR.thousand],
  ] as const
  for (const [name, now, then, least] of levels)
    if (rows >= least && miscalibrated(now, then))
      words.push(`what it calls ${name} happens ${now.toFixed(2)} times as often, with the one in force ${then.toFixed(2)} times`)
  if (candidate.groupsPerDay > WORSE.groups * before.groupsPerDay + WORSE.groupsMore)
    words.push(`it would raise ${candidate.groupsPerDay.toFixed(1)} alerts a day, the one in force ${before.groupsPerDay.toFixed(1)}`)
  return words
}

/** Scores the held-out rows with both. */
export const compareReleases = (candidate: Uint8Array, inForce: Uint8Array, held: HeldOut): ShadowComparison => {
  const [now, before] = [shadowScore(candidate, held), shadowScore(inForce, held)]
  const rows = held.alerted.length
  return { rows, days: held.days, inForce: unpackRelease(inForce).header.id, candidate: now, before, worse: worseThan(now, before, rows) }
}
