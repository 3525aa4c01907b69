import { Worker } from 'node:worker_threads'
import { PlumblineError } from '@plumbline/schemas'
import type { TrainOptions, TrainedAutoencoder } from './autoencoder.ts'

/**
 * `trainAutoencoder` in a thread of its own: TensorFlow.js blocks its event loop for hundreds of milliseconds at a time.
 * `rows` are copied. Rejects with what training throws, with `TRAINING_ABORTED` when `signal` fires, `TRAINING_FAILED` when the thread dies.
 */
export const trainInWorker = (options: TrainOptions, signal?: AbortSignal): Promise<TrainedAutoencoder> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true }))
      return
    }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: options })
    let settled = false
    const settle = (act: () => void): void => {
      if (settled) return
      settled = true
      signal?.removeEventListener('abort', abort)
      act()
      void worker.terminate()
    }
    const abort = (): void => settle(() => reject(new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true })))
    signal?.addEventListener('abort', abort, { once: true })
    worker.once('message', (trained: TrainedAutoencoder) => settle(() => resolve(trained)))
    worker.once('error', (error: Error & { code?: string }) =>
      settle(() =>
        reject(
          error instanceof PlumblineError ? error : new PlumblineError(error.code ?? 'TRAINING_FAILED', error.message, { cause: error }),
        ),
      ),
    )
    worker.once('exit', (code) =>
      settle(() => reject(new PlumblineError('TRAINING_FAILED', `The training thread ended with code ${code}.`))),
    )
  })
