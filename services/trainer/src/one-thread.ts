import { Worker } from 'node:worker_threads'
import { PlumblineError } from '@plumbline/schemas'

export interface OneThreadOptions {
  /** Module of the thread: each message to it is a job, each answer of it a ThreadAnswer. */
  readonly entry: URL
  /** The work, as a sentence begins with it. */
  readonly what: string
  /** Codes of errors: it was stopped; its thread died. */
  readonly aborted: string
  readonly failed: string
  /** Whether the same job may well succeed later. */
  readonly retryable: boolean
}

export type ThreadAnswer<R> = { readonly result?: R; readonly code?: string; readonly message?: string }

export interface OneThread<J, R> {
  /** Runs one job at a time. Rejects with what the job throws, with the code `aborted` when `signal` fires, `failed` when the thread dies. */
  run(job: J, signal: AbortSignal): Promise<R>
  /** Ends the thread that waits for the next job. */
  stop(): void
}

/** A thread without work ends after this time, ms; what it has loaded is worth keeping between jobs that follow each other. */
const KEEP_MS = 20_000

/** A thread of its own for work that must keep no event waiting. */
export const createOneThread = <J, R>({ entry, what, aborted, failed, retryable }: OneThreadOptions): OneThread<J, R> => {
  let thread: Worker | null = null
  /** Who waits for the job under way. */
  let settle: ((answer: ThreadAnswer<R>) => void) | null = null
  let timer: NodeJS.Timeout | undefined

  const stopped = (): PlumblineError => new PlumblineError(aborted, `${what} was stopped.`, { retryable: true })
  const finish = (answer: ThreadAnswer<R>): void => {
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
    const made = new Worker(entry)
    const died = (message: string): void => {
      if (thread !== made) return
      thread = null
      finish({ message })
    }
    made.on('message', (answer: ThreadAnswer<R>) => thread === made && finish(answer))
    made.on('error', (cause: Error) => died(cause.message))
    made.on('exit', (code) => died(`The thread of ${what.toLowerCase()} ended with code ${code}.`))
    return made
  }
  const run = (job: J, signal: AbortSignal): Promise<R> =>
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
          return reject(new PlumblineError(code ?? failed, message ?? '', { retryable }))
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
