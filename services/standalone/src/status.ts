import { STATUS_TENANTS, type StatusView } from '@plumbline/schemas'
import type { TenantProgress } from '@plumbline/trainer'
import type { Context } from './context.ts'
import type { Detection } from './detection.ts'
import { sinksView } from './sinks.ts'
import type { Storage } from './storage.ts'

export interface StatusTracker {
  now(): StatusView
  /** An alert's first revision was decided. */
  countAlert(): void
  start(): void
  stop(): void
}

const TICK_MS = 1000
/** Identities and earlier alerts are counted in the store this often, when something happened. */
const COUNT_EVERY_TICKS = 10

/** Those that the status lists. */
const busiest = (tenants: readonly TenantProgress[]): readonly TenantProgress[] =>
  tenants.length <= STATUS_TENANTS ? tenants : tenants.toSorted((a, b) => b.events - a.events).slice(0, STATUS_TENANTS)

/** Numbers of the running parts, gathered once a second; `now` only reads them. */
export const createStatus = (parts: Context): StatusTracker => {
  const { metrics } = parts
  let timer: NodeJS.Timeout | undefined
  let ticks = 0
  let rate = 0
  let scored = 0
  let identities = 0
  let alerts = 0
  let countedAt = -1
  let known: { events: number; tenants: number; models: StatusView['model'] } = { events: 0, tenants: 0, models: [] }
  const seen: Record<string, number> = {}

  /** Growth of a running total since the last look. */
  const grown = (name: string, total: number): number => {
    const by = Math.max(0, total - (seen[name] ?? 0))
    seen[name] = total
    return by
  }

  const observe = (detection: Detection): void => {
    const { counters, slots } = detection.detector
    const events = grown('events', counters.events)
    rate = rate * 0.5 + events * 0.5
    scored += events
    metrics.plumbline_events_late_total.inc(grown('late', counters.late))
    metrics.plumbline_events_duplicate_total.inc(grown('duplicates', counters.duplicates))
    metrics.plumbline_sessions_overflow_total.inc(grown('sessionsOverflow', counters.sessionsOverflow))
    for (const [reason, total] of Object.entries(counters.quiet))
      metrics.plumbline_alerts_suppressed_total.inc({ reason }, grown(`quiet:${reason}`, total))
    metrics.plumbline_identities_resident.set(slots.resident)
    metrics.plumbline_identities_evicted_total.inc(grown('evictions', slots.evictions))
    metrics.plumbline_lag_events.set(detection.lag())
    const tenants = detection.tenants()
    known = {
      events: tenants.reduce((sum, tenant) => sum + tenant.events, 0),
      tenants: tenants.length,
      models: busiest(tenants).map(({ name }) => {
        const release = detection.releaseOf(name)
        return { tenant: name, releaseId: release?.id ?? 'release-0', trained: release?.trained ?? false }
      }),
    }
  }

  const countInStore = async (storage: Storage): Promise<void> => {
    const store = storage.reader()
    const [row] = await store.rows<{ identities: number; alerts: number }>(
      `SELECT (SELECT uniqExact(tenant, identity) FROM ${store.database}.identities) AS identities,
              (SELECT uniqExact(tenant, id) FROM ${store.database}.alerts WHERE historic = 0) AS alerts`,
    )
    identities = Number(row?.identities ?? 0)
    alerts = Math.max(alerts, Number(row?.alerts ?? 0))
  }

  const tick = (): void => {
    const { detection, storage } = parts
    if (detection !== null) observe(detection)
    if (storage !== null) {
      metrics.plumbline_recorder_lag_rows.set(recorderLag())
      metrics.plumbline_recorder_rows_total.inc(grown('rows', storage.recorder.health().rows))
    }
    ticks++
    if (storage === null || !storage.state().up || (countedAt >= 0 && (ticks % COUNT_EVERY_TICKS !== 0 || countedAt === known.events)))
      return
    countedAt = known.events
    countInStore(storage).catch(() => {
      countedAt = -1
    })
  }

  const recorderLag = (): number => Object.values(parts.storage?.recorder.health().topics ?? {}).reduce((sum, { rows }) => sum + rows, 0)

  const phase = (): string => {
    if (parts.log === null) return 'opening the log'
    if (parts.detection === null) return 'starting'
    const demo = parts.demo?.progress()
    if (demo !== null && demo !== undefined) return demo.doing
    const job = parts.trainer?.job()
    if (job !== null && job !== undefined) return `learning what is normal for ${job.tenant}`
    if (parts.storage?.state().up !== true) return 'starting the store'
    return 'waiting for events'
  }

  return {
    now: () => ({
      ready: parts.phase === 'ready',
      phase: phase(),
      progress: parts.demo?.progress()?.done ?? null,
      eventsPerSecond: Math.round(rate * 10) / 10,
      events: known.events,
      alerts,
      held: parts.forwarder?.status().held ?? 0,
      deadLetters: parts.log?.outbox.head('dead-letters') ?? 0,
      identities,
      recorderLag: recorderLag(),
      tenants: known.tenants,
      model: known.models,
      demo: parts.demo?.present() ?? false,
      sinks: sinksView(parts.forwarder?.status().sinks ?? []),
    }),
    countAlert: () => {
      alerts++
    },
    start() {
      timer = setInterval(tick, TICK_MS)
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
