import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDoor } from '@plumbline/gateway'
import {
  type ChangeLine,
  type EraseAnswer,
  type EraseRequest,
  PlumblineError,
  type SettleRequest,
  type TrainAnswer,
} from '@plumbline/schemas'
import type { ReleaseEntry } from '@plumbline/trainer'
import { audit, createFeedAudit } from '../audit.ts'
import { stateOf } from '../change-list.ts'
import type { KnownChange } from '../changes.ts'
import { type Context, logOf, present, readerOf, ruled } from '../context.ts'
import { DEMO_TENANT } from '../demo/demo.ts'
import { createErasure } from '../erasure.ts'
import { paceOf } from '../history-parts.ts'
import { createFeeds, type Feeds } from './feeds.ts'
import { historyOf, liveEventsOf } from './history.ts'
import { linesOf, releaseOf } from './releases.ts'
import type { Operator } from './routes.ts'

/** Long work is asked for again and again; each time it is waited for this long, ms. */
const MOST_WAIT_MS = 10_000

/** The work's result, or undefined when it takes longer than a request should, or the process stops. */
const soon = async <T>(work: Promise<T>, stopping: AbortSignal): Promise<T | undefined> => {
  const enough = new AbortController()
  const signal = AbortSignal.any([stopping, enough.signal])
  const late = sleep(MOST_WAIT_MS, undefined, { signal }).catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    enough.abort()
  }
}

const refuseDemo = (tenant: string): void => {
  if (tenant === DEMO_TENANT)
    throw new PlumblineError('TENANT_RESERVED', `The tenant ${DEMO_TENANT} is reserved for the demo of the service.`)
}

const lineOf = (known: KnownChange, nowMs: number): ChangeLine => {
  const { change, announcedAt, actor } = known
  return { change, state: stateOf(known, nowMs), announcedAt, actor }
}

/** The operator's requests on the parts of this process; each part is asked for when it is needed. */
export const createOperator = (context: Context): Operator => {
  const { signal } = context.stopping
  const { config, clock, metrics } = context
  const feedAudit = createFeedAudit(() => logOf(context), clock)
  let feeds: Feeds | null = null
  const trainings = new Map<string, Promise<ReleaseEntry>>()
  const settling = new Map<string, Promise<void>>()
  const erasing = new Map<string, Promise<number>>()

  const theFeeds = (): Feeds =>
    (feeds ??= createFeeds({
      log: logOf(context),
      doorOver: (port, stamp) =>
        createDoor({
          port: ruled(context, port),
          shards: config.shards,
          clock,
          metrics,
          reservedTenants: [DEMO_TENANT],
          tenants: context.tenants,
          stamp,
        }),
      clock,
      tenant: config.tenant,
      pace: paceOf(context),
      onFeed: feedAudit.begin,
      signal,
    }))

  const train = (tenant: string): Promise<ReleaseEntry> => {
    const known = trainings.get(tenant)
    if (known !== undefined) return known
    const run = audit(logOf(context), clock(), { tenant, actor: 'operator', action: 'train', target: tenant })
      .then(() => context.storeUp.promise)
      .then(() => present(context.trainer, 'The trainer').trainNow(tenant, 'operator'))
    run.catch(() => {})
    trainings.set(tenant, run)
    return run
  }

  /** The one under way for this identity, however often it is asked for, until somebody was told that it is done. */
  const erase = (name: string, request: EraseRequest): Promise<number> => {
    const known = erasing.get(name)
    if (known !== undefined) return known
    const detection = present(context.detection, 'The detector')
    const storage = present(context.storage, 'The store')
    const { logger, removeRecords } = context
    const run = createErasure({
      log: logOf(context),
      detection,
      storage,
      correlator: context.correlator,
      blindSpots: context.blindSpots,
      removeRecords,
      clock,
      logger,
      signal,
    })(request)
    run.catch(() => erasing.delete(name))
    erasing.set(name, run)
    return run
  }

  /** Scored, stored, and every release made that this makes due. */
  const settle = async ({ tenants, complete }: SettleRequest): Promise<void> => {
    while (!(await theFeeds().ready(tenants))) signal.throwIfAborted()
    const detection = present(context.detection, 'The detector')
    const { recording } = present(context.storage, 'The store')
    await detection.drained()
    await recording.drained()
    const trainer = present(context.trainer, 'The trainer')
    for (const tenant of tenants) await (complete ? trainer.complete(tenant) : trainer.settle(tenant))
    await detection.drained()
    await recording.drained()
    await feedAudit.end(tenants)
  }
  /** The one under way for these tenants, however often it is asked for, until somebody was told that it is done. */
  const settled = async (request: SettleRequest): Promise<boolean> => {
    const name = JSON.stringify([request.complete, ...[...request.tenants].sort()])
    let run = settling.get(name)
    if (run === undefined) {
      run = settle(request)
      settling.set(name, run)
      run.catch(() => settling.delete(name))
    }
    const done = await soon(
      run.then(() => true),
      signal,
    )
    if (done === true) settling.delete(name)
    return done === true
  }

  return {
    async feed(header, lines) {
      refuseDemo(header.tenant)
      return theFeeds().take(header, lines)
    },
    async places({ tenant, files }) {
      refuseDemo(tenant)
      await context.storeUp.promise
      return { places: theFeeds().places(tenant, files), live: await liveEventsOf(readerOf(context), tenant) }
    },
    async settle(request) {
      const done = await settled(request)
      return { done, learning: (context.trainer?.job() ?? null) !== null }
    },
    async history({ tenant, under, files }) {
      const span = await theFeeds().span(under, files)
      const models = present(context.releases, 'The log')
        .list(tenant)
        .filter(({ modelled, held, madeAt }) => modelled && held === undefined && madeAt >= span.sinceMs && madeAt <= span.untilMs)
      return { ...(await historyOf(readerOf(context), tenant, span)), models: models.length }
    },
    async releases({ tenant }) {
      return { releases: linesOf(present(context.releases, 'The log'), tenant) }
    },
    async release({ tenant, releaseId }) {
      return releaseOf(present(context.releases, 'The log'), tenant, releaseId)
    },
    async restore(request) {
      const entry = await present(context.trainer, 'The trainer').restore(request, 'operator')
      const { id: releaseId, sha256, modelled, restores = releaseId } = entry
      return { releaseId, sha256, modelled, restores }
    },
    async erase(request): Promise<EraseAnswer> {
      const name = JSON.stringify([request.tenant, request.identity])
      const records = await soon(erase(name, request), signal)
      if (records === undefined) return { state: 'running' }
      erasing.delete(name)
      return { state: 'erased', records }
    },
    async changes({ tenant }) {
      const nowMs = clock()
      return { changes: context.changes.list(tenant).map((known) => lineOf(known, nowMs)) }
    },
    async announce({ tenant, change }) {
      refuseDemo(tenant)
      const id = change.id ?? createHash('sha256').update(JSON.stringify(change)).digest('hex').slice(0, 32)
      return context.changes.announce(tenant, { ...change, id }, 'operator')
    },
    async withdraw({ tenant, id }) {
      const { until } = await context.changes.withdraw(tenant, id, 'operator')
      return { id, wasUntil: until }
    },
    async train({ tenant }): Promise<TrainAnswer> {
      const run = train(tenant)
      const entry = await soon(run, signal).catch((error: unknown) => {
        trainings.delete(tenant)
        throw error
      })
      if (entry === undefined) return { state: 'running' }
      trainings.delete(tenant)
      const { id: releaseId, sha256, modelled, events, held } = entry
      if (held !== undefined) return { state: 'held', releaseId, sha256, reasons: [...held] }
      return { state: 'released', releaseId, sha256, modelled, events }
    },
  }
}
