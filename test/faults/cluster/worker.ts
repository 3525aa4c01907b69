import { createLogger } from '@plumbline/runtime'
import { loadWorkerConfig, startWorkerService } from '../../../services/worker/src/service.ts'
import { MASTER_KEY } from '../../../packages/detector/src/rig.testkit.ts'
import { CONFIG, SHARDS } from '../../support/detector-log.ts'
import { knowPrevious } from '../../support/previous-slot.ts'
import { producerPerWorker } from './broken.ts'
import { say } from './trigger.ts'

export interface WorkerPlan {
  /** Name of this worker in the campaign. */
  readonly id: string
  readonly brokers: readonly string[]
  readonly prefix: string
  readonly sessionMs: number
  readonly chunkRecords: number
  /** How often state is written, s; 0: with each chunk. Default 0. */
  readonly snapshotSeconds?: number
  /** Largest request of a chunk, bytes. Default: the log's own. */
  readonly requestBytes?: number
  /** One transactional id per worker instead of per shard. */
  readonly broken?: boolean
  /** Reads state that the build before this one stored. */
  readonly previous?: boolean
}

const configOf = ({ brokers, prefix, sessionMs, chunkRecords, snapshotSeconds = 0 }: WorkerPlan) =>
  loadWorkerConfig({
    flags: {
      kafkaBrokers: [...brokers],
      kafkaPrefix: prefix,
      shards: SHARDS,
      // 32 bytes, of which the detector takes the first 16.
      masterKey: Buffer.concat([MASTER_KEY, Buffer.alloc(16)]).toString('hex'),
      // Few, so that eviction is part of it.
      residentIdentities: 64,
      chunkRecords,
      snapshotSeconds,
      sessionMs,
      metricsPort: 0,
    },
  }).config

interface LogLine {
  readonly level: string
  readonly msg: string
  readonly shards?: readonly number[]
}
const LOUD: ReadonlySet<string> = new Set(['warn', 'error', 'fatal'])

/** The worker's own log, as far as the campaign wants to know. */
const retell = (line: string): void => {
  const { level, msg, shards = [] } = JSON.parse(line) as LogLine
  if (msg === 'shards shared out') say(`owns ${shards.join(',')}`)
  else if (LOUD.has(level)) say(`says ${line.trim()}`)
}

/** `plumbline worker` as it is composed, with the points of a fault suite. */
export const startWorkerOf = async (
  plan: WorkerPlan,
  onPoint: (point: string, shard: number) => void,
): Promise<{ stop(): Promise<void> }> => {
  if (plan.previous === true) knowPrevious()
  const service = await startWorkerService(configOf(plan), {
    logger: createLogger({ name: 'worker', level: 'info', destination: { write: retell } }),
    onPoint: (point, shard = -1) => onPoint(point, shard),
    detectionConfig: CONFIG,
    ...(plan.requestBytes === undefined ? {} : { requestBytes: plan.requestBytes }),
    ...(plan.broken === true ? { connect: producerPerWorker(plan.id) } : {}),
  })
  return {
    async stop() {
      for (const error of await service.stop()) say(`says ${error.code} ${error.message}`)
    },
  }
}
