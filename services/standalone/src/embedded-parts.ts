import { join } from 'node:path'
import { retentionOf } from '@plumbline/adapters/clickhouse'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createDoor } from '@plumbline/gateway'
import { DATA_LAYOUT, type Part } from '@plumbline/runtime'
import type { StandaloneConfig } from './config.ts'
import { type Context, logOf, present } from './context.ts'
import { createDemo, DEMO_TENANT } from './demo/demo.ts'
import { createHousekeeping } from './housekeeping.ts'
import { createLocalDetection, type LocalDetection } from './local-detection.ts'
import { createLocalStorage } from './local-storage.ts'
import { paceOf } from './history-parts.ts'
import { detectionPart, leaveLog, storePart, trainerPart, useLog } from './parts.ts'
import { createRemoval } from './removal.ts'
import { announceInstance } from './service.ts'

/** What the embedded parts share: the log and the detector are in this process. */
export interface EmbeddedContext extends Context {
  readonly config: StandaloneConfig
  log: EmbeddedLog | null
  detection: LocalDetection | null
}

/** A demo of 15 days is trained once; its next training would come after it. */
const DEMO_RETRAIN_DAYS = 30
/** Three trainings in the demo, the last near its end, so that what is tried is held against all of it. */
const DEMO_GROWTH = 2.5

/** A server's credentials are the caller's own. */
export const announceEmbedded = (context: EmbeddedContext): void => {
  const access = context.config.clickhouseUrl === undefined ? (context.storage?.access() ?? null) : null
  const store =
    access === null
      ? null
      : { url: access.url, user: access.user ?? 'reader', password: access.password ?? '', database: access.database ?? 'plumbline' }
  announceInstance(context, store)
}

export const logPart = (context: EmbeddedContext): Part => ({
  name: 'log',
  async start() {
    const { config, dataDir } = context
    await useLog(context, await openEmbeddedLog({ dir: join(dataDir, DATA_LAYOUT.log), shards: config.shards }))
  },
  stop: () => leaveLog(context),
})

export const localDetectionPart = (context: EmbeddedContext): Part =>
  detectionPart(context, ({ releases, config }) => {
    const { logger, metrics } = context
    const { residentIdentities } = context.config
    const detection = createLocalDetection({ log: logOf(context), releases, config, residentIdentities, logger, metrics })
    detection.start()
    return detection
  })

export const localStorePart = (context: EmbeddedContext): Part =>
  storePart(context, (onUp) => {
    const { config, dataDir, clock, logger, metrics } = context
    return createLocalStorage({
      log: logOf(context),
      dir: join(dataDir, DATA_LAYOUT.store),
      clickhouseUrl: config.clickhouseUrl,
      engineMemoryBytes: config.engineMemoryMb * 1024 * 1024,
      retention: retentionOf(config),
      alertBudgetPerDay: config.alertBudgetPerDay,
      clock,
      logger,
      metrics,
      onUp: () => {
        announceEmbedded(context)
        onUp()
      },
    })
  })

export const localTrainerPart = (context: EmbeddedContext): Part =>
  trainerPart(context, (tenant) =>
    tenant === DEMO_TENANT
      ? { trainAfterEvents: context.config.demoTrainAfterEvents, retrainEveryDays: DEMO_RETRAIN_DAYS, modelGrowth: DEMO_GROWTH }
      : {},
  )

export const housekeepingPart = (context: EmbeddedContext): Part => {
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

export const demoPart = (context: EmbeddedContext): Part => ({
  name: 'demo',
  start() {
    const { config, clock, logger, metrics, port } = context
    const log = logOf(context)
    const detection = present(context.detection, 'The detector')
    const trainer = present(context.trainer, 'The trainer')
    const storage = present(context.storage, 'The store')
    const releases = present(context.releases, 'The log')
    const forwarder = present(context.forwarder, 'Delivery')
    const removal = createRemoval({
      log,
      detection,
      releases,
      trainer,
      storage,
      correlator: context.correlator,
      blindSpots: context.blindSpots,
      tenants: context.tenants,
      clock,
      logger,
    })
    context.demo = createDemo({
      log,
      door: createDoor({ port, shards: config.shards, clock, metrics }),
      pace: paceOf(context),
      seed: config.demoSeed,
      clock,
      logger,
      lag: detection.lag,
      shown: () => forwarder.drain(),
      // Only the API asks for it.
      removeTenant: (tenant) => removal(tenant, 'token holder'),
    })
    if (config.demo) context.demo.start()
  },
  stop: () => context.demo?.stop(),
})
