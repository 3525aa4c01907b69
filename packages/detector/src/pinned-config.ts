import { DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { DeploymentLog, KeyValue } from './deployment.ts'

const NAME = 'detection-config'
/** Options that change only what is released or delivered from now on, never how a given log is scored. */
const OPERATIONAL = ['alertBudgetPerDay', 'trainAfterEvents', 'retrainEveryDays'] as const

/** Values that several processes share know who was first. */
type SharedValues = KeyValue & { putOnce?(name: string, bytes: Uint8Array): Promise<Uint8Array> }

/** What is stored: of processes that start at once, one decides. */
const firstOf = async (kv: SharedValues, wanted: Uint8Array): Promise<Uint8Array> => {
  const stored = kv.get(NAME)
  if (stored !== undefined) return stored
  if (kv.putOnce !== undefined) return kv.putOnce(NAME, wanted)
  await kv.put({ [NAME]: wanted })
  return wanted
}

/**
 * The configuration that scores, as it was when the deployment was made: a log is scored alike for ever (contracts C8), by every
 * process that reads it. The first to ask decides. Throws DETECTION_CONFIG_INVALID when what is stored cannot be read.
 */
export const pinnedConfig = async (kv: SharedValues, wanted: DetectionConfig): Promise<DetectionConfig> => {
  const stored = await firstOf(kv, Buffer.from(JSON.stringify(wanted)))
  const parsed = DetectionConfig.safeParse(JSON.parse(Buffer.from(stored).toString()))
  if (!parsed.success)
    throw new PlumblineError('DETECTION_CONFIG_INVALID', 'The stored detection configuration cannot be read.', { cause: parsed.error })
  const operational = Object.fromEntries(OPERATIONAL.map((name) => [name, wanted[name]]))
  return { ...parsed.data, ...operational }
}

/** The part of a deployment's secret that the detector takes: that has 32 bytes, hash keys are made from 16. */
export const hashKeyOf = ({ masterKey }: Pick<DeploymentLog, 'masterKey'>): Uint8Array => masterKey.subarray(0, 16)
