import { join, resolve } from 'node:path'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { tenantOfValue, tenantValueName } from '@plumbline/gateway'
import { DATA_LAYOUT, type Part, writeInstanceFile } from '@plumbline/runtime'
import { DetectionConfig } from '@plumbline/schemas'
import { createReleaseStore, createTrainer, signingKeyIn } from '@plumbline/trainer'
import { audit } from './audit.ts'
import { type Context, DEFAULT_TENANT, logOf, present, readerOf, VERSION } from './context.ts'
import { startDelivery } from './delivery.ts'
import { DEMO_TENANT } from './demo/demo.ts'
import { createDetection, type Detection, pinnedConfig } from './detection.ts'
import { createHousekeeping } from './housekeeping.ts'
import { createPolicyLoader } from './policy.ts'
import { signingKeyPath } from './secrets.ts'
import { createSinkWatch, sinksDetail } from './sinks.ts'
import { createStorage } from './storage.ts'
import { createVerdicts } from './verdicts.ts'

/** A demo of 15 days is trained once; its next training would come after it. */
const DEMO_RETRAIN_DAYS = 30
/** Three trainings in the demo, the last near its end, so that what is tried is held against all of it. */
const DEMO_GROWTH = 2.5
const STORE_STOP_MS = 20_000

/** Says to other commands on this machine how to reach this instance. A server's credentials are the caller's own. */
export const announceInstance = ({ dataDir, startedAt, url, token, operatorKey, config, storage }: Context): void => {
  const access = config.clickhouseUrl === undefined ? (storage?.access() ?? null) : null
  const store =
    access === null
      ? null
      : { url: access.url, user: access.user ?? 'reader', password: access.password ?? '', database: access.database ?? 'plumbline' }
  writeInstanceFile(dataDir, { v: 1, pid: process.pid, startedAt, url, token, operator: operatorKey, store })
}

export const logPart = (context: Context): Part => ({
  name: 'log',
  async start() {
    const { config, dataDir, clock, health } = context
    const log = await openEmbeddedLog({ dir: join(dataDir, DATA_LAYOUT.log), shards: config.shards })
    context.log = log
    health.register('log', () => ({ ok: context.log !== null }))
    await audit(log, clock(), { tenant: '', actor: 'service', action: 'start', target: log.id, body: { version: VERSION } })
  },
  async stop() {
    const { log, clock } = context
    context.log = null
    if (log === null) return
    // Its row reaches the store at the next start.
    await audit(log, clock(), { tenant: '', actor: 'service', action: 'stop', target: log.id })
    await log.close()
  },
})

/** Tenants as the door stored them, and those that came into the log past it. The demo is no sender's. */
const loadTenants = ({ tenants }: Context, log: EmbeddedLog, detection: Detection): void => {
  const stored = log.kv.list(tenantValueName('')).flatMap((name): [string, string][] => {
    const tenant = tenantOfValue(name)
    const owner = log.kv.get(name)
    return tenant === undefined || owner === undefined ? [] : [[tenant, Buffer.from(owner).toString()]]
  })
  tenants.load(stored)
  tenants.load(detection.tenants().flatMap(({ name }): [string, string][] => (name === DEMO_TENANT ? [] : [[name, '']])))
}

/** Releases, detector and worker, and the verdicts that a crash left half done. */
export const detectionPart = (context: Context): Part => ({
  name: 'detection',
  async start() {
    const { config, logger, metrics, clock, health } = context
    const log = logOf(context)
    const { shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays, residentIdentities } = config
    const wanted = DetectionConfig.parse({ shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays })
    const releases = createReleaseStore(log.kv, [signingKeyIn(signingKeyPath(context.dataDir)).publicKey])
    const detection = createDetection({ log, releases, config: await pinnedConfig(log, wanted), residentIdentities, logger, metrics })
    const verdicts = createVerdicts({ log, reader: () => readerOf(context), clock })
    await verdicts.resume()
    detection.start()
    loadTenants(context, log, detection)
    health.register('shards', () => {
      const stopped = detection.stopped()
      return stopped.length === 0 ? { ok: true } : { ok: false, detail: `${stopped.length} shards stopped: ${stopped[0]}` }
    })
    Object.assign(context, { releases, detection, verdicts })
  },
  stop: () => context.detection?.stop(),
})

export const deliveryPart = (context: Context): Part => {
  let stop = async (): Promise<void> => {}
  return {
    name: 'delivery',
    async start() {
      const { config, dataDir, metrics, health, logger } = context
      const delivery = await startDelivery({
        log: logOf(context),
        config,
        alertsFile: resolve(config.alertsFile ?? join(dataDir, DATA_LAYOUT.findings)),
        demoTenant: DEMO_TENANT,
        onDecision: (alert, decision) => {
          metrics.plumbline_alerts_total.inc({ severity: alert.severity, delivery: decision })
          if (decision === 'held') metrics.plumbline_alerts_suppressed_total.inc({ reason: 'budget' })
          context.console?.publish(alert, decision)
        },
        onSink: createSinkWatch(metrics, logger),
      })
      context.forwarder = delivery.forwarder
      // A receiver that is away stops nothing here, so it is told of and does not make the process unready.
      health.register('alerts', () => ({ ok: true, detail: sinksDetail(delivery.forwarder.status().sinks) || 'delivered' }))
      stop = delivery.stop
    },
    stop: () => stop(),
  }
}

export const storePart = (context: Context): Part => ({
  name: 'store',
  async start() {
    const { config, dataDir, clock, logger, metrics, health } = context
    const storage = createStorage({
      log: logOf(context),
      dir: join(dataDir, DATA_LAYOUT.store),
      clickhouseUrl: config.clickhouseUrl,
      engineMemoryBytes: config.engineMemoryMb * 1024 * 1024,
      retentionDays: config.storeRetentionDays,
      alertBudgetPerDay: config.alertBudgetPerDay,
      clock,
      logger,
      metrics,
      onUp: () => {
        announceInstance(context)
        context.storeUp.resolve()
      },
    })
    context.storage = storage
    health.register('store', () => {
      const { up, detail } = storage.state()
      return { ok: up, detail }
    })
    await storage.start()
  },
  stop: () => context.storage?.stop(),
  stopTimeoutMs: STORE_STOP_MS,
})

export const trainerPart = (context: Context): Part => ({
  name: 'trainer',
  async start() {
    const { config, dataDir, clock, logger, metrics } = context
    const detection = present(context.detection, 'The detector')
    const storage = present(context.storage, 'The store')
    const { trainAfterEvents, demoTrainAfterEvents, retrainEveryDays, trainingRows: maxRows } = config
    const trainer = createTrainer({
      log: logOf(context),
      releases: present(context.releases, 'The log'),
      signingKey: signingKeyIn(signingKeyPath(dataDir)),
      config: detection.config,
      tenants: detection.tenants,
      paceOf: (tenant) =>
        tenant === DEMO_TENANT
          ? { trainAfterEvents: demoTrainAfterEvents, retrainEveryDays: DEMO_RETRAIN_DAYS, modelGrowth: DEMO_GROWTH, maxRows }
          : { trainAfterEvents, retrainEveryDays, maxRows },
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
    context.trainer = trainer
    await trainer.start()
  },
  stop: () => context.trainer?.stop(),
})

/** The file speaks for every tenant but the demo, which brings its own. Events are taken in once it does. */
export const policyPart = (context: Context): Part => ({
  name: 'policy',
  async start() {
    const { config, clock, logger } = context
    const detection = present(context.detection, 'The detector')
    const tenants = (): string[] => {
      const met = detection.tenants().map(({ name }) => name)
      return [...new Set([config.tenant ?? DEFAULT_TENANT, ...met])].filter((name) => name !== DEMO_TENANT)
    }
    const loader = createPolicyLoader({ log: logOf(context), path: resolve(config.policyFile), tenants, clock, logger })
    await loader.start()
    context.policy = loader
  },
  stop: () => context.policy?.stop(),
})

export const housekeepingPart = (context: Context): Part => {
  let keeper: ReturnType<typeof createHousekeeping> | null = null
  return {
    name: 'housekeeping',
    start() {
      keeper = createHousekeeping(logOf(context), context.config.logRetentionDays, context.clock, context.logger)
      keeper.start()
    },
    stop: () => keeper?.stop(),
  }
}
