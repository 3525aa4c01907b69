import { setTimeout as sleep } from 'node:timers/promises'
import { openSource, type ReplayedEvent, type SourceOptions } from './source.ts'

/** Where replayed events go. */
export interface ReplayTarget {
  /** Takes one event; resolves when it may have the next. */
  event(event: ReplayedEvent): Promise<void>
  /** Everything sent is processed (throw-away) or durable (running instance). `stopped`: there would have been more. */
  finish(stopped: boolean): Promise<TargetReport>
}

/** What a throw-away instance made of it. */
export interface Outcome {
  /** Alert groups that were shown. */
  readonly alerts: number
  /** Alert groups that the budget of their day held back. */
  readonly held: number
  /** Alerts shown by severity, and by identity, most first. */
  readonly severities: Readonly<Record<string, number>>
  readonly alerted: readonly { readonly identity: string; readonly alerts: number }[]
  readonly identities: number
  /** The longest time between the first and the last event of an identity, ms. */
  readonly knownForMs: number
  readonly releases: readonly { readonly id: string; readonly withModel: boolean }[]
  /** The highest scored, highest first: one per identity and action. */
  readonly highest: readonly HighEvent[]
  /** SHA-256 of the scored rows and alerts that it put out, shown or not: the same files, the same digest. */
  readonly outboxSha256: string
}

/** An event by what makes it stand out. */
export interface HighEvent {
  /** ms since epoch. */
  readonly time: number
  readonly tenant: string
  readonly identity: string
  readonly action: string
  readonly resourceClass: string
  readonly resource: string
  readonly score: number
  /** What is unusual about it, most first. */
  readonly families: readonly string[]
}

interface TargetReport {
  /** Refused behind the reader, by code. */
  readonly codes: Readonly<Record<string, number>>
  /** Of a throw-away instance; a running one shows its alerts itself. */
  readonly outcome?: Outcome
}

export interface ReplaySummary extends TargetReport {
  /** Events read and passed on. */
  readonly events: number
  readonly rejected: number
  /** Event time of the earliest and the latest, ms since epoch; 0 without events. */
  readonly fromTime: number
  readonly toTime: number
  readonly tookMs: number
}

export interface ReplayOptions extends SourceOptions {
  /** Milliseconds of replay per millisecond of event time; 0: as fast as it goes. */
  readonly pace: number
  readonly target: ReplayTarget
}

/** Waits until an event is due on the clock of the replay. */
const createPacer = (pace: number, signal: AbortSignal | undefined): ((eventTime: number) => Promise<void>) => {
  if (pace === 0) return () => Promise.resolve()
  let first: number | undefined
  let startedAt = 0
  return async (eventTime) => {
    if (first === undefined) {
      first = eventTime
      startedAt = performance.now()
    }
    const waitMs = (eventTime - first) * pace - (performance.now() - startedAt)
    if (waitMs > 1) await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
  }
}

/**
 * Hands the events of files on, by event time; with standard input among them, in the order they come. Fired, the signal
 * ends it after the event at hand. Throws for a file that cannot be read at all.
 */
export const replay = async (options: ReplayOptions): Promise<ReplaySummary> => {
  const { target, progress, signal } = options
  const startedAt = performance.now()
  const source = await openSource(options)
  const due = createPacer(options.pace, signal)
  let events = 0
  let [fromTime, toTime] = [Number.POSITIVE_INFINITY, 0]
  try {
    for await (const event of source.read()) {
      if (options.pace > 0) await due(event.time)
      if (signal?.aborted === true) break
      fromTime = Math.min(fromTime, event.time)
      toTime = Math.max(toTime, event.time)
      await target.event(event)
      progress.at(++events, source.total)
    }
  } finally {
    source.close()
  }
  const report = await target.finish(signal?.aborted === true)
  const codes: Record<string, number> = { ...source.codes }
  for (const [code, n] of Object.entries(report.codes)) codes[code] = (codes[code] ?? 0) + n
  return {
    ...report,
    events,
    rejected: Object.values(codes).reduce((sum, n) => sum + n, 0),
    codes,
    fromTime: events === 0 ? 0 : fromTime,
    toTime,
    tookMs: Math.round(performance.now() - startedAt),
  }
}
