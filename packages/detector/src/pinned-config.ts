import { DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { DeploymentLog, KeyValue } from './deployment.ts'

const NAME = 'detection-config'
/** Options that change only what is released or delivered from now on, never how a given log is scored. */
const OPERATIONAL = ['alertBudgetPerDay', 'trainAfterEvents', 'retrainEveryDays'] as const

/**
 * The configuration that scores, as it was when the deployment was made: a log is scored alike for ever (contracts C8), by every
 * process that reads it. The first to ask decides. Throws DETECTION_CONFIG_INVALID when what is stored cannot be read.
 */
export const pinnedConfig = async (kv: KeyValue, wanted: DetectionConfig): Promise<DetectionConfig> => {
  const stored = kv.get(NAME)
  if (stored === undefined) {
    await kv.put({ [NAME]: Buffer.from(JSON.stringify(wanted)) })
    return wanted
  }
  const parsed = DetectionConfig.safeParse(JSON.parse(Buffer.from(stored).toString()))
  if (!parsed.success)
    throw new PlumblineError('DETECTION_CONFIG_INVALID', 'The stored detection configuration cannot be read.', { cause: parsed.error })
  const operational = Object.fromEntries(OPERATIONAL.map((name) => [name, wanted[name]]))
  return { ...parsed.data, ...operational }
}

/** The part of a deployment's secret that the detector takes: that has 32 bytes, hash keys are made from 16. */
export const hashKeyOf = ({ masterKey }: Pick<DeploymentLog, 'masterKey'>): Uint8Array => masterKey.subarray(0, 16)
