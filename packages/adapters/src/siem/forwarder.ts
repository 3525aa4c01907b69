import { type Alert, PlumblineError } from '@plumbline/schemas'
import { AlertBudget, type BudgetDay, type BudgetState, type Delivery } from './budget.ts'
import type { AlertSink } from './sink.ts'

/** Published alerts in the order they entered the outbox. Cursors grow; 0 is before the first. */
export interface AlertSource {
  /** Alerts after `cursor`, in order, at most `max`; empty when there are none yet. May return what it holds at once. */
  read(cursor: number, max: number): Promise<readonly SourcedAlert[]> | readonly SourcedAlert[]
}

export interface SourcedAlert {
  readonly cursor: number
  readonly alert: Alert
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
  /** Pause before a failing sink is tried again, doubled up to 64 times this. Unit: ms. Default 1,000. */
  readonly retryPauseMs?: number
  /** Alerts read at once. Default 200. */
  readonly batch?: number
}

export interface SinkStatus {
  readonly name: string
  readonly cursor: number
  readonly delivered: number
  readonly refused: number
  readonly failures: number
  readonly lastError: string | null
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

interface Counts {
  delivered: number
  held: number
  historic: number
}

interface Saved {
  readonly v: 1
  readonly cursor: number
  readonly budget: BudgetState
  readonly counts: Counts
}

/**
 * Reads the alerts topic once per sink and hands on what the budget lets through, at least once and in order. Each sink has
 * its own cursor, so a slow one holds up no other; all come to the same decisions, which depend on the order of alerts alone.
 * Cursor and budget are saved together after each delivered batch.
 */
export const createForwarder = async (options: ForwarderOptions): Promise<Forwarder> => {
  const decided: AlertSink = { name: DECISIONS, deliver: async () => undefined, close: async () => undefined }
  const pumps: Pump[] = []
  for (const sink of [decided, ...options.sinks])
    pumps.push(await startPump(sink, options, sink === decided ? options.onDecision : undefined))
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

const DECISIONS = 'decisions'

interface Pump {
  wake(): void
  drain(): Promise<void>
  counts(): Counts
  days(): readonly BudgetDay[]
  status(): SinkStatus
  close(): Promise<void>
}

const startPump = async (sink: AlertSink, options: ForwarderOptions, onDecision: ForwarderOptions['onDecision']): Promise<Pump> => {
  const { source, store, batch = 200, retryPauseMs = 1000 } = options
  const perDay = typeof options.budgetPerDay === 'number' ? () => options.budgetPerDay as number : options.budgetPerDay
  const name = `forwarder:${sink.name}`
  const saved = savedOf(await store.load(name))
  let cursor = saved?.cursor ?? 0
  let budget = new AlertBudget(perDay, saved?.budget)
  let counts: Counts = saved?.counts ?? { delivered: 0, held: 0, historic: 0 }
  const stats = { delivered: 0, refused: 0, failures: 0, lastError: null as string | null }
  let closed = false
  let wanted = true
  let signal = Promise.withResolvers<void>()
  let waiting: (() => void)[] = []

  /** Refused alerts are counted and passed over, one by one, so that one bad alert costs no other its delivery. */
  const send = async (alerts: readonly Alert[]): Promise<void> => {
    try {
      await sink.deliver(alerts)
      stats.delivered += alerts.length
    } catch (error) {
      if (!(error instanceof PlumblineError) || error.retryable) throw error
      stats.lastError = error.message
      if (alerts.length === 1) stats.refused++
      else for (const alert of alerts) await send([alert])
    }
  }

  /** One batch, all or nothing: decisions are taken on a copy and kept only when delivered and saved. */
  const step = async (): Promise<boolean> => {
    const entries = await source.read(cursor, batch)
    const last = entries.at(-1)
    if (last === undefined) return false
    const trial = new AlertBudget(perDay, budget.state())
    const next = { ...counts }
    const decisions = entries.map(({ alert }) => ({ alert, delivery: trial.decide(alert) }))
    for (const { delivery } of decisions) next[delivery]++
    const through = decisions.filter((d) => d.delivery === 'delivered').map((d) => d.alert)
    if (through.length > 0) await send(through)
    for (const { alert, delivery } of decisions) await onDecision?.(alert, delivery)
    await store.save(name, bytesOf({ v: 1, cursor: last.cursor, budget: trial.state(), counts: next }), last.cursor)
    cursor = last.cursor
    budget = trial
    counts = next
    return true
  }

  const settled = (): void => {
    const done = waiting
    waiting = []
    for (const resolve of done) resolve()
  }

  const run = async (): Promise<void> => {
    let pause = retryPauseMs
    while (!closed) {
      try {
        wanted = false
        while (!closed && (await step())) {
          pause = retryPauseMs
          stats.lastError = stats.refused > 0 ? stats.lastError : null
        }
        if (wanted || closed) continue
        settled()
        await signal.promise
      } catch (error) {
        stats.failures++
        stats.lastError = error instanceof Error ? error.message : 'unknown error'
        await waitOrClose(pause)
        pause = Math.min(pause * 2, retryPauseMs * 64)
      }
    }
    settled()
  }

  let stopWaiting = () => {}
  const waitOrClose = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      stopWaiting = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  const wake = (): void => {
    wanted = true
    signal.resolve()
    signal = Promise.withResolvers<void>()
  }
  const running = run()

  return {
    wake,
    drain: () =>
      new Promise((resolve) => {
        if (closed) return resolve()
        waiting.push(resolve)
        wake()
      }),
    counts: () => counts,
    days: () => budget.days(),
    status: () => ({ name: sink.name, cursor, ...stats }),
    close: async () => {
      closed = true
      stopWaiting()
      wake()
      await running
      await sink.close()
    },
  }
}

const bytesOf = (saved: Saved): Uint8Array => new TextEncoder().encode(JSON.stringify(saved))

const savedOf = (bytes: Uint8Array | undefined): Saved | undefined => {
  if (bytes === undefined) return undefined
  const saved = JSON.parse(new TextDecoder().decode(bytes)) as Saved
  if (saved.v !== 1)
    throw new PlumblineError(
      'FORWARDER_STATE_VERSION',
      `The forwarder's saved state is of version ${String(saved.v)}; this build reads version 1.`,
    )
  return saved
}
