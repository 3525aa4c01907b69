import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { AddressInfo } from 'node:net'
import { openEmbeddedLog, type EmbeddedLog } from '@plumbline/adapters/lmdb'
import { createConsole, type Console, tokenCheck } from '@plumbline/console'
import { createDoor, createGateway, createIngestClock, type IngestPort } from '@plumbline/gateway'
import {
  createHealth,
  createLifecycle,
  createLogger,
  createMetrics,
  DATA_LAYOUT,
  type Logger,
  type Part,
  removeInstanceFile,
  writeInstanceFile,
} from '@plumbline/runtime'
import { DetectionConfig, type EventInput, PlumblineError } from '@plumbline/schemas'
import { createReleaseStore, createTrainer, type ReleaseStore, signingKeyIn, type Trainer } from '@plumbline/trainer'
import { type BackfillOptions, type BackfillSummary, createBackfill } from './backfill.ts'
import { createConsoleStores } from './console-ports.ts'
import type { StandaloneConfig } from './config.ts'
import { startDelivery } from './delivery.ts'
import { createDemo, DEMO_TENANT } from './demo/demo.ts'
import { createDetection, type Detection, pinnedConfig } from './detection.ts'
import { createHousekeeping } from './housekeeping.ts'
import { createIngestWatch } from './ingest-watch.ts'
import { createPace } from './pace.ts'
import { createPolicyLoader, type PolicyLoader } from './policy.ts'
import { createRemoval } from './removal.ts'
import { signingKeyPath, tokenFor } from './secrets.ts'
import { createStatus, type Parts } from './status.ts'
import { checkStoreIsPossible, createStorage } from './storage.ts'
import { createVerdicts } from './verdicts.ts'

export interface StandaloneHooks {
  /** Called as soon as the page answers, long before everything is up. */
  readonly onListening?: (at: { readonly url: string; readonly token: string }) => void
  readonly logger?: Logger
}

export interface Standalone {
  readonly url: string
  readonly token: string
  /** Learns from history before a tenant's live data; see createBackfill. */
  backfill(events: Iterable<EventInput> | AsyncIterable<EventInput>, options: BackfillOptions): Promise<BackfillSummary>
  /** Stops in reverse order, each part for a bounded time. Never throws; resolves with what went wrong. */
  stop(): Promise<readonly PlumblineError[]>
}

const DEFAULT_TENANT = 'default'
/** A demo of 15 days is trained once; its next training would come after it. */
const DEMO_RETRAIN_DAYS = 30

/**
 * Everything in one process on embedded parts. Resolves when events are taken in and scored; the store and the demo go
 * on coming up in the background. Errors: PART_START_FAILED with the cause: HTTP_PORT_TAKEN, DATA_DIR_LOCKED,
 * ENGINE_UNAVAILABLE, and what the parts throw; whatever had started is stopped again before.
 */
export const startStandalone = async (config: StandaloneConfig, hooks: StandaloneHooks = {}): Promise<Standalone> => {
  const dataDir = resolve(config.dataDir)
  checkStoreIsPossible(config.clickhouseUrl)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const token = tokenFor(dataDir, config.token)
  const logger =
    hooks.logger ??
    createLogger({ name: 'plumbline', level: config.logLevel, destination: { write: (line) => void process.stderr.write(line) } })
  const clock = createIngestClock()
  const metrics = createMetrics({ process: true })
  const health = createHealth()
  const startedAt = Date.now()

  const parts: Parts = { log: null, detection: null, forwarder: null, storage: null, trainer: null, demo: null }
  let ready = false
  health.register('started', () => (ready ? { ok: true } : { ok: false, detail: 'starting or stopping' }))
  let url = ''
  let policy: PolicyLoader | null = null
  let delivery: Awaited<ReturnType<typeof startDelivery>> | null = null
  let verdicts: ReturnType<typeof createVerdicts> | null = null
  let releases: ReleaseStore | null = null
  const storeUp = Promise.withResolvers<void>()
  let stopping = false

  const notYet = (what: string): never => {
    throw new PlumblineError('STARTING', `${what} is not there yet.`, { retryable: true })
  }
  const reader = () => (parts.storage ?? notYet('The store')).reader()
  const port: IngestPort = { ingest: async (batch) => (parts.log ?? notYet('The log')).ingest(batch) }
  const pressure = (): string | undefined => {
    if (stopping) return 'The service is stopping.'
    if (parts.detection === null) return 'The service is starting.'
    const lag = parts.detection.lag()
    return lag > config.maxLagEvents ? `${lag} events wait to be scored.` : undefined
  }

  const watch = createIngestWatch()
  const status = createStatus(parts, metrics, () => ready)
  const heldIds = (): ReadonlySet<string> => new Set(parts.forwarder?.status().days.flatMap((day) => day.worst.map(({ id }) => id)))
  let web: Console | null = null

  const app = createGateway({
    port,
    shards: config.shards,
    credentials: [{ id: 'main', token, ...(config.tenant === undefined ? {} : { tenant: config.tenant }) }],
    clock,
    metrics,
    health,
    log: logger,
    pressure,
    onAccepted: (notices) => watch.accepted(notices),
    version: '0.1.0',
  })

  const writeInstance = (): void => {
    const access = parts.storage?.access() ?? null
    const store =
      access === null
        ? null
        : { url: access.url, user: access.user ?? 'default', password: access.password ?? '', database: access.database ?? 'plumbline' }
    writeInstanceFile(dataDir, { v: 1, pid: process.pid, startedAt, url, token, store })
  }

  const http: Part = {
    name: 'http',
    async start() {
      const stores = createConsoleStores(reader, (id) => heldIds().has(id))
      web = createConsole({
        token: tokenCheck(token),
        ...stores,
        verdicts: { record: (...args) => (verdicts ?? notYet('The log')).record(...args) },
        status,
        ingest: watch,
        demo: {
          options: () => parts.demo?.options() ?? null,
          play: async (request) => (parts.demo ?? notYet('The demo')).play(request),
          remove: async () => (parts.demo ?? notYet('The demo')).remove(),
        },
        demoTenant: DEMO_TENANT,
        endpoint: endpointOf(config, config.httpPort),
        tenant: config.tenant ?? DEFAULT_TENANT,
        epoch: randomBytes(6).toString('base64url'),
      })
      await app.register(web.routes)
      try {
        await app.listen({ host: config.host, port: config.httpPort })
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
        throw new PlumblineError(
          'HTTP_PORT_TAKEN',
          `Port ${config.httpPort} on ${config.host} is taken. Stop what uses it, or set --http-port or PLUMBLINE_HTTP_PORT.`,
          { cause },
        )
      }
      url = endpointOf(config, (app.server.address() as AddressInfo).port)
      status.start()
      hooks.onListening?.({ url, token })
    },
    async stop() {
      status.stop()
      await app.close()
    },
  }

  const logPart: Part = {
    name: 'log',
    async start() {
      const log = await openEmbeddedLog({ dir: join(dataDir, DATA_LAYOUT.log), shards: config.shards })
      parts.log = log
      health.register('log', () => ({ ok: parts.log !== null }))
      await log.publish('audit', [
        { time: clock(), tenant: '', actor: 'service', action: 'start', target: log.id, body: { version: '0.1.0' } },
      ])
    },
    async stop() {
      const { log } = parts
      parts.log = null
      await log?.close()
    },
  }

  const detectionPart: Part = {
    name: 'detection',
    async start() {
      const log = openLog(parts)
      const key = signingKeyIn(signingKeyPath(dataDir))
      releases = createReleaseStore(log.kv, [key.publicKey])
      const { shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays } = config
      const detectionConfig = await pinnedConfig(
        log,
        DetectionConfig.parse({ shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays }),
      )
      const detection = createDetection({
        log,
        releases,
        config: detectionConfig,
        residentIdentities: config.residentIdentities,
        logger,
        metrics,
      })
      verdicts = createVerdicts({ log, reader, clock })
      await verdicts.resume()
      detection.start()
      health.register('shards', () => {
        const stopped = detection
          .worker()
          .stats()
          .shards.filter(({ phase }) => phase === 'stopped')
        return {
          ok: stopped.length === 0,
          ...(stopped.length === 0 ? {} : { detail: `${stopped.length} shards stopped: ${stopped[0]?.error ?? ''}` }),
        }
      })
      parts.detection = detection
      parts.storage = createStorage({
        log,
        dir: join(dataDir, DATA_LAYOUT.store),
        clickhouseUrl: config.clickhouseUrl,
        engineMemoryBytes: config.engineMemoryMb * 1024 * 1024,
        retentionDays: config.storeRetentionDays,
        logger,
        metrics,
        onUp: () => {
          storeUp.resolve()
          writeInstance()
        },
      })
      const storage = parts.storage
      parts.trainer = createTrainer({
        log,
        releases,
        signingKey: key,
        config: detectionConfig,
        tenants: detection.tenants,
        paceOf: (tenant) =>
          tenant === DEMO_TENANT
            ? { trainAfterEvents: config.demoTrainAfterEvents, retrainEveryDays: DEMO_RETRAIN_DAYS, maxRows: config.trainingRows }
            : { trainAfterEvents, retrainEveryDays, maxRows: config.trainingRows },
        placeOf: detection.placeOf,
        store: () => {
          const access = storage.access()
          return access === null ? null : { reader: storage.reader(), access }
        },
        recorded: () => storage.recorder.drained(),
        clock,
        logger,
        metrics,
      })
    },
    stop: () => parts.detection?.stop(),
  }

  const deliveryPart: Part = {
    name: 'delivery',
    async start() {
      delivery = await startDelivery({
        log: openLog(parts),
        config,
        alertsFile: resolve(config.alertsFile ?? join(dataDir, DATA_LAYOUT.findings)),
        demoTenant: DEMO_TENANT,
        onDecision: (alert, decision) => {
          metrics.plumbline_alerts_total.inc({ severity: alert.severity, delivery: decision })
          if (alert.revision === 1 && decision !== 'historic') status.countAlert()
          web?.publish(alert, decision)
        },
      })
      parts.forwarder = delivery.forwarder
    },
    stop: () => delivery?.stop(),
  }

  const storePart: Part = {
    name: 'store',
    async start() {
      await parts.storage?.start()
      health.register('store', () => {
        const state = parts.storage?.state()
        return { ok: state?.up === true, detail: state?.detail ?? 'starting' }
      })
    },
    stop: () => parts.storage?.stop(),
    stopTimeoutMs: 20_000,
  }

  const trainerPart: Part = { name: 'trainer', start: () => parts.trainer?.start(), stop: () => parts.trainer?.stop() }

  const policyPart: Part = {
    name: 'policy',
    async start() {
      const tenants = () =>
        [...new Set([config.tenant ?? DEFAULT_TENANT, ...(parts.detection?.tenants() ?? []).map(({ name }) => name)])].filter(
          (name) => name !== DEMO_TENANT,
        )
      policy = createPolicyLoader({ log: openLog(parts), path: resolve(config.policyFile), tenants, clock, logger })
      await policy.start()
    },
    stop: () => policy?.stop(),
  }

  const housekeeping: Part = (() => {
    let keeper: ReturnType<typeof createHousekeeping> | null = null
    return {
      name: 'housekeeping',
      start() {
        keeper = createHousekeeping(openLog(parts), config.logRetentionDays, clock, logger)
        keeper.start()
      },
      stop: () => keeper?.stop(),
    }
  })()

  const paceOf = (detection: Detection, trainer: Trainer) =>
    createPace({
      trainer,
      scored: (tenant) => detection.tenants().find(({ name }) => name === tenant)?.events ?? 0,
      lag: detection.lag,
      storeUp: storeUp.promise,
      logger,
    })
  const backfill: Standalone['backfill'] = async (events, options) => {
    const { detection, trainer, storage } = parts
    if (detection === null || trainer === null || storage === null) return notYet('The service')
    await storeUp.promise
    const { recorder } = storage
    const run = createBackfill({
      log: openLog(parts),
      pace: paceOf(detection, trainer),
      lag: detection.lag,
      recorded: () => recorder.drained(),
      reader,
      clock,
    })
    return run(events, options)
  }

  const demoPart: Part = {
    name: 'demo',
    start() {
      const { detection, trainer, storage, forwarder } = parts
      const log = openLog(parts)
      if (detection === null || trainer === null || storage === null || forwarder === null || releases === null) return
      const demo = createDemo({
        log,
        door: createDoor({ port, shards: config.shards, clock, metrics }),
        pace: paceOf(detection, trainer),
        seed: config.demoSeed,
        clock,
        logger,
        lag: detection.lag,
        shown: () => forwarder.drain(),
        removeTenant: createRemoval({ log, detection, releases, trainer, storage, clock, logger }),
      })
      parts.demo = demo
      if (config.demo) demo.start()
    },
    stop: () => parts.demo?.stop(),
  }

  const lifecycle = createLifecycle(
    [http, logPart, detectionPart, deliveryPart, storePart, trainerPart, policyPart, housekeeping, demoPart],
    logger,
  )
  const stop = async (): Promise<readonly PlumblineError[]> => {
    stopping = true
    ready = false
    // Whoever waits for the store must not keep the stop waiting.
    storeUp.resolve()
    const errors = await lifecycle.stop()
    removeInstanceFile(dataDir)
    return errors
  }
  await lifecycle.start()
  writeInstance()
  ready = true
  return { url, token, backfill, stop }
}

const openLog = (parts: Parts): EmbeddedLog => {
  if (parts.log === null) throw new PlumblineError('STARTING', 'The log is not there yet.', { retryable: true })
  return parts.log
}

/** How this machine reaches the service: an address that listens everywhere is shown as localhost. */
const endpointOf = (config: StandaloneConfig, port: number): string => {
  const everywhere = config.host === '0.0.0.0' || config.host === '::'
  const host = everywhere || config.host === '127.0.0.1' ? 'localhost' : config.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
