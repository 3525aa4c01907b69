import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { PlumblineError } from '@plumbline/schemas'
import type { TrainedAutoencoder, TrainOptions } from './autoencoder.ts'

const aborted = (): PlumblineError => new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true })
const failed = (error: Error & { code?: string }): PlumblineError =>
  error instanceof PlumblineError ? error : new PlumblineError(error.code ?? 'TRAINING_FAILED', error.message, { cause: error })

/** One thread that works its jobs off, then ends. */
const runThread = (jobs: readonly TrainOptions[], signal: AbortSignal | undefined): Promise<TrainedAutoencoder[]> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted())
      return
    }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: jobs })
    const done: TrainedAutoencoder[] = []
    // A promise settles once: whichever of these comes first wins, the rest are without effect.
    const settle = (act: () => void): void => {
      signal?.removeEventListener('abort', abort)
      act()
      void worker.terminate()
    }
    const abort = (): void => settle(() => reject(aborted()))
    signal?.addEventListener('abort', abort, { once: true })
    worker.on('message', (trained: TrainedAutoencoder) => {
      done.push(trained)
      if (done.length === jobs.length) settle(() => resolve(done))
    })
    worker.once('error', (error: Error) => settle(() => reject(failed(error))))
    worker.once('exit', (code) =>
      settle(() => reject(new PlumblineError('TRAINING_FAILED', `The training thread ended with code ${code}.`))),
    )
  })

/**
 * `trainAutoencoder` in a thread of its own: TensorFlow.js blocks its event loop for hundreds of milliseconds at a time.
 * `rows` are copied. Rejects with what training throws, with `TRAINING_ABORTED` when `signal` fires, `TRAINING_FAILED` when the thread dies.
 */
export const trainInWorker = async (options: TrainOptions, signal?: AbortSignal): Promise<TrainedAutoencoder> =>
  (await runThread([options], signal))[0]!

/** Several trainings at once, on as many threads as there are cores (at most `threads`). Results in the order of the jobs. */
export const trainAllInWorkers = async (
  jobs: readonly TrainOptions[],
  threads = 4,
  signal?: AbortSignal,
): Promise<TrainedAutoencoder[]> => {
  const lanes = Math.max(1, Math.min(threads, availableParallelism(), jobs.length))
  const results = await Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      runThread(
        jobs.filter((_job, i) => i % lanes === lane),
        signal,
      ),
    ),
  )
  return jobs.map((_job, i) => results[i % lanes]![Math.floor(i / lanes)]!)
}
