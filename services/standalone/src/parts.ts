import { join, resolve } from 'node:path'
import { createCorrelator } from '@plumbline/correlator'
import { type DeploymentLog, pinnedConfig } from '@plumbline/detector'
import { tenantOfValue, tenantValueName } from '@plumbline/gateway'
import { DATA_LAYOUT, type Part } from '@plumbline/runtime'
import { DetectionConfig } from '@plumbline/schemas'
import {
  createBlindSpots,
  createReleaseStore,
  createTrainer,
  heldBackOf,
  type ReleaseStore,
  signingKeyIn,
  type TenantPace,
} from '@plumbline/trainer'
import { audit } from './audit.ts'
import { type Context, DEFAULT_TENANT, logOf, present, readerOf, VERSION } from './context.ts'
import { startDelivery } from './delivery.ts'
import { DEMO_TENANT } from './demo/demo.ts'
import type { Detection } from './detection.ts'
import { createPolicyLoader, lastGiven, lastGivenHash } from './policy.ts'
import { shardsCheck } from './shards-check.ts'
import { createSinkWatch, sinksDetail } from './sinks.ts'
import type { Storage } from './storage.ts'
import { createVerdicts } from './verdicts.ts'

const STORE_STOP_MS = 20_000

/** Holds the log from here on and writes down that this process begins. */
export const useLog = async (context: Context, log: DeploymentLog): Promise<void> => {
  const { clock, health } = context
  context.log = log
  health.register('log', () => ({ ok: context.log !== null }))
  await audit(log, clock(), { tenant: '', actor: 'service', action: 'start', target: log.id, body: { version: VERSION } })
}

/** Writes down that this process ends, as the last it does with the log. Its row reaches the store when somebody records again. */
export const leaveLog = async (context: Context): Promise<void> => {
  const { log, clock } = context
  context.log = null
  if (log === null) return
  await audit(log, clock(), { tenant: '', actor: 'service', action: 'stop', target: log.id })
  await log.close()
}

/** Tenants as the door stored them, and those that came into the log past it. The demo is no sender's. */
const loadTenants = ({ tenants }: Context, log: DeploymentLog, detection: Detection): void => {
  const stored = log.kv.list(tenantValueName('')).flatMap((name): [string, string][] => {
    const tenant = tenantOfValue(name)
    const owner = log.kv.get(name)
    return tenant === undefined || owner === undefined ? [] : [[tenant, Buffer.from(owner).toString()]]
  })
  tenants.load(stored)
  tenants.load(detection.tenants().flatMap(({ name }): [string, string][] => (name === DEMO_TENANT ? [] : [[name, '']])))
}

/** What a detector is made from. */
export interface Ingredients {
  readonly log: DeploymentLog
  readonly releases: ReleaseStore
  readonly config: DetectionConfig
  /** Whose signature on releases is taken. */
  readonly signer: Uint8Array
}

/** Releases, the detector that `make` gives, and the verdicts that a crash left half done. `signersOf`: whose releases are run; default: our own. */
export const detectionPart = (
  context: Context,
  make: (from: Ingredients) => Detection | Promise<Detection>,
  signersOf: (log: DeploymentLog, own: Uint8Array) => readonly Uint8Array[] = (_, own) => [own],
): Part => ({
  name: 'detection',
  async start() {
    const { config, clock, health } = context
    const log = logOf(context)
    const { shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays } = config
    const signer = signingKeyIn(context.signingKeyFile()).publicKey
    const wanted = DetectionConfig.parse({ shards, alertBudgetPerDay, trainAfterEvents, retrainEveryDays })
    const releases = createReleaseStore(log.kv, () => signersOf(log, signer))
    const verdicts = createVerdicts({ log, reader: () => readerOf(context), clock })
    await verdicts.resume()
    const detection = await make({ log, releases, config: await pinnedConfig(log.kv, wanted), signer })
    loadTenants(context, log, detection)
    health.register('shards', () => shardsCheck(detection.stopped(), context.alone))
    Object.assign(context, { releases, detection, verdicts })
  },
  stop: () => context.detection?.stop(),
})

export const deliveryPart = (context: Context): Part => {
  let stop = async (): Promise<void> => {}
  return {
    name: 'delivery',
    async start() {
      const { config, clock, dataDir, metrics, health, logger } = context
      const log = logOf(context)
      const delivery = await startDelivery({
        log,
        config,
        alertsFile: resolve(config.alertsFile ?? join(dataDir, DATA_LAYOUT.findings)),
        demoTenant: DEMO_TENANT,
        onDecision: (alert, decision) => {
          metrics.plumbline_alerts_total.inc({ severity: alert.severity, delivery: decision })
          if (decision === 'held') metrics.plumbline_alerts_suppressed_total.inc({ reason: 'budget' })
          context.console?.publish(alert, decision)
        },
        onSink: createSinkWatch(metrics, logger),
        onGap: (atMost, gap) => {
          logger.warn({ atMost, reason: gap.message }, 'alerts may have been removed by retention before they were delivered')
          const act = {
            tenant: '',
            actor: 'service',
            action: 'alerts_lost',
            target: 'alerts',
            body: { atMost, reason: gap.message },
          } as const
          audit(log, clock(), act).catch((err: unknown) => logger.warn({ err }, 'alerts that were lost are not in the audit log'))
        },
      })
      context.forwarder = delivery.forwarder
      // A receiver that is away stops nothing here, so it is told of and does not make the process unready.
      health.register('alerts', () => ({ ok: true, detail: sinksDetail(delivery.forwarder.status().sinks) || 'delivered' }))
      stop = delivery.stop
    },
    stop: () => stop(),
  }
}

/** Behaviour across identities. One per deployment: whoever has the log's seat runs it. */
export const correlatorPart = (context: Context): Part => ({
  name: 'correlator',
  async start() {
    const { metrics, health, logger } = context
    const correlator = createCorrelator({
      log: logOf(context),
      onIncidents: (incidents) => {
        for (const { kind, severity, revision } of incidents)
          metrics.plumbline_incidents_total.inc({ kind, severity, revision: revision === 1 ? 'first' : 'more' })
      },
      onError: (err) => logger.warn({ err }, 'incidents wait'),
      onGap: ({ message }) => logger.warn({ reason: message }, 'rows were removed by retention before incidents were looked for in them'),
    })
    await correlator.start()
    context.correlator = correlator
    // Alerts go on without it.
    health.register('correlator', () => ({ ok: true, detail: correlator.health().error ?? 'looking' }))
  },
  stop: () => context.correlator?.stop(),
})

export const storePart = (context: Context, make: (onUp: () => void) => Storage): Part => ({
  name: 'store',
  async start() {
    const storage = make(() => context.storeUp.resolve())
    context.storage = storage
    context.health.register('store', () => {
      const { up, detail } = storage.state()
      return { ok: up || !context.alone, detail }
    })
    await storage.start()
  },
  stop: () => context.storage?.stop(),
  stopTimeoutMs: STORE_STOP_MS,
})

const releasesDetail = (releases: ReleaseStore): string => {
  const held = releases.tenants().filter((tenant) => heldBackOf(releases.list(tenant)) !== undefined).length
  return held === 0
    ? 'up to date'
    : `the newest model of ${held} ${held === 1 ? 'tenant' : 'tenants'} was held back; plumbline release list says why`
}

/** `paceOf`: where a tenant's trainings are due at other times than the configured ones. */
export const trainerPart = (context: Context, paceOf: (tenant: string) => Partial<TenantPace> = () => ({})): Part => ({
  name: 'trainer',
  async start() {
    const { config, clock, logger, metrics } = context
    const detection = present(context.detection, 'The detector')
    const storage = present(context.storage, 'The store')
    const releases = present(context.releases, 'The log')
    const { trainAfterEvents, retrainEveryDays, trainingRows: maxRows } = config
    const trainer = createTrainer({
      log: logOf(context),
      releases,
      signingKey: signingKeyIn(context.signingKeyFile()),
      config: detection.config,
      tenants: detection.tenants,
      paceOf: (tenant) => ({ trainAfterEvents, retrainEveryDays, maxRows, ...paceOf(tenant) }),
      slotsOf: detection.slotsOf,
      store: () => {
        const access = storage.access()
        return access === null ? null : { reader: storage.reader(), access }
      },
      recorded: () => storage.recording.drained(),
      clock,
      logger,
      metrics,
    })
    context.trainer = trainer
    // What is in force goes on, so that it makes nothing unready; but nobody must think that it is of today.
    context.health.register('releases', () => ({ ok: true, detail: releasesDetail(releases) }))
    await trainer.start()
  },
  stop: () => context.trainer?.stop(),
})

/** How blind the detector is to each identity: tested on copies of baselines, in a thread of its own. */
export const blindSpotsPart = (context: Context): Part => ({
  name: 'blind spots',
  start() {
    const { config, clock, logger, metrics } = context
    const log = logOf(context)
    const detection = present(context.detection, 'The detector')
    const storage = present(context.storage, 'The store')
    const watch = createBlindSpots({
      log,
      releases: present(context.releases, 'The log'),
      config: detection.config,
      placeOf: detection.placeOf,
      slotsOf: detection.slotsOf,
      slotsAreFar: !context.alone,
      changesOf: (tenant) => context.changes.list(tenant).flatMap(({ change, withdrawn }) => (withdrawn === true ? [] : [change])),
      policyHashOf: (tenant) => lastGivenHash(log, tenant),
      policyOf: (tenant) => lastGiven(log, tenant),
      store: () => (storage.access() === null ? null : storage.reader()),
      clock,
      cpuPercent: config.blindSpotsCpuPercent,
      logger,
      metrics,
    })
    watch.start()
    context.blindSpots = watch
  },
  stop: () => context.blindSpots?.stop(),
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
