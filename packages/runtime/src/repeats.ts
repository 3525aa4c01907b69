import type { Logger } from './logger.ts'

/** While the same thing goes wrong again and again it is said once in so long. */
const AGAIN_MS = 60_000

interface Repeats {
  /** The first of its kind with its stack, what repeats it in one line a minute with how often it was meanwhile. */
  warn(error: unknown, words: string): void
}

/** For what is tried again every few seconds and fails in the same way each time. `now`: milliseconds that only rise. */
export const createRepeats = (logger: Pick<Logger, 'warn'>, now: () => number = () => performance.now()): Repeats => {
  let last = ''
  let firstAt = 0
  let saidAt = 0
  let times = 0
  return {
    warn(error, words) {
      const message = error instanceof Error ? error.message : String(error)
      const at = now()
      if (`${words} ${message}` !== last) {
        last = `${words} ${message}`
        firstAt = saidAt = at
        times = 0
        logger.warn({ err: error }, words)
        return
      }
      times++
      if (at - saidAt < AGAIN_MS) return
      logger.warn({ why: message, times, forSeconds: Math.round((at - firstAt) / 1_000) }, `still: ${words}`)
      saidAt = at
      times = 0
    },
  }
}
