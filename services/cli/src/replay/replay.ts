import { setTimeout as sleep } from 'node:timers/promises'
import { type FileFormat, type FileRecord, readEvents } from '@plumbline/adapters/files'
import { namingFile } from '../inputs.ts'
import type { Progress } from '../progress.ts'

/** Where replayed events go. */
export interface ReplayTarget {
  /** Takes one decoded event; resolves when it may have the next. */
  event(record: Extract<FileRecord, { ok: true }>): Promise<void>
  /** Everything sent is processed (throw-away) or durable (running instance). */
  finish(): Promise<TargetReport>
}

export interface TargetReport {
  /** Refused behind the reader, by code. */
  readonly codes: Readonly<Record<string, number>>
  readonly alerts?: number
  /** Alerts by severity, and by identity, most first. */
  readonly severities?: Readonly<Record<string, number>>
  readonly alerted?: readonly { readonly identity: string; readonly alerts: number }[]
  readonly identities?: number
  /** SHA-256 of the scored rows and alerts that a throw-away instance put out: the same file, the same digest. */
  readonly outboxSha256?: string
  readonly releases?: readonly { readonly id: string; readonly withModel: boolean }[]
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

export interface ReplayOptions {
  readonly files: readonly string[]
  readonly format: FileFormat | undefined
  readonly tenant: string
  /** Milliseconds of replay per millisecond of event time; 0: as fast as it goes. */
  readonly pace: number
  readonly target: ReplayTarget
  readonly progress: Progress
}

/** Waits until an event is due on the clock of the replay. */
const createPacer = (pace: number): ((eventTime: number) => Promise<void>) => {
  if (pace === 0) return () => Promise.resolve()
  let first: number | undefined
  let startedAt = 0
  return async (eventTime) => {
    if (first === undefined) {
      first = eventTime
      startedAt = performance.now()
    }
    const waitMs = (eventTime - first) * pace - (performance.now() - startedAt)
    if (waitMs > 1) await sleep(waitMs)
  }
}

/** Reads files one after the other and hands their events on, in order. Throws for a file that cannot be read at all. */
export const replay = async (options: ReplayOptions): Promise<ReplaySummary> => {
  const startedAt = performance.now()
  const codes: Record<string, number> = {}
  const due = createPacer(options.pace)
  let events = 0
  let rejected = 0
  let [fromTime, toTime] = [Number.POSITIVE_INFINITY, 0]
  const read = async (file: string): Promise<void> => {
    for await (const record of readEvents(file, { format: options.format, tenant: options.tenant })) {
      if (!record.ok) {
        rejected++
        codes[record.rejection.code] = (codes[record.rejection.code] ?? 0) + 1
        continue
      }
      if (options.pace > 0) await due(record.event.time)
      fromTime = Math.min(fromTime, record.event.time)
      toTime = Math.max(toTime, record.event.time)
      await options.target.event(record)
      options.progress.at(++events, 0)
    }
  }
  for (const file of options.files) await read(file).catch((error: unknown) => Promise.reject(namingFile(file, error)))
  const report = await options.target.finish()
  for (const [code, n] of Object.entries(report.codes)) {
    codes[code] = (codes[code] ?? 0) + n
    rejected += n
  }
  return {
    ...report,
    events,
    rejected,
    codes,
    fromTime: events === 0 ? 0 : fromTime,
    toTime,
    tookMs: Math.round(performance.now() - startedAt),
  }
}
