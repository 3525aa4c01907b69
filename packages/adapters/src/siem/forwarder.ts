import type { Alert } from '@plumbline/schemas'
import type { BudgetDay, Delivery } from './budget.ts'
import { startPump } from './pump.ts'
import type { AlertSink } from './sink.ts'

/** Published alerts in the order they entered the outbox. Cursors grow; 0 is before the first. */
export interface AlertSource {
  /** Alerts after `cursor`, in order, at most `max`; empty when there are none yet. May return what it holds at once. */
  read(cursor: number, max: number): Promise<readonly SourcedAlert[]> | readonly SourcedAlert[]
  /**
   * How far the source is without alerts after `cursor`: saved, so that nobody who is idle stays behind what retention removes.
   * Absent: only alerts move a cursor.
   */
  passed?(cursor: number): number
}

export interface SourcedAlert {
  readonly cursor: number
  /** Null: it is damaged, and is passed over. */
  readonly alert: Alert | null
}

/** Where a forwarder keeps how far each sink is. `save` resolves once it is on disk; `cursor` is inside `bytes` too. */
export interface CursorStore {
  load(name: string): Promise<Uint8Array | undefined> | Uint8Array | undefined
  save(name: string, bytes: Uint8Array, cursor: number): Promise<void>
}

export interface ForwarderOptions {
  readonly source: AlertSource
  readonly sinks: readonly AlertSink[]
  readonly store: CursorStore
  /** Ceiling on new alert groups per tenant and day. Unit: alert groups. */
  readonly budgetPerDay: number | ((tenant: string) => number)
  /** Called for each alert with what became of it, in order, at least once: what the page and the store show. */
  readonly onDecision?: (alert: Alert, delivery: Delivery) => void | Promise<void>
  /** Told what a sink did with alerts, after it is saved, and of each failed try. Must not throw. */
  readonly onSink?: (report: SinkReport) => void
  /** Pause before a failing sink is tried again, doubled up to 64 times this. Unit: ms. Default 1,000. */
  readonly retryPauseMs?: number
  /** Alerts read at once. Default 200. */
  readonly batch?: number
}

/** Without secrets; the message may name a host or a file. */
export interface SinkError {
  readonly code: string
  readonly message: string
}

/**
 * `refused`: the receiver will never take this alert, it is passed over. `damaged`: nobody can read it, it is passed over. `failed`: a
 * try that is repeated, nothing is lost.
 */
export type SinkReport =
  | { readonly sink: string; readonly outcome: 'delivered'; readonly alerts: number }
  | { readonly sink: string; readonly outcome: 'refused'; readonly alert: Alert; readonly error: SinkError }
  | { readonly sink: string; readonly outcome: 'damaged'; readonly cursor: number; readonly error: SinkError }
  | { readonly sink: string; readonly outcome: 'failed'; readonly error: SinkError }

export interface SinkStatus {
  readonly name: string
  readonly cursor: number
  readonly delivered: number
  readonly refused: number
  readonly failures: number
  /** Why alerts wait for this sink now; null when they do not. */
  readonly waiting: SinkError | null
  readonly lastRefusal: SinkError | null
}

export interface ForwarderStatus {
  readonly delivered: number
  readonly held: number
  readonly historic: number
  readonly days: readonly BudgetDay[]
  readonly sinks: readonly SinkStatus[]
}

export interface Forwarder {
  /** Says that there may be new alerts. Returns at once. */
  wake(): void
  /** Resolves when every sink has taken what was there at the call; rejects on nothing, waits out failures. */
  drain(): Promise<void>
  /** Counts since the first start for `delivered`, `held` and `historic`; since this start for the sinks'. */
  status(): ForwarderStatus
  /** Stops after the batch under way and closes the sinks. */
  close(): Promise<void>
}

/**
 * Reads the alerts topic once per sink and hands on what the budget lets through, at least once and in order. Each sink has
 * its own cursor, so a slow one holds up no other; all come to the same decisions, which depend on the order of alerts alone.
 * Cursor and budget are saved together after each delivered batch.
 */
export const createForwarder = async (options: ForwarderOptions): Promise<Forwarder> => {
  const { onDecision, onSink } = options
  const pumps = [await startPump(DECISIONS, options, { onDecision })]
  for (const sink of options.sinks) pumps.push(await startPump(sink, options, { onSink }))
  return {
    wake: () => pumps.forEach((p) => p.wake()),
    drain: async () => void (await Promise.all(pumps.map((p) => p.drain()))),
    status: () => ({
      ...(pumps[0]?.counts() ?? { delivered: 0, held: 0, historic: 0 }),
      days: pumps[0]?.days() ?? [],
      sinks: pumps.slice(1).map((p) => p.status()),
    }),
    close: async () => void (await Promise.all(pumps.map((p) => p.close()))),
  }
}

/** Takes every alert and does nothing with it: decisions are told of even where no sink is. */
const DECISIONS: AlertSink = { name: 'decisions', deliver: async () => undefined, close: async () => undefined }
