import type { Logger } from '@plumbline/runtime'
import type { Trainer } from '@plumbline/trainer'

export interface PaceDeps {
  readonly trainer: Trainer
  /** Events of a tenant scored so far. */
  readonly scored: (tenant: string) => number
  /** Events of the log that are not scored yet, of all tenants. */
  readonly lag: () => number
  /** Makes `lag` as of now, where that is in other processes. */
  readonly refresh: () => Promise<void>
  /** Resolves once ClickHouse is there, which trainings read from. */
  readonly storeUp: Promise<void>
  readonly logger: Logger
}

/**
 * Holds a feed back; called between chunks with the newest event time of the tenant that is in the log, ms since epoch.
 * `onLearning` tells when a training begins and ends.
 */
export type Pace = (tenant: string, timeMs: number, signal: AbortSignal, onLearning?: (learning: boolean) => void) => Promise<void>

/** A feed waits while more than this many events are not scored, so that real events never queue behind it for long. */
const MAX_AHEAD = 2000
const LOOK_MS = 2
const RETRY_MS = 500

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * History at full speed learns as it would have at its own: whatever release is due is made and in force before the
 * next chunk goes in.
 */
export const createPace =
  ({ trainer, scored, lag, refresh, storeUp, logger }: PaceDeps): Pace =>
  async (tenant, timeMs, signal, onLearning = () => {}) => {
    const scoredUpTo = async (waiting: number): Promise<void> => {
      while (lag() > waiting && !signal.aborted) {
        await sleep(LOOK_MS)
        await refresh()
      }
    }
    trainer.led(tenant, timeMs)
    await scoredUpTo(MAX_AHEAD)
    while (trainer.isDue(tenant, scored(tenant) + lag()) && !signal.aborted) {
      await scoredUpTo(0)
      trainer.led(tenant, timeMs)
      if (!trainer.isDue(tenant, scored(tenant))) return
      onLearning(true)
      await storeUp
      await trainer.settle(tenant).catch(async (error: unknown) => {
        if (!signal.aborted) logger.warn({ tenant, err: error }, 'history waits for a training')
        await sleep(RETRY_MS)
      })
      onLearning(false)
    }
  }
