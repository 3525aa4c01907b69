import { PlumblineError } from '@plumbline/schemas'
import type { Logger } from './logger.ts'

/**
 * A part of a process. `stop` is called after `start`, and at most once: also when `start` threw, to close what it had opened by
 * then. A part that is half up must not keep the process.
 */
export interface Part {
  readonly name: string
  start(): void | Promise<void>
  stop(): void | Promise<void>
  /** How long `stop` may take before it is given up, ms. Default 10,000. */
  readonly stopTimeoutMs?: number
}

export interface Lifecycle {
  /** Starts the parts in order. When one fails, it and those already started stop in reverse order and the error is thrown on. */
  start(): Promise<void>
  /** Stops in reverse order. Never throws: resolves with what went wrong. Safe to call twice and during a start. */
  stop(): Promise<readonly PlumblineError[]>
  readonly state: 'new' | 'starting' | 'started' | 'stopping' | 'stopped'
}

const STOP_TIMEOUT_MS = 10_000

export const createLifecycle = (parts: readonly Part[], log?: Pick<Logger, 'info' | 'error'>): Lifecycle => {
  let state: Lifecycle['state'] = 'new'
  let starting: Promise<void> | undefined
  let stopping: Promise<readonly PlumblineError[]> | undefined
  const running: Part[] = []
  /** The part that did not start. It is closed like the others, but was never up. */
  let failed: Part | undefined

  const stopRunning = async (): Promise<PlumblineError[]> => {
    const errors: PlumblineError[] = []
    for (let part = running.pop(); part !== undefined; part = running.pop()) {
      try {
        await withTimeLimit(part)
        if (part !== failed) log?.info({ part: part.name }, 'stopped')
      } catch (cause) {
        const error = new PlumblineError('PART_STOP_FAILED', `${part.name} did not stop: ${messageOf(cause)}`, { cause })
        log?.error({ part: part.name, err: error }, 'stop failed')
        errors.push(error)
      }
    }
    return errors
  }

  const startAll = async (): Promise<void> => {
    for (const part of parts) {
      if (stopping !== undefined) throw new PlumblineError('START_INTERRUPTED', `stopped before ${part.name} was started`)
      try {
        await part.start()
      } catch (cause) {
        // A coded error says what to do in its own words, and our caller passes them on; anything else needs its stack.
        if (!(cause instanceof PlumblineError)) log?.error({ part: part.name, err: cause }, 'start failed')
        failed = part
        running.push(part)
        await stopRunning()
        state = 'stopped'
        throw new PlumblineError('PART_START_FAILED', `${part.name} did not start: ${messageOf(cause)}`, { cause })
      }
      running.push(part)
      log?.info({ part: part.name }, 'started')
    }
    state = 'started'
  }

  const stopAll = async (): Promise<readonly PlumblineError[]> => {
    // A start under way finishes its current part and then gives up; its own error is its caller's.
    await starting?.catch(() => undefined)
    state = 'stopping'
    const errors = await stopRunning()
    state = 'stopped'
    return errors
  }

  return {
    start: () => {
      if (starting === undefined) {
        state = 'starting'
        starting = startAll()
      }
      return starting
    },
    stop: () => {
      stopping ??= stopAll()
      return stopping
    },
    get state() {
      return state
    },
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const withTimeLimit = async (part: Part): Promise<void> => {
  const limit = part.stopTimeoutMs ?? STOP_TIMEOUT_MS
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${limit} ms`)), limit)
  })
  try {
    await Promise.race([Promise.resolve(part.stop()), late])
  } finally {
    clearTimeout(timer)
  }
}

export interface SignalOptions {
  readonly signals?: readonly NodeJS.Signals[]
  /** Ends the process; default `process.exit`. Called with 0 after a clean stop, 1 otherwise. */
  readonly exit?: (code: number) => void
  readonly log?: Pick<Logger, 'info'>
}

/** Stops on SIGTERM or SIGINT; a second signal ends the process at once. Returns a function that takes the handlers off. */
export const stopOnSignals = (lifecycle: Lifecycle, options: SignalOptions = {}): (() => void) => {
  const signals = options.signals ?? ['SIGTERM', 'SIGINT']
  const exit = options.exit ?? ((code: number) => process.exit(code))
  let seen = 0
  const handler = (signal: NodeJS.Signals): void => {
    if (++seen > 1) {
      exit(1)
      return
    }
    options.log?.info({ signal }, 'stopping')
    void lifecycle.stop().then((errors) => exit(errors.length === 0 ? 0 : 1))
  }
  for (const signal of signals) process.on(signal, handler)
  return () => {
    for (const signal of signals) process.off(signal, handler)
  }
}
