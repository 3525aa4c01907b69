import type { BudgetDay } from '@plumbline/adapters/siem'
import type { StatusSource, Tenants } from '@plumbline/console'
import { STATUS_TENANTS, type StatusView } from '@plumbline/schemas'
import { heldBackOf, type TenantProgress } from '@plumbline/trainer'
import { createDetectorCounts } from '@plumbline/worker'
import type { Context } from './context.ts'
import { DEMO_TENANT } from './demo/demo.ts'
import type { Detection } from './detection.ts'
import { sinksView } from './sinks.ts'
import type { Storage } from './storage.ts'

export interface StatusTracker extends StatusSource {
  start(): void
  stop(): void
}

const TICK_MS = 1000
/** Workers elsewhere tell how far they are every 2 s, so fewer ticks would show a rate that jumps. */
const RATE_TICKS = 4
/** Identities and dead letters are counted in the store this often, when something happened. */
const COUNT_EVERY_TICKS = 10

/** Alert groups of this UTC day, of one tenant. */
interface Today {
  readonly delivered: number
  readonly held: number
}

interface InStore {
  readonly tenant: string
  readonly identities: number
  readonly letters: number
  readonly historic: number
}

/** By tenant. */
const todayOf = (days: readonly BudgetDay[], nowMs: number): ReadonlyMap<string, Today> => {
  const today = new Date(nowMs).toISOString().slice(0, 10)
  return new Map(days.filter(({ day }) => day === today).map(({ tenant, delivered, held }) => [tenant, { delivered, held }]))
}

const sum = <T>(items: Iterable<T>, of: (item: T) => number): number => [...items].reduce((total, item) => total + of(item), 0)

/** Those that the status lists. */
const busiest = (tenants: readonly TenantProgress[]): readonly TenantProgress[] =>
  tenants.length <= STATUS_TENANTS ? tenants : tenants.toSorted((a, b) => b.events - a.events).slice(0, STATUS_TENANTS)

/** Numbers of the running parts, gathered once a second; `now` only reads them, once there are any. */
export const createStatus = (parts: Context): StatusTracker => {
  const { metrics } = parts
  let timer: NodeJS.Timeout | undefined
  let ticks = 0
  /** Rows that the recorder had passed on at the last tick. */
  let recorded = 0
  /** Events scored of all tenants at the last ticks. */
  const scored: number[] = []
  /** When the store was counted last: by events and dead letters then. */
  let countedAt = ''
  let known: readonly TenantProgress[] = []
  let today: ReadonlyMap<string, Today> = new Map()
  let inStore: readonly InStore[] = []
  let heldBack: ReadonlyMap<string, string> = new Map()

  const count = createDetectorCounts(metrics)

  const observe = (detection: Detection): void => {
    const totals = detection.totals()
    if (totals !== null) count(totals)
    metrics.plumbline_lag_events.set(detection.lag())
    meet(detection)
    scored.push(sum(known, ({ events }) => events))
    if (scored.length > RATE_TICKS + 1) scored.shift()
  }

  /** Events a second over the last few. */
  const rate = (): number => (scored.length < 2 ? 0 : Math.max(0, (scored.at(-1)! - scored[0]!) / ((scored.length - 1) * (TICK_MS / 1000))))

  const heldOf = (name: string): [string, string][] => {
    const held = heldBackOf(parts.releases?.list(name) ?? [])
    return held === undefined ? [] : [[name, held.id]]
  }

  const meet = (detection: Detection): void => {
    known = detection.tenants()
    heldBack = new Map(busiest(known).flatMap(({ name }) => heldOf(name)))
    today = todayOf(parts.forwarder?.status().days ?? [], Date.now())
  }

  const countInStore = async (storage: Storage): Promise<void> => {
    const store = storage.reader()
    const { database } = store
    const rows = await store.rows<InStore>(
      `SELECT tenant, sum(identities) AS identities, sum(letters) AS letters, sum(historic) AS historic FROM (
         SELECT tenant, uniqExact(identity) AS identities, 0 AS letters, 0 AS historic FROM ${database}.identities GROUP BY tenant
         UNION ALL SELECT tenant, 0, count(), 0 FROM ${database}.dead_letters GROUP BY tenant
         UNION ALL SELECT tenant, 0, 0, uniqExact(id) FROM ${database}.alerts WHERE historic = 1 GROUP BY tenant) GROUP BY tenant`,
    )
    inStore = rows.map((row) => ({
      tenant: row.tenant,
      identities: Number(row.identities),
      letters: Number(row.letters),
      historic: Number(row.historic),
    }))
  }

  const tick = (): void => {
    const { detection, storage } = parts
    if (detection !== null) observe(detection)
    if (storage !== null) {
      metrics.plumbline_recorder_lag_rows.set(recorderLag())
      const { rows } = storage.recording.state()
      if (rows !== null) metrics.plumbline_recorder_rows_total.inc(Math.max(0, rows - recorded))
      recorded = rows ?? recorded
    }
    observeCorrelator()
    ticks++
    const at = `${sum(known, ({ events }) => events)} ${deadLetters()}`
    if (storage === null || !storage.state().up || (countedAt !== '' && (ticks % COUNT_EVERY_TICKS !== 0 || countedAt === at))) return
    countedAt = at
    countInStore(storage).catch(() => {
      countedAt = ''
    })
  }

  const observeCorrelator = (): void => {
    if (parts.correlator === null) return
    const { lagRows, late, tooLate, overflow, tenantsForgotten, forgotten } = parts.correlator.health()
    metrics.plumbline_correlator_lag_rows.set(lagRows)
    const leftOut = { late, too_late: tooLate, overflow, forgotten: forgotten + tenantsForgotten }
    for (const [why, count] of Object.entries(leftOut)) metrics.plumbline_correlator_left_out.set({ why }, count)
  }

  /** All that were ever written, before they are stored. */
  const deadLetters = (): number => parts.log?.outbox.head('dead-letters') ?? 0

  const recorderLag = (): number => parts.storage?.recording.state().lagRows ?? 0

  const modelOf = (name: string): StatusView['model'] => {
    const release = parts.detection?.releaseOf(name) ?? null
    if (release === null) return []
    return [
      { tenant: name, releaseId: release.id, trained: release.trained, alertsFrom: release.alertsFrom, held: heldBack.get(name) ?? null },
    ]
  }

  const countsOf = (name: string): StatusView['counts'][number] => {
    const stored = inStore.find(({ tenant }) => tenant === name)
    return {
      tenant: name,
      alerts: today.get(name)?.delivered ?? 0,
      held: today.get(name)?.held ?? 0,
      historic: stored?.historic ?? 0,
      deadLetters: stored?.letters ?? 0,
      identities: stored?.identities ?? 0,
    }
  }

  const phase = (tenants: Tenants): string => {
    if (parts.log === null) return 'opening the log'
    if (parts.detection === null) return 'starting'
    const demo = parts.demo?.progress()
    if (demo !== null && demo !== undefined) return demo.doing
    const job = parts.trainer?.job()
    if (job !== null && job !== undefined)
      return tenants === null || tenants.includes(job.tenant) ? `learning what is normal for ${job.tenant}` : 'learning what is normal'
    if (parts.storage?.state().up !== true) return 'starting the store'
    const unscored = parts.detection.stopped().length
    if (unscored > 0) return `${unscored} ${unscored === 1 ? 'shard is' : 'shards are'} not scored`
    if (parts.storage.recording.state().problem !== null) return 'rows wait for the store'
    return 'waiting for events'
  }

  return {
    now: (tenants) => {
      // Right after a start the next tick is up to a second away, and what is in the log is known already.
      if (known.length === 0 && parts.detection !== null) meet(parts.detection)
      const demo = parts.demo?.present() ?? false
      // Rows of the removed demo may still be in the last count.
      const mine = ({ tenant }: { readonly tenant: string }): boolean =>
        (tenants === null || tenants.includes(tenant)) && (demo || tenant !== DEMO_TENANT)
      // A tenant that was removed is not among them, so its alerts of today count no more.
      const progress = known.filter(({ name }) => mine({ tenant: name }))
      const listed = busiest(progress)
      const days = progress.flatMap(({ name }) => today.get(name) ?? [])
      const stored = inStore.filter(mine)
      return {
        ready: parts.phase === 'ready',
        phase: phase(tenants),
        progress: parts.demo?.progress()?.done ?? null,
        eventsPerSecond: Math.round(rate() * 10) / 10,
        events: sum(progress, ({ events }) => events),
        alerts: sum(days, ({ delivered }) => delivered),
        held: sum(days, ({ held }) => held),
        deadLetters: tenants === null ? deadLetters() : sum(stored, ({ letters }) => letters),
        identities: sum(stored, ({ identities }) => identities),
        recorderLag: recorderLag(),
        tenants: progress.length,
        model: listed.flatMap(({ name }) => modelOf(name)),
        counts: listed.map(({ name }) => countsOf(name)),
        demo,
        sinks: sinksView(parts.forwarder?.status().sinks ?? []),
      }
    },
    start() {
      timer = setInterval(tick, TICK_MS)
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
