import type { Problem } from './problems.ts'

interface Log {
  warn(fields: object, message: string): void
}

/** A burst is over when nothing of its kind was refused for this long, ms. */
const QUIET_MS = 10_000
/** A burst that lasts is told of again after this long, ms. */
const AGAIN_MS = 60_000

interface Burst {
  toldAt: number
  lastAt: number
  untold: number
}

/** Logs refusals that ask the sender to come back: once per burst and code, not once per request. */
export const createRefusalLog = (now: () => number = () => performance.now()) => {
  const bursts = new Map<string, Burst>()
  return (log: Log, problem: Problem, error: unknown, route: string | undefined): void => {
    const { code } = problem.body
    const at = now()
    const burst = bursts.get(code)
    if (burst !== undefined && at - burst.lastAt < QUIET_MS && at - burst.toldAt < AGAIN_MS) {
      burst.lastAt = at
      burst.untold++
      return
    }
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
    const fields = { code, route, reason: problem.body.message, ...(cause === undefined ? {} : { cause }), before: burst?.untold ?? 0 }
    log.warn(fields, 'requests are refused until later')
    bursts.set(code, { toldAt: at, lastAt: at, untold: 0 })
  }
}
