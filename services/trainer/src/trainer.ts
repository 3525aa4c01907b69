import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import { openRelease } from '@plumbline/detector/release'
import type { Logger, Metrics } from '@plumbline/runtime'
import { type DetectionConfig, PlumblineError } from '@plumbline/schemas'
import { signRelease, type SigningKey } from '@plumbline/training'
import { allShards, announce } from './announce.ts'
import { createJobs, type JobResult, type StoreAccess } from './job.ts'
import type { ReleaseEntry, ReleaseStore } from './releases.ts'
import { type Due, due, type Pace, unlearned } from './schedule.ts'

/** What the worker knows of a tenant at this moment. */
export interface TenantProgress {
  readonly name: string
  /** Events scored so far, over all shards. */
  readonly events: number
  readonly groupNames: ReadonlyMap<number, string>
}

export interface TenantPace extends Pace {
  /** Most recorded events that a training reads. */
  readonly maxRows: number
}

export interface TrainerOptions {
  readonly log: Pick<DeploymentLog, 'shards' | 'kv' | 'ingest' | 'head'>
  readonly releases: ReleaseStore
  readonly signingKey: SigningKey
  readonly config: DetectionConfig
  tenants(): readonly TenantProgress[]
  paceOf(tenant: string): TenantPace
  /** Packed slots of those of the identities that have one. */
  slotsOf(tenant: string, identities: readonly string[]): Promise<readonly Uint8Array[]>
  /** ClickHouse, with read access; null while it is away. */
  store(): { readonly reader: Store; readonly access: StoreAccess } | null
  /** Resolves when what is scored now is in ClickHouse. */
  recorded(): Promise<void>
  readonly clock: () => number
  readonly logger?: Pick<Logger, 'info' | 'warn'>
  readonly metrics?: Pick<Metrics, 'plumbline_releases_total' | 'plumbline_training_seconds' | 'plumbline_training_failures_total'>
  /** How often it looks whether something is due. Default 1,000 ms. */
  readonly intervalMs?: number
  /** Tests stop the process here. */
  readonly onPoint?: (point: TrainerPoint) => void
}

export type TrainerPoint = 'trainer:training' | 'trainer:trained' | 'trainer:kept' | 'trainer:announced'

/** Trains each tenant's releases from its recorded history, by itself, when they are due. */
export interface Trainer {
  /** Announces what a former process stored and did not announce, then looks for work regularly. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Resolves when nothing of the tenant is due any more. Rejects with what keeps its training from happening. */
  settle(tenant: string): Promise<void>
  /** As `settle`, and what is in force is then of everything scored before: the end of a history. */
  complete(tenant: string): Promise<void>
  /**
   * Somebody feeds the tenant's history, has brought in events up to `timeMs` (ms since epoch), and settles what becomes
   * due: for half a minute nothing is made by itself, so that each training begins where the history says (C8).
   */
  led(tenant: string, timeMs: number): void
  /** Trains and releases now because somebody asked, whatever is due, and resolves with the release. Rejects with TENANT_UNKNOWN, STORE_UNAVAILABLE and what training throws. */
  trainNow(tenant: string, orderedBy: string): Promise<ReleaseEntry>
  /** Whether something is due with so many events of the tenant scored, as far as known without asking the store. */
  isDue(tenant: string, events: number): boolean
  /** What is being made now, or null. */
  job(): { readonly tenant: string; readonly withModel: boolean } | null
  /** Forgets a removed tenant. */
  forget(tenant: string): void
}

/** Identities whose slots make the statistics of a release; the most recently active. */
const MAX_SLOTS = 20_000
const RETRY_MS = 30_000
const LOOK_MS = 60_000
const LED_MS = 30_000
const ANNOUNCED = 'release:announced:'

export const createTrainer = (options: TrainerOptions): Trainer => {
  const { log, releases, config, clock, onPoint = () => {} } = options
  const abort = new AbortController()
  const aborted = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve(), { once: true }))
  const lastTimes = new Map<string, { readonly atMs: number; readonly events: number; readonly time: number }>()
  const retryAt = new Map<string, number>()
  const leads = new Map<string, { readonly untilMs: number; readonly time: number }>()
  const jobs = createJobs()
  let current: { tenant: string; withModel: boolean } | null = null
  let queue: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  /** Newest event time of the tenant as recorded; asked for at most once a minute, and only when events came. */
  const refreshTime = async (tenant: TenantProgress, force: boolean): Promise<number> => {
    const known = lastTimes.get(tenant.name)
    const fresh = known !== undefined && (known.events === tenant.events || (!force && clock() - known.atMs < LOOK_MS))
    const source = options.store()
    if (fresh || source === null) return known?.time ?? 0
    const { reader } = source
    const [row] = await reader.rows<{ time: number }>(
      `SELECT toUnixTimestamp64Milli(max(last_seen)) AS time FROM ${reader.database}.identities WHERE tenant = {tenant:String}`,
      { tenant: tenant.name },
    )
    const time = row?.time ?? 0
    lastTimes.set(tenant.name, { atMs: clock(), events: tenant.events, time })
    return time
  }

  const dueOf = async (tenant: TenantProgress, force: boolean): Promise<Due> => {
    const known = releases.list(tenant.name)
    const time = known.some(({ modelled }) => modelled) ? await refreshTime(tenant, force) : 0
    const lastTime = Math.max(time, leads.get(tenant.name)?.time ?? 0)
    return due(known, options.paceOf(tenant.name), { events: tenant.events, lastTime: () => lastTime })
  }

  const slotsOf = async (tenant: string, reader: Store): Promise<readonly Uint8Array[]> => {
    const rows = await reader.rows<{ identity: string }>(
      `SELECT identity FROM ${reader.database}.identities WHERE tenant = {tenant:String} GROUP BY identity ORDER BY max(last_seen) DESC LIMIT ${MAX_SLOTS}`,
      { tenant },
    )
    return options.slotsOf(
      tenant,
      rows.map(({ identity }) => identity),
    )
  }

  const announceEntry = async (tenant: string, entry: ReleaseEntry): Promise<void> => {
    const { id: releaseId, sha256, madeAt, orderedBy: actor = 'trainer' } = entry
    const announced = { [ANNOUNCED + tenant]: Buffer.from(sha256) }
    await announce(log, {
      record: { v: 1, type: 'release', controlId: releaseId, tenant, releaseId, sha256 },
      shards: allShards(log.shards),
      nowMs: clock(),
      nonce: sha256,
      rows: {
        releases: [{ time: madeAt, tenant, releaseId, sha256, body: entry }],
        audit: [{ time: clock(), tenant, actor, action: 'release', target: releaseId, body: entry }],
      },
      values: announced,
    })
    // One that an earlier build announced without its value.
    if (Buffer.from(log.kv.get(ANNOUNCED + tenant) ?? []).toString() !== sha256) await log.kv.put(announced)
    onPoint('trainer:announced')
    options.metrics?.plumbline_releases_total.inc({ kind: entry.modelled ? 'model' : 'statistics' })
  }

  /** Signs, verifies what it signed as a worker will, stores, announces. */
  const release = async (tenant: TenantProgress, sequence: number, result: JobResult, orderedBy: string | undefined): Promise<void> => {
    const envelope = signRelease(result.bytes, options.signingKey)
    const afterSequence = releases.list(tenant.name).at(-1)?.sequence ?? 0
    openRelease(result.bytes, envelope, { trustedKeys: [options.signingKey.publicKey], tenant: tenant.name, afterSequence })
    const { id, sha256, modelled, toTime } = result
    const made = { sequence, id, sha256, modelled, events: tenant.events, toTime, madeAt: clock() }
    const entry: ReleaseEntry = orderedBy === undefined ? made : { ...made, orderedBy }
    await releases.keep(tenant.name, entry, result.bytes, envelope)
    onPoint('trainer:kept')
    await announceEntry(tenant.name, entry)
  }

  const train = async (tenant: TenantProgress, withModel: boolean, orderedBy?: string): Promise<void> => {
    const source = options.store()
    if (source === null) throw new PlumblineError('STORE_UNAVAILABLE', 'ClickHouse is not there yet.', { retryable: true })
    current = { tenant: tenant.name, withModel }
    const begun = performance.now()
    try {
      onPoint('trainer:training')
      await Promise.race([options.recorded(), aborted])
      if (abort.signal.aborted) return
      const sequence = (releases.list(tenant.name).at(-1)?.sequence ?? 0) + 1
      const positions = Object.fromEntries(allShards(log.shards).map((shard) => [String(shard), log.head(shard).position]))
      const result = await jobs.run(
        {
          store: source.access,
          tenant: tenant.name,
          sequence,
          maxRows: options.paceOf(tenant.name).maxRows,
          slots: await slotsOf(tenant.name, source.reader),
          groupNames: [...tenant.groupNames],
          config,
          positions,
          withModel,
        },
        abort.signal,
      )
      onPoint('trainer:trained')
      await release(tenant, sequence, result, orderedBy)
      const tookMs = Math.round(performance.now() - begun)
      options.metrics?.plumbline_training_seconds.observe(tookMs / 1000)
      options.logger?.info({ tenant: tenant.name, release: result.id, modelled: result.modelled, rows: result.rows, tookMs }, 'released')
    } finally {
      current = null
    }
  }

  /** Everything that is due for one tenant, one after the other. */
  const work = async (name: string, force: boolean): Promise<void> => {
    for (;;) {
      const tenant = options.tenants().find((t) => t.name === name)
      if (tenant === undefined || abort.signal.aborted) return
      const what = await dueOf(tenant, force)
      if (what === 'none') return
      await train(tenant, what === 'model')
    }
  }

  const queued = <T>(act: () => Promise<T>): Promise<T> => {
    const run = queue.then(act)
    queue = run.catch(() => undefined)
    return run
  }
  const enqueue = (name: string, force: boolean): Promise<void> => queued(() => work(name, force))

  const complete = (name: string): Promise<void> =>
    queued(async () => {
      await work(name, true)
      const tenant = options.tenants().find((t) => t.name === name)
      if (tenant === undefined || abort.signal.aborted) return
      const what = unlearned(releases.list(name), options.paceOf(name), tenant.events)
      if (what !== 'none') await train(tenant, what === 'model')
      leads.delete(name)
    })

  const trainNow = (name: string, orderedBy: string): Promise<ReleaseEntry> =>
    queued(async () => {
      const tenant = options.tenants().find((t) => t.name === name)
      if (tenant === undefined) throw new PlumblineError('TENANT_UNKNOWN', `No event of tenant ${name} was ever scored here.`)
      await train(tenant, true, orderedBy)
      const made = releases.list(name).at(-1)
      if (made === undefined) throw new PlumblineError('TRAINING_ABORTED', 'Training was stopped.', { retryable: true })
      return made
    })

  const look = (): void => {
    if (options.store() === null) return
    for (const { name } of options.tenants()) {
      if (clock() < Math.max(retryAt.get(name) ?? 0, leads.get(name)?.untilMs ?? 0)) continue
      retryAt.set(name, Number.POSITIVE_INFINITY)
      void enqueue(name, false).then(
        () => retryAt.delete(name),
        (error: unknown) => {
          retryAt.set(name, clock() + RETRY_MS)
          if (abort.signal.aborted) return
          options.metrics?.plumbline_training_failures_total.inc()
          options.logger?.warn({ tenant: name, err: error }, 'training failed, will be tried again')
        },
      )
    }
  }

  return {
    async start() {
      for (const name of releases.tenants()) {
        const last = releases.list(name).at(-1)
        const announced = log.kv.get(ANNOUNCED + name)
        if (last !== undefined && Buffer.from(announced ?? []).toString() !== last.sha256) await announceEntry(name, last)
      }
      timer = setInterval(look, options.intervalMs ?? 1000)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      abort.abort()
      await queue
      jobs.stop()
    },
    settle: (tenant) => enqueue(tenant, true),
    complete,
    led(tenant, timeMs) {
      leads.set(tenant, { untilMs: clock() + LED_MS, time: Math.max(timeMs, leads.get(tenant)?.time ?? 0) })
    },
    trainNow,
    isDue(tenant, events) {
      const lastTime = leads.get(tenant)?.time ?? 0
      return due(releases.list(tenant), options.paceOf(tenant), { events, lastTime: () => lastTime }) !== 'none'
    },
    job: () => current,
    forget: (tenant) => {
      lastTimes.delete(tenant)
      retryAt.delete(tenant)
      leads.delete(tenant)
    },
  }
}
