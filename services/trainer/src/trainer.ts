import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import type { Logger, Metrics } from '@plumbline/runtime'
import { type DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { SigningKey } from '@plumbline/training'
import { allShards } from './announce.ts'
import { reasonsAgainst } from './appraisal.ts'
import { createDueNow } from './due-now.ts'
import { createJobs, type JobResult, type StoreAccess } from './job.ts'
import { createModelsInForce } from './model-in-force.ts'
import { createPublisher } from './publish.ts'
import { nextSequence, type ReleaseEntry, type ReleaseStore } from './releases.ts'
import { chooseRelease, reissue, type RestoreRequest } from './restore.ts'
import type { Pace } from './schedule.ts'

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
  readonly metrics?: Pick<
    Metrics,
    'plumbline_releases_total' | 'plumbline_releases_held_total' | 'plumbline_training_seconds' | 'plumbline_training_failures_total'
  >
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
  /** Trains and releases now because somebody asked, whatever is due, and resolves with the release, which may have been held back. Rejects with TENANT_UNKNOWN, STORE_UNAVAILABLE and what training throws. */
  trainNow(tenant: string, orderedBy: string): Promise<ReleaseEntry>
  /**
   * Puts a kept release into force once more, as a release of its own: the one asked for, else the one before the present. Rejects with
   * RELEASE_UNKNOWN, RELEASE_HELD, RELEASE_IN_FORCE, RELEASE_GONE, RELEASE_UNSUPPORTED.
   */
  restore(request: RestoreRequest, orderedBy: string): Promise<ReleaseEntry>
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

export const createTrainer = (options: TrainerOptions): Trainer => {
  const { log, releases, config, clock, onPoint = () => {} } = options
  const abort = new AbortController()
  const aborted = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve(), { once: true }))
  const models = createModelsInForce(releases)
  const due = createDueNow({ releases, models, paceOf: options.paceOf, reader: () => options.store()?.reader ?? null, clock })
  const retryAt = new Map<string, number>()
  const jobs = createJobs()
  const { signingKey, metrics } = options
  const publisher = createPublisher({ log, releases, signingKey, clock, metrics, onPoint })
  let current: { tenant: string; withModel: boolean } | null = null
  let queue: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

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

  /** Signs, stores, and puts into use what nothing speaks against; else the release in force stays, and it is said why. */
  const release = async (
    tenant: TenantProgress,
    sequence: number,
    result: JobResult,
    orderedBy: string | undefined,
  ): Promise<ReleaseEntry> => {
    const { id, sha256, bytes, modelled, appraisal } = result
    // Statistics are of slots: they are as new as the newest event even where no row could be used.
    const toTime = Math.max(result.toTime, modelled ? 0 : await due.lastTime(tenant))
    const held = appraisal === null ? [] : reasonsAgainst(appraisal)
    const entry: ReleaseEntry = {
      sequence,
      id,
      sha256,
      modelled,
      events: tenant.events,
      toTime,
      madeAt: clock(),
      ...(orderedBy === undefined ? {} : { orderedBy }),
      ...(held.length === 0 ? {} : { held }),
    }
    await publisher.publish(tenant.name, entry, { bytes, appraisal })
    return entry
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
      const sequence = nextSequence(releases.list(tenant.name))
      const inForce = withModel ? models.artifact(tenant.name) : null
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
          inForce,
        },
        abort.signal,
      )
      if (withModel && !result.modelled && models.isFormer(tenant.name))
        throw new PlumblineError(
          'TRAINING_ROWS',
          `Too little was scored since the upgrade for a model of tenant ${tenant.name}: ${result.rows} usable rows. The one before stays in force.`,
          { retryable: true },
        )
      onPoint('trainer:trained')
      const { held } = await release(tenant, sequence, result, orderedBy)
      const tookMs = Math.round(performance.now() - begun)
      options.metrics?.plumbline_training_seconds.observe(tookMs / 1000)
      const told = { tenant: tenant.name, release: result.id, modelled: result.modelled, rows: result.rows, tookMs }
      if (held === undefined) options.logger?.info(told, 'released')
      else options.logger?.warn({ ...told, held }, 'a new model was held back, the one before stays in force')
    } finally {
      current = null
    }
  }

  /** Everything that is due for one tenant, one after the other. */
  const work = async (name: string, force: boolean): Promise<void> => {
    for (;;) {
      const tenant = options.tenants().find((t) => t.name === name)
      if (tenant === undefined || abort.signal.aborted) return
      const what = await due.of(tenant, force)
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
      const what = await due.atTheEnd(tenant)
      if (what !== 'none') await train(tenant, what === 'model')
      due.endLead(name)
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

  const restore = (request: RestoreRequest, orderedBy: string): Promise<ReleaseEntry> =>
    queued(async () => {
      const { tenant } = request
      const origin = chooseRelease(releases.list(tenant), request)
      const events = options.tenants().find(({ name }) => name === tenant)?.events ?? 0
      const { entry, bytes } = reissue(releases, origin, { tenant, events, madeAt: clock(), orderedBy })
      await publisher.publish(tenant, entry, { bytes, appraisal: releases.appraisal(origin.sha256) ?? null })
      options.logger?.info({ tenant, release: entry.id, restores: origin.id }, 'an earlier release is in force again')
      return entry
    })

  const look = (): void => {
    if (options.store() === null) return
    for (const { name } of options.tenants()) {
      if (clock() < (retryAt.get(name) ?? 0) || due.isLed(name)) continue
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
      await publisher.resume()
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
    led: due.led,
    trainNow,
    restore,
    isDue: due.known,
    job: () => current,
    forget(tenant) {
      due.forget(tenant)
      retryAt.delete(tenant)
    },
  }
}
