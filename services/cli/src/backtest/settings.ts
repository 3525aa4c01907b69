import { DEFAULT_DETECTION_CONFIG, DetectionConfig, PlumblineError } from '@plumbline/schemas'
import { usageError } from '../exit.ts'

/** What is tried instead of what was in force; absent: as it was. */
export interface StoredSettings {
  /** −log10 of the tail from which on an event alerts by its score. */
  readonly threshold: number | null
  readonly alertBudgetPerDay: number
}

const KEYS = Object.keys(DetectionConfig.shape)

const pairOf = (text: string): readonly [string, number] => {
  const [, key, value] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? []
  if (key === undefined || value === undefined || value.trim() === '' || !Number.isFinite(Number(value)))
    throw usageError(`--set takes key=number, like threshold=6 or alertBudgetPerDay=10, not ${text}`)
  return [key, Number(value)]
}

/** `--set` as an option of commander that may be given more than once. */
export const settings = (text: string, before: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> => {
  const [key, value] = pairOf(text)
  return { ...before, [key]: value }
}

/** Settings that stored scores can answer for. */
export const storedSettings = (set: Readonly<Record<string, number>>): StoredSettings => {
  const { threshold = null, alertBudgetPerDay = DEFAULT_DETECTION_CONFIG.alertBudgetPerDay, ...others } = set
  const [other] = Object.keys(others)
  if (other !== undefined) {
    throw usageError(
      KEYS.includes(other)
        ? `${other} changes what is learned, which stored scores cannot answer for: name the files of events to replay`
        : `${other} is no setting. From stored scores: threshold, alertBudgetPerDay; by replay of files: ${KEYS.join(', ')}`,
    )
  }
  if (threshold !== null && (threshold <= 0 || threshold > 300))
    throw usageError('threshold is −log10 of a probability, between 0 and 300: 5 is one normal event in 100,000')
  if (alertBudgetPerDay < 0) throw usageError('alertBudgetPerDay cannot be below 0')
  return { threshold, alertBudgetPerDay }
}

/** A configuration with some of it set otherwise. */
export const replayedConfig = (set: Readonly<Record<string, number>>): DetectionConfig => {
  if ('threshold' in set)
    throw usageError(
      'by replay thresholds are found anew by each training: set tailFloor (the least) or alertBudgetPerDay (what they aim at)',
    )
  const parsed = DetectionConfig.safeParse({ ...DEFAULT_DETECTION_CONFIG, ...set })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new PlumblineError('USAGE', `--set ${String(issue?.path[0] ?? issue?.message)}: ${issue?.message}. Settings: ${KEYS.join(', ')}`)
}
