import { createHash } from 'node:crypto'
import { type DetectionConfig, FEATURES } from '@plumbline/schemas'

/** Version of the scoring code; raised when the same input may score differently. */
export const DETECTOR_VERSION = '1.2.0'

/** Hash of the feature catalogue: rows of another catalogue are not read by the trainer. */
export const CATALOGUE_HASH = createHash('sha256').update(JSON.stringify(FEATURES)).digest('hex')
export const CATALOGUE_HASH_32 = Number.parseInt(CATALOGUE_HASH.slice(0, 8), 16)

export const configHash = (config: DetectionConfig): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex')
