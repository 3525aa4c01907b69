import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeploymentLog } from '@plumbline/detector'
import { alertIn, type Incident, OutboxTrimmed, PlumblineError } from '@plumbline/schemas'
import { Correlator, type CorrelatorCounters } from './core/correlator.ts'
import { LATENESS_MS, type Limits } from './core/limits.ts'
import { RowReader } from './rows.ts'
import { packState, STATE, type Stored, unpackState } from './state.ts'
import { createWatermark, type Watermark } from './watermark.ts'

/** Places where a test may stop the process. */
export type CorrelatorPoint = 'correlator:read' | 'correlator:storing' | 'correlator:stored' | 'correlator:advanced'

export interface CorrelatorServiceOptions {
  readonly log: Pick<DeploymentLog, 'outbox' | 'kv' | 'ingest' | 'shards' | 'head'>
  readonly limits?: Partial<Limits>
  /** Monotonic, ms. */
  readonly clock?: () => number
  /** Called once they are stored. */
  readonly onIncidents?: (incidents: readonly Incident[]) => void
  /** What is in the way; tried again by itself where that can help. */
  readonly onError?: (error: unknown) => void
  /** Entries that retention removed before they were read. */
  readonly onGap?: (gap: OutboxTrimmed) => void
  readonly onPoint?: (point: CorrelatorPoint) => void
  /** Without incidents, how far it is is stored this often, ms. Default 30,000. */
  readonly saveMs?: number
}

export interface CorrelatorHealth extends CorrelatorCounters {
  readonly error: string | null
  readonly incidents: number
  readonly rows: number
  /** End of the last closed window, ms since epoch. */
  readonly closed: number
  /** What memory had no room for. */
  readonly forgotten: number
  readonly lagRows: number
}

export interface CorrelatorService {
  start(): Promise<void>
  /** Stores how far it is. */
  stop(): Promise<void>
  /** Reads what is there and closes what can be closed; for tests and for who waits. */
  step(): Promise<readonly Incident[]>
  /** Forgets a tenant, or one identity of it; resolves once that is stored. */
  forget(tenant: string, identity?: string): Promise<void>
  health(): CorrelatorHealth
}

const CONSUMER = 'correlator'
const READ_BYTES = 4 * 1024 * 1024
const LOOK_MS = 1_000
/** With fewer rows waiting than this more are waited for. */
const SMALL_ROWS = 2_000
const GATHER_MS = 200
const BACKOFF_MS = [100, 500, 2_000, 10_000] as const
/** What named values take, with room to spare; beyond it older memory goes. */
const MOST_STATE_BYTES = 4 * 1024 * 1024

interface State {
  readonly core: Correlator
  readonly rows: RowReader
  readonly scored: number[]
  alerts: number
  saves: number
  readonly watermark: Watermark
}

/**
 * Reads what all shards put out and writes incidents. Where it is, what it remembers and what it tells are stored in one
 * transaction of the log: after a crash it goes on from there, and tells nothing twice. One at a time may run.
 */
export const createCorrelator = (options: CorrelatorServiceOptions): CorrelatorService => {
  const { log, limits = {}, clock = () => performance.now(), onIncidents, onError, onGap, onPoint = () => {}, saveMs = 30_000 } = options
  /** An older state that is put back must not find the keys of what was stored after it. */
  const run = randomUUID()
  let state: State | null = null
  let running = false
  let error: string | null = null
  let told = 0
  let read = 0
  let dirty = false
  let savedAt = clock()
  let lookedAt = Number.NEGATIVE_INFINITY
  let wake: (() => void) | null = null
  let loop: Promise<void> = Promise.resolve()
  let unsubscribe = (): void => {}
  let turn: Promise<unknown> = Promise.resolve()

  const load = (): State => {
    const bytes = log.kv.get(STATE)
    const stored: Stored | undefined = bytes === undefined || bytes.length === 0 ? undefined : unpackState(bytes)
    const lanes = log.outbox.lanes('scored')
    return {
      core: new Correlator(limits, stored?.core),
      rows: new RowReader(),
      scored: Array.from({ length: lanes }, (_, lane) => stored?.scored[lane] ?? 0),
      alerts: stored?.alerts ?? 0,
      saves: stored?.saves ?? 0,
      watermark: createWatermark(log, clock, stored?.arrivals),
    }
  }

  /** Entries after a place; where retention took some of them, those behind the gap. */
  const readLane = async (topic: 'scored' | 'alerts', after: number, lane: number) => {
    try {
      const entries = await log.outbox.read(topic, after, READ_BYTES, undefined, lane)
      return { entries, at: entries.at(-1)?.sequence ?? Math.max(after, log.outbox.passed(topic, after, lane)) }
    } catch (cause) {
      if (!(cause instanceof OutboxTrimmed)) throw cause
      onGap?.(cause)
      return { entries: [], at: cause.firstThere - 1 }
    }
  }

  const readRows = async ({ core, rows, scored, watermark }: State): Promise<boolean> => {
    let any = false
    const before = rows.rows
    for (let lane = 0; lane < scored.length; lane++) {
      const { entries, at } = await readLane('scored', scored[lane]!, lane)
      for (const { payload, schemaVersion, shard } of entries)
        watermark.note(
          shard,
          rows.read(payload, schemaVersion, (signal) => core.add(signal)),
        )
      any ||= at > scored[lane]!
      scored[lane] = at
    }
    read += rows.rows - before
    return any
  }

  /** All that are there: an alert is seen no later than its row, which was stored with it. */
  const readAlerts = async (at: State): Promise<void> => {
    for (let more = true; more; ) {
      const read = await readLane('alerts', at.alerts, 0)
      for (const { payload } of read.entries) {
        const alert = alertIn(payload)
        if (alert === null || alert.historic) continue
        const { shard, offset } = alert.replay.position
        at.core.addAlert({ tenant: alert.facts.tenant, id: alert.id, severity: alert.severity, time: alert.facts.time, shard, offset })
      }
      more = read.at > at.alerts
      at.alerts = read.at
    }
  }

  const packed = ({ core, scored, alerts, saves, watermark }: State): Uint8Array => {
    const pack = (): Uint8Array => packState({ saves: saves + 1, scored, alerts, arrivals: watermark.entries(), core: core.pack() })
    let bytes = pack()
    while (bytes.length > MOST_STATE_BYTES && core.shrink()) bytes = pack()
    return bytes
  }

  /** The same request again and again until it is known to be stored, under a key that makes it one. */
  const save = async (at: State, incidents: readonly Incident[]): Promise<void> => {
    const values = { [STATE]: packed(at) }
    const idempotency = { tenant: '', key: `${CONSUMER}:${run}:${at.saves + 1}`, answer: new Uint8Array(0), nowMs: Date.now() }
    onPoint('correlator:storing')
    for (let tries = 0; ; tries++) {
      try {
        await log.ingest({ records: [], rows: { incidents }, values, idempotency })
        break
      } catch (cause) {
        const { retryable } = cause as Partial<PlumblineError>
        if (retryable !== true || (!running && tries >= BACKOFF_MS.length)) throw cause
        fail(cause)
        await pause(BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)]!)
      }
    }
    onPoint('correlator:stored')
    at.saves++
    savedAt = clock()
    dirty = false
    for (const [lane, sequence] of at.scored.entries()) await log.outbox.advance(CONSUMER, 'scored', sequence, lane)
    await log.outbox.advance(CONSUMER, 'alerts', at.alerts)
    onPoint('correlator:advanced')
    told += incidents.length
    if (incidents.length > 0) onIncidents?.(incidents)
  }

  const lagRows = (): number => (state?.scored ?? []).reduce((sum, after, lane) => sum + log.outbox.lag('scored', after, lane).rows, 0)

  /** Asked for now: what this process has heard of may be older than what is known of the shards. */
  const readLanes = async ({ scored }: State): Promise<(shard: number) => boolean> => {
    const ends = await Promise.all(scored.map((_, lane) => log.outbox.end('scored', lane)))
    return (shard) => scored[shard % scored.length]! >= ends[shard % scored.length]!
  }

  const cycle = async (closing: boolean): Promise<{ readonly any: boolean; readonly incidents: readonly Incident[] }> => {
    state ??= load()
    const at = state
    try {
      const any = await readRows(at)
      onPoint('correlator:read')
      await readAlerts(at)
      dirty ||= any
      if (!closing) return { any, incidents: [] }
      lookedAt = clock()
      const incidents = at.core.close(at.watermark.now(await readLanes(at)) - LATENESS_MS)
      if (incidents.length > 0 || (dirty && clock() - savedAt >= saveMs)) await save(at, incidents)
      error = null
      return { any, incidents }
    } catch (cause) {
      // What is in memory may be ahead of what is stored: go on from there.
      state = null
      throw cause
    }
  }

  /** One after the other, whoever asks. */
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = turn.then(act)
    turn = mine.catch(() => {})
    return mine
  }

  const fail = (cause: unknown): void => {
    error = cause instanceof Error ? cause.message : String(cause)
    onError?.(cause)
  }

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        wake = null
        resolve()
      }
      const timer = setTimeout(end, ms)
      wake = end
    })

  const work = async (): Promise<void> => {
    for (let failures = 0; running; ) {
      try {
        const { any } = await inTurn(() => cycle(clock() - lookedAt >= LOOK_MS))
        failures = 0
        if (running) await (any && lagRows() >= SMALL_ROWS ? undefined : any ? sleep(GATHER_MS) : pause(LOOK_MS))
      } catch (cause) {
        fail(cause)
        if (running) await pause(BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)]!)
      }
    }
  }

  return {
    async start() {
      if (running) return
      await log.outbox.register(CONSUMER, ['scored', 'alerts'])
      running = true
      unsubscribe = log.outbox.onEntries((topics) => {
        if (error === null && (topics.includes('scored') || topics.includes('alerts'))) wake?.()
      })
      loop = work()
    },
    async stop() {
      running = false
      unsubscribe()
      wake?.()
      await loop
      const at = state
      if (at !== null && dirty) await inTurn(() => save(at, [])).catch(fail)
    },
    step: () => inTurn(async () => (await cycle(true)).incidents),
    forget: (tenant, identity) =>
      inTurn(async () => {
        // What is written of it by now is read first, so that it does not come up again.
        await cycle(true)
        state ??= load()
        state.core.forget(tenant, identity)
        await save(state, [])
      }),
    health: () => ({
      ...(state?.core.counters ?? { signals: 0, late: 0, tooLate: 0, overflow: 0, tenantsForgotten: 0 }),
      error,
      incidents: told,
      rows: read,
      closed: Math.max(0, state?.core.closed ?? 0),
      forgotten: state?.core.forgotten ?? 0,
      lagRows: lagRows(),
    }),
  }
}
