import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import type { Logger } from '@plumbline/runtime'

const EVERY_MS = 60_000
const DAY_MS = 86_400_000

/** Frees what nobody needs any more: delivered outbox entries, processed events past retention, old Idempotency-Keys. */
export const createHousekeeping = (log: EmbeddedLog, retentionDays: number, clock: () => number, logger: Logger) => {
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> = Promise.resolve()
  const work = async (): Promise<void> => {
    await log.maintain({ nowMs: clock(), keepEventsMs: retentionDays * DAY_MS })
  }
  return {
    start(): void {
      timer = setInterval(() => {
        working = working.then(work).catch((error: unknown) => logger.warn({ err: error }, 'clearing up failed, will be tried again'))
      }, EVERY_MS)
      timer.unref()
    },
    async stop(): Promise<void> {
      clearInterval(timer)
      await working
    },
  }
}
