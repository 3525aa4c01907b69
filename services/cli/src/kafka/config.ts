import {
  checkKafkaConfig,
  KAFKA_FIELDS,
  type KafkaSettings,
  kafkaSettingsOf,
  MASTER_KEY_FIELDS,
  masterKeyOf,
  SHARD_FIELDS,
} from '@plumbline/adapters/kafka'
import { loadConfig } from '@plumbline/runtime'
import { z } from 'zod'
import { allOptions } from '../processes.ts'

const ClusterConfig = z.strictObject({ ...KAFKA_FIELDS, ...SHARD_FIELDS, ...MASTER_KEY_FIELDS }).superRefine(checkKafkaConfig)

/** What `clusterOptions` gave. */
export interface ClusterFlags {
  readonly config?: string
  readonly kafkaBrokers?: string
  readonly kafkaPrefix?: string
  readonly shards?: string
}

/** A deployment on Kafka, as its own services are told of it. */
export interface Cluster {
  readonly settings: KafkaSettings
  readonly prefix: string
  readonly shards: number
  /** Error: MASTER_KEY_MISSING, MASTER_KEY_FILE. */
  masterKey(): Uint8Array
}

/**
 * From the file and the environment of a service of the deployment; what of these is not about Kafka is left alone. What no process
 * knows is refused: a misspelt prefix would make of this another deployment. Error: CONFIG_INVALID.
 */
export const openCluster = ({ config: file, kafkaBrokers, kafkaPrefix, shards }: ClusterFlags): Cluster => {
  const { config } = loadConfig(ClusterConfig, {
    file,
    env: process.env,
    flags: { kafkaBrokers, kafkaPrefix, shards },
    others: allOptions(),
  })
  return {
    settings: kafkaSettingsOf(config, { clientId: 'plumbline-cli' }),
    prefix: config.kafkaPrefix,
    shards: config.shards,
    masterKey: () => masterKeyOf(config),
  }
}
