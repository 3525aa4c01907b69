import { EXIT } from './exit.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** Signals that come this soon after the first are the same one: npm, its child and the terminal all pass it on. */
const SAME_SIGNAL_MS = 1500

/** A signal that fires when somebody asks the command to stop; who asks again, and later, ends it at once. */
export const interruptible = (reason: Error): { readonly signal: AbortSignal; release(): void } => {
  const stop = new AbortController()
  let firstAt: number | undefined
  const interrupt = (): void => {
    if (firstAt !== undefined && performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(EXIT.failure)
    firstAt ??= performance.now()
    stop.abort(reason)
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  return { signal: stop.signal, release: () => SIGNALS.forEach((signal) => process.off(signal, interrupt)) }
}
