import type { DetectionConfig } from '@plumbline/schemas'
import type { Appraisal } from './appraisal.ts'
import { createOneThread, type OneThread } from './one-thread.ts'

/** How the training thread reaches ClickHouse. */
export interface StoreAccess {
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly database?: string
}

/** Everything one training needs; plain data, so that it can travel to another thread. */
export interface Job {
  readonly store: StoreAccess
  readonly tenant: string
  readonly sequence: number
  /** Most recorded vectors that are read, newest first. */
  readonly maxRows: number
  readonly slots: readonly Uint8Array[]
  readonly groupNames: readonly (readonly [number, string])[]
  readonly config: DetectionConfig
  readonly positions: Readonly<Record<string, number>>
  readonly withModel: boolean
  /** Artifact of the model in force, which a new one is held against; null where there is none that this build can run. */
  readonly inForce: Uint8Array | null
}

export interface JobResult {
  readonly id: string
  readonly sha256: string
  readonly bytes: Uint8Array
  /** False when there were too few rows for a net: statistics only. */
  readonly modelled: boolean
  readonly rows: number
  readonly toTime: number
  /** Of a model; null for statistics alone. */
  readonly appraisal: Appraisal | null
}

export type Jobs = OneThread<Job, JobResult>

/** Reading, grouping and fitting keep no event waiting. Codes: `TRAINING_ABORTED`, `TRAINING_FAILED`. */
export const createJobs = (): Jobs =>
  createOneThread({
    entry: new URL('./thread.ts', import.meta.url),
    what: 'Training',
    aborted: 'TRAINING_ABORTED',
    failed: 'TRAINING_FAILED',
    retryable: true,
  })
