import { Worker } from 'node:worker_threads'
import { PlumblineError, type DetectionConfig } from '@plumbline/schemas'

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
}

export interface JobResult {
  readonly id: string
  readonly sha256: string
  readonly bytes: Uint8Array
  /** False when there were too few rows for a net: statistics only. */
  readonly modelled: boolean
  readonly rows: number
  readonly toTime: number
}

const stopped = (): PlumblineError => new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true })

/**
 * Runs one training in a thread of its own, so that reading, grouping and fitting keep no event waiting.
 * Rejects with what training throws, `TRAINING_ABORTED` when `signal` fires, `TRAINING_FAILED` when the thread dies.
 */
export const runJob = (job: Job, signal: AbortSignal): Promise<JobResult> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(stopped())
    const thread = new Worker(new URL('./thread.ts', import.meta.url), { workerData: job })
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', abort)
      act()
      void thread.terminate()
    }
    const abort = (): void => settle(() => reject(stopped()))
    signal.addEventListener('abort', abort, { once: true })
    thread.once('message', (answer: { result?: JobResult; code?: string; message?: string }) =>
      settle(() =>
        answer.result === undefined
          ? reject(new PlumblineError(answer.code ?? 'TRAINING_FAILED', answer.message ?? '', { retryable: true }))
          : resolve(answer.result),
      ),
    )
    thread.once('error', (cause: Error) =>
      settle(() => reject(new PlumblineError('TRAINING_FAILED', cause.message, { retryable: true, cause }))),
    )
    thread.once('exit', (code) =>
      settle(() => reject(new PlumblineError('TRAINING_FAILED', `The training thread ended with code ${code}.`, { retryable: true }))),
    )
  })
