import { ensureDeployment, openKafkaValues } from '@plumbline/adapters/kafka'
import type { AppendRecord } from '@plumbline/detector'
import { announceSigner, releaseNames } from '@plumbline/detector/release'
import { generateSigningKey, signRelease } from '@plumbline/training'
import { MASTER_KEY, type TrainedRelease } from '../lib/release.ts'
import type { BenchBroker } from './broker.ts'
import { type Child, startChild } from './child.ts'

/** 32 bytes, of which the detector takes the first 16: those that the release was trained with. */
const DEPLOYMENT_KEY = Buffer.concat([MASTER_KEY, Buffer.alloc(16)])

const encoder = new TextEncoder()

/** Makes the deployment known with a signed release in it, as a trainer does. Returns the records that put it into use. */
export const giveRelease = async (
  { brokers }: BenchBroker,
  prefix: string,
  shards: number,
  release: TrainedRelease,
): Promise<readonly AppendRecord[]> => {
  const values = await openKafkaValues({ brokers }, { prefix })
  try {
    await ensureDeployment(values, { shards, masterKey: DEPLOYMENT_KEY })
    const key = generateSigningKey()
    await announceSigner(values, key.publicKey)
    const names = releaseNames(release.sha256)
    const envelope = encoder.encode(JSON.stringify(signRelease(release.bytes, key)))
    await values.put({ [names.artifact]: release.bytes, [names.envelope]: envelope })
  } finally {
    await values.close()
  }
  const value = encoder.encode(JSON.stringify(release.control))
  const recordKey = encoder.encode(`c:${release.control.controlId}`)
  return Array.from({ length: shards }, (_, shard) => ({ shard, ingestTimeMs: 0, key: recordKey, value }))
}

export interface WorkerChoice {
  /** Most events of one transaction. */
  readonly chunk: number
  /** How often state is written, seconds; 0: with each chunk. Default: the worker's own. */
  readonly snapshotSeconds?: number
}

/** Variables that every process of a deployment has. */
export const deploymentOf = ({ brokers }: BenchBroker, prefix: string, shards: number): Readonly<Record<string, string>> => ({
  PLUMBLINE_KAFKA_BROKERS: brokers.join(','),
  PLUMBLINE_KAFKA_PREFIX: prefix,
  PLUMBLINE_SHARDS: String(shards),
  PLUMBLINE_MASTER_KEY: DEPLOYMENT_KEY.toString('hex'),
  PLUMBLINE_LOG_LEVEL: 'warn',
})

/** The product's worker as an operator starts it. */
export const startWorker = (broker: BenchBroker, prefix: string, shards: number, { chunk, snapshotSeconds }: WorkerChoice): Child =>
  startChild('services/cli/src/main.ts', ['worker'], {
    ...deploymentOf(broker, prefix, shards),
    PLUMBLINE_CHUNK_RECORDS: String(chunk),
    PLUMBLINE_METRICS_PORT: '0',
    ...(snapshotSeconds === undefined ? {} : { PLUMBLINE_SNAPSHOT_SECONDS: String(snapshotSeconds) }),
  })
