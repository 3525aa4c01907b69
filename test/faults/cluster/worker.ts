import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createShardGroup } from '@plumbline/adapters/kafka'
import { Detector, type ReleaseSource, type SlotSource } from '@plumbline/detector'
import { MASTER_KEY } from '../../../packages/detector/src/rig.testkit.ts'
import { openKafkaLog } from '../../../packages/adapters/src/kafka/log.ts'
import { createWorker } from '../../../services/worker/src/index.ts'
import { CONFIG, SHARDS } from '../../support/detector-log.ts'
import { producerPerWorker } from './broken.ts'
import { say } from './trigger.ts'

export interface WorkerPlan {
  /** Name of this worker in the campaign. */
  readonly id: string
  readonly brokers: readonly string[]
  readonly prefix: string
  /** Folder of release artifacts, each in a file named by its SHA-256. */
  readonly artifacts: string
  readonly sessionMs: number
  readonly chunkRecords: number
  readonly requestBytes: number
  /** One transactional id per worker instead of per shard. */
  readonly broken: boolean
}

const releasesIn = (dir: string): ReleaseSource => ({
  artifact: (_, sha256) => readFileSync(join(dir, sha256)),
})

/** Residency is small, so that eviction is part of the campaign. */
export const createDetector = (slots: SlotSource, releases: ReleaseSource): Detector =>
  new Detector({ config: CONFIG, masterKey: MASTER_KEY, slots, releases, residentSlots: 64, topic: 'events' })

export const startWorkerOf = async (
  plan: WorkerPlan,
  onPoint: (point: string, shard: number) => void,
): Promise<{ stop(): Promise<void> }> => {
  const { id, brokers, prefix, sessionMs, chunkRecords, requestBytes } = plan
  const settings = { brokers, clientId: `worker-${id}` }
  const options = { prefix, shards: SHARDS, requestBytes, onPoint }
  const log = await openKafkaLog(settings, options, plan.broken ? producerPerWorker(id) : undefined)
  const worker = createWorker({
    log,
    processor: createDetector(log, releasesIn(plan.artifacts)),
    shards: [],
    ownership: { owns: (shard) => group.owns(shard), release: log.release },
    chunkRecords,
    chunksPerCommit: 1,
    commitsAtOnce: SHARDS,
    readAhead: SHARDS,
    onRecords: log.onRecords,
    onPoint: (point) => onPoint(point, -1),
    onFailure: ({ shards, code, message }) => say(`failure ${shards.join(',')} ${code} ${message.replaceAll('\n', ' ')}`),
  })
  const owned = new Set<number>()
  const assign = (): void => {
    say(`owns ${[...owned].join(',')}`)
    void worker.assign([...owned])
  }
  const group = await createShardGroup(settings, {
    prefix,
    shards: SHARDS,
    sessionMs,
    onAssigned(shards) {
      for (const shard of shards) owned.add(shard)
      assign()
    },
    onRevoked(shards) {
      for (const shard of shards) owned.delete(shard)
      assign()
    },
    onFailed: (error) => say(`failure group ${error.message}`),
  })
  worker.start()
  return {
    async stop() {
      await group.leave()
      await worker.stop()
      await log.close()
    },
  }
}
