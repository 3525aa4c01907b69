import { type Alert, PlumblineError } from '@plumbline/schemas'
import { AlertBudget, type BudgetDay, type BudgetState } from './budget.ts'
import type { ForwarderOptions, SinkError, SinkReport, SinkStatus, SourcedAlert } from './forwarder.ts'
import type { AlertSink } from './sink.ts'

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

/** Who is told of what this pump does. */
interface Told {
  readonly onDecision?: ForwarderOptions['onDecision']
  readonly onSink?: ((report: SinkReport) => void) | undefined
}

interface Refusal {
  readonly alert: Alert
  readonly error: PlumblineError
}

const wordsOf = (error: unknown): SinkError => ({
  code: error instanceof PlumblineError ? error.code : 'UNEXPECTED',
  message: error instanceof Error ? error.message : 'unknown error',
})

interface Readable {
  readonly alert: Alert
}

const isReadable = (entry: SourcedAlert): entry is SourcedAlert & Readable => entry.alert !== null

/** Hands alerts on to one sink. */
export interface Pump {
  wake(): void
  drain(): Promise<void>
  counts(): Counts
  days(): readonly BudgetDay[]
  status(): SinkStatus
  close(): Promise<void>
}

export const startPump = async (sink: AlertSink, options: ForwarderOptions, { onDecision, onSink }: Told): Promise<Pump> => {
  const { source, store, batch = 200, retryPauseMs = 1000 } = options
  const perDay = typeof options.budgetPerDay === 'number' ? () => options.budgetPerDay as number : options.budgetPerDay
  const name = `forwarder:${sink.name}`
  const saved = savedOf(await store.load(name))
  let cursor = saved?.cursor ?? 0
  let budget = new AlertBudget(perDay, saved?.budget)
  let counts: Counts = saved?.counts ?? { delivered: 0, held: 0, historic: 0 }
  const stats = { delivered: 0, refused: 0, failures: 0, waiting: null as SinkError | null, lastRefusal: null as SinkError | null }
  let closed = false
  let wanted = true
  let signal = Promise.withResolvers<void>()
  let waiting: (() => void)[] = []

  /** Alerts that the sink will never take, found one by one, so that one bad alert costs no other its delivery. */
  const send = async (alerts: readonly Alert[]): Promise<Refusal[]> => {
    try {
      if (alerts.length > 0) await sink.deliver(alerts)
      return []
    } catch (error) {
      if (!(error instanceof PlumblineError) || error.retryable) throw error
      if (alerts.length === 1) return [{ alert: alerts[0]!, error }]
      const refused: Refusal[] = []
      for (const alert of alerts) refused.push(...(await send([alert])))
      return refused
    }
  }

  /** Counted once the batch is saved: a batch that is sent again counts once. */
  const count = (sent: number, refused: readonly Refusal[], damaged: readonly SourcedAlert[]): void => {
    stats.waiting = null
    for (const { cursor: at } of damaged) {
      stats.refused++
      stats.lastRefusal = { code: 'ALERT_DAMAGED', message: `Entry ${at} of the outbox is no alert that can be read.` }
      onSink?.({ sink: sink.name, outcome: 'damaged', cursor: at, error: stats.lastRefusal })
    }
    stats.delivered += sent - refused.length
    stats.refused += refused.length
    if (sent > refused.length) onSink?.({ sink: sink.name, outcome: 'delivered', alerts: sent - refused.length })
    for (const { alert, error } of refused) {
      stats.lastRefusal = wordsOf(error)
      onSink?.({ sink: sink.name, outcome: 'refused', alert, error: stats.lastRefusal })
    }
  }

  const save = async (at: number, trial: AlertBudget, next: Counts): Promise<void> => {
    await store.save(name, bytesOf({ v: 1, cursor: at, budget: trial.state(), counts: next }), at)
    cursor = at
    budget = trial
    counts = next
  }

  /** Nothing came: retention may remove what was passed, so the place behind it is saved. */
  const rest = async (): Promise<false> => {
    const at = source.passed?.(cursor) ?? cursor
    if (at > cursor) await save(at, budget, counts)
    stats.waiting = null
    return false
  }

  /** One batch, all or nothing: decisions are taken on a copy and kept only when delivered and saved. */
  const step = async (): Promise<boolean> => {
    const entries = await source.read(cursor, batch)
    const last = entries.at(-1)
    if (last === undefined) return rest()
    const trial = new AlertBudget(perDay, budget.state())
    const next = { ...counts }
    const decisions = entries.filter(isReadable).map(({ alert }) => ({ alert, delivery: trial.decide(alert) }))
    for (const { delivery } of decisions) next[delivery]++
    const through = decisions.filter((d) => d.delivery === 'delivered').map((d) => d.alert)
    const taken = through.filter((alert) => sink.takes?.(alert) !== false)
    const refused = await send(taken)
    for (const { alert, delivery } of decisions) await onDecision?.(alert, delivery)
    await save(last.cursor, trial, next)
    count(
      taken.length,
      refused,
      entries.filter((entry) => !isReadable(entry)),
    )
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
        while (!closed && (await step())) pause = retryPauseMs
        if (wanted || closed) continue
        settled()
        await signal.promise
      } catch (error) {
        stats.failures++
        stats.waiting = wordsOf(error)
        onSink?.({ sink: sink.name, outcome: 'failed', error: stats.waiting })
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
