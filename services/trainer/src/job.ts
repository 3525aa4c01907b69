import { Worker } from 'node:worker_threads'
import { PlumblineError, type DetectionConfig } from '@plumbline/schemas'
import type { Appraisal } from './appraisal.ts'

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

const stopped = (): PlumblineError => new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true })

/** A training thread without work ends after this time, ms; what it has loaded is worth keeping between the trainings of a history. */
const KEEP_MS = 20_000

type Answer = { readonly result?: JobResult; readonly code?: string; readonly message?: string }

export interface Jobs {
  /**
   * Runs one training at a time in a thread of its own, so that reading, grouping and fitting keep no event waiting.
   * Rejects with what training throws, `TRAINING_ABORTED` when `signal` fires, `TRAINING_FAILED` when the thread dies.
   */
  run(job: Job, signal: AbortSignal): Promise<JobResult>
  /** Ends the thread that waits for the next training. */
  stop(): void
}

export const createJobs = (): Jobs => {
  let thread: Worker | null = null
  /** Who waits for the job under way. */
  let settle: ((answer: Answer) => void) | null = null
  let timer: NodeJS.Timeout | undefined

  const finish = (answer: Answer): void => {
    const waiting = settle
    settle = null
    waiting?.(answer)
  }
  const stop = (): void => {
    clearTimeout(timer)
    const old = thread
    thread = null
    void old?.terminate()
  }
  const start = (): Worker => {
    const made = new Worker(new URL('./thread.ts', import.meta.url))
    const died = (message: string): void => {
      if (thread !== made) return
      thread = null
      finish({ message })
    }
    made.on('message', (answer: Answer) => thread === made && finish(answer))
    made.on('error', (cause: Error) => died(cause.message))
    made.on('exit', (code) => died(`The training thread ended with code ${code}.`))
    return made
  }
  const run = (job: Job, signal: AbortSignal): Promise<JobResult> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(stopped())
      clearTimeout(timer)
      const worker = (thread ??= start())
      const abort = (): void => {
        settle = null
        stop()
        reject(stopped())
      }
      signal.addEventListener('abort', abort, { once: true })
      settle = ({ result, code, message }) => {
        signal.removeEventListener('abort', abort)
        if (result === undefined) {
          stop()
          return reject(new PlumblineError(code ?? 'TRAINING_FAILED', message ?? '', { retryable: true }))
        }
        worker.unref()
        timer = setTimeout(stop, KEEP_MS)
        timer.unref()
        resolve(result)
      }
      worker.ref()
      worker.postMessage(job)
    })
  return { run, stop }
}
