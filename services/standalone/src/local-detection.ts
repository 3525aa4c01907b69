import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { createPlaces, Detector, hashKeyOf } from '@plumbline/detector'
import type { Logger, Metrics } from '@plumbline/runtime'
import type { DetectionConfig } from '@plumbline/schemas'
import { allShards, type ReleaseStore } from '@plumbline/trainer'
import { countedLog, createWorker, releaseInForce, totalsOf } from '@plumbline/worker'
import { type Detection, mergeTenants } from './detection.ts'

/** The detector in this process, with a worker for every shard. */
export interface LocalDetection extends Detection {
  /** Begins, or goes on after `stop`. */
  start(): void
}

export interface LocalDetectionOptions {
  readonly log: EmbeddedLog
  readonly releases: ReleaseStore
  readonly config: DetectionConfig
  readonly residentIdentities: number
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Room for a slot of any version. */
const SLOT_ROOM = 16_384
/** Slots are read in turns, so that many do not keep events waiting. */
const SLOTS_PER_TURN = 500

export const createLocalDetection = (options: LocalDetectionOptions): LocalDetection => {
  const { log, releases, config, residentIdentities, logger, metrics } = options
  const masterKey = hashKeyOf(log)
  const detector = new Detector({ config, masterKey, slots: log, releases, residentSlots: residentIdentities, topic: 'events' })
  const shards = allShards(log.shards)
  const placeOf = createPlaces(log)
  const worker = createWorker({
    log: countedLog(log, metrics, (found) => logger.error(found, 'records of the log are not accounted for: please report this')),
    processor: detector,
    shards,
    onRecords: (listener) => log.onRecords(listener),
    onFailure: (failure) => logger[failure.stopped ? 'error' : 'warn'](failure, failure.stopped ? 'shard stopped' : 'shard taken up again'),
  })

  const slotsOf = async (tenant: string, identities: readonly string[]): Promise<readonly Uint8Array[]> => {
    const into = new Uint8Array(SLOT_ROOM)
    const slots: Uint8Array[] = []
    for (const [i, identity] of identities.entries()) {
      if (i % SLOTS_PER_TURN === SLOTS_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve))
      const { shard, key } = placeOf(tenant, identity)
      const length = log.load(shard, key, into)
      if (length > 0) slots.push(into.slice(0, length))
    }
    return slots
  }

  return {
    config,
    placeOf,
    slotsOf,
    start: () => worker.start(),
    stop: () => worker.stop(),
    drained: () => worker.drained(),
    tenants: () => mergeTenants(shards.flatMap((shard) => [...detector.tenantsOf(shard).values()])),
    lag: () => shards.reduce((sum, shard) => sum + log.head(shard).next - log.head(shard).position, 0),
    refresh: async () => undefined,
    stopped: () =>
      worker
        .stats()
        .shards.filter(({ phase }) => phase === 'stopped')
        .map(({ shard, error }) => `shard ${shard}: ${error ?? ''}`),
    releaseOf(name) {
      for (const shard of shards) {
        const tenant = detector.tenantsOf(shard).get(name)
        if (tenant !== undefined) return releaseInForce(tenant, config)
      }
      return null
    },
    totals: () => totalsOf(detector),
  }
}
