import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { Detector, log10, scoreOf, shardOf, TenantState } from '@plumbline/detector'
import type { Logger, Metrics } from '@plumbline/runtime'
import { DetectionConfig, PlumblineError } from '@plumbline/schemas'
import { allShards, type ReleaseStore, type TenantProgress } from '@plumbline/trainer'
import { countedLog, createWorker, type Worker } from '@plumbline/worker'

export interface Detection {
  readonly detector: Detector
  readonly config: DetectionConfig
  worker(): Worker
  start(): void
  stop(): Promise<void>
  /** Tenants met so far, over all shards. */
  tenants(): readonly TenantProgress[]
  /** Where an identity's slot is kept in the log. */
  placeOf(tenant: string, identity: string): { readonly shard: number; readonly key: Uint8Array }
  /** Events and control records in the log that are not scored yet. */
  lag(): number
  /** What keeps each stopped shard from going on. */
  stopped(): readonly string[]
  /** Release in force for a tenant, from the first shard that knows it. */
  releaseOf(tenant: string): ReleaseInForce | null
}

export interface ReleaseInForce {
  readonly id: string
  readonly trained: boolean
  /** Score from which an event alerts without a rule. */
  readonly alertsFrom: number
}

const CONFIG = 'detection-config'
/** Options that change only what is released or delivered from now on, never how a given log is scored. */
const OPERATIONAL = ['alertBudgetPerDay', 'trainAfterEvents', 'retrainEveryDays'] as const

/**
 * The configuration that scores, as it was when the data folder was made: a log is scored alike for ever (contracts C8).
 * Throws DETECTION_CONFIG_INVALID when what is stored cannot be read.
 */
export const pinnedConfig = async (log: Pick<EmbeddedLog, 'kv'>, wanted: DetectionConfig): Promise<DetectionConfig> => {
  const stored = log.kv.get(CONFIG)
  if (stored === undefined) {
    await log.kv.put({ [CONFIG]: Buffer.from(JSON.stringify(wanted)) })
    return wanted
  }
  const parsed = DetectionConfig.safeParse(JSON.parse(Buffer.from(stored).toString()))
  if (!parsed.success)
    throw new PlumblineError('DETECTION_CONFIG_INVALID', 'The detection configuration in the data folder cannot be read.', {
      cause: parsed.error,
    })
  const operational = Object.fromEntries(OPERATIONAL.map((name) => [name, wanted[name]]))
  return { ...parsed.data, ...operational }
}

export interface DetectionOptions {
  readonly log: EmbeddedLog
  readonly releases: ReleaseStore
  readonly config: DetectionConfig
  readonly residentIdentities: number
  readonly logger: Logger
  readonly metrics: Metrics
}

export const createDetection = ({ log, releases, config, residentIdentities, logger, metrics }: DetectionOptions): Detection => {
  // The detector takes 16 bytes; the log's secret has 32.
  const masterKey = log.masterKey.subarray(0, 16)
  const detector = new Detector({ config, masterKey, slots: log, releases, residentSlots: residentIdentities, topic: 'events' })
  const shards = allShards(log.shards)
  const namers = new Map<string, TenantState>()
  const worker = createWorker({
    log: countedLog(log, metrics, (found) => logger.error(found, 'records of the log are not accounted for: please report this')),
    processor: detector,
    shards,
    onRecords: (listener) => log.onRecords(listener),
    onFailure: (failure) => logger[failure.stopped ? 'error' : 'warn'](failure, failure.stopped ? 'shard stopped' : 'shard taken up again'),
  })

  const tenants = (): readonly TenantProgress[] => {
    const met = new Map<string, { name: string; events: number; groupNames: Map<number, string> }>()
    for (const shard of shards) {
      for (const tenant of detector.tenantsOf(shard).values()) {
        const known = met.get(tenant.name) ?? { name: tenant.name, events: 0, groupNames: new Map<number, string>() }
        known.events += tenant.events
        for (const [fingerprint, name] of tenant.groupNames) known.groupNames.set(fingerprint, name)
        met.set(tenant.name, known)
      }
    }
    return [...met.values()]
  }

  return {
    detector,
    config,
    stopped: () =>
      worker
        .stats()
        .shards.filter(({ phase }) => phase === 'stopped')
        .map(({ shard, error }) => `shard ${shard}: ${error ?? ''}`),
    worker: () => worker,
    start: () => worker.start(),
    stop: () => worker.stop(),
    tenants,
    placeOf(tenant, identity) {
      let namer = namers.get(tenant)
      if (namer === undefined) namers.set(tenant, (namer = new TenantState(tenant, masterKey)))
      const { lo, hi } = detector.identityKey(namer, identity)
      const key = Buffer.alloc(8)
      key.writeUInt32LE(lo, 0)
      key.writeUInt32LE(hi, 4)
      return { shard: shardOf(tenant, identity, log.shards), key }
    },
    lag: () => shards.reduce((sum, shard) => sum + log.head(shard).next - log.head(shard).position, 0),
    releaseOf(name) {
      for (const shard of shards) {
        const tenant = detector.tenantsOf(shard).get(name)
        if (tenant === undefined) continue
        const floor = -log10(config.tailFloor)
        const tail = Math.max(floor, tenant.release?.header.thresholds.alertTailLog10 ?? floor)
        return { id: tenant.releaseId, trained: (tenant.release?.autoencoder ?? null) !== null, alertsFrom: scoreOf(tail, 0) }
      }
      return null
    },
  }
}
