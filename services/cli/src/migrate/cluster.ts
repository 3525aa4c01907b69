import {
  ensureDeployment,
  ensureTopics,
  inspectTopics,
  type KafkaConfig,
  kafkaSettingsOf,
  masterKeyOf,
  openKafkaValues,
  type TopicOptions,
} from '@plumbline/adapters/kafka'
import { pinnedConfig } from '@plumbline/detector'
import { DetectionConfig } from '@plumbline/schemas'
import type { MigrateConfig } from './config.ts'

export type ClusterConfig = MigrateConfig & KafkaConfig

export interface ClusterState {
  /** Names of topics that were made, or with a dry run would be. */
  readonly topics: readonly string[]
  /** Id of the deployment; null: none yet. */
  readonly deployment: string | null
}

const DAY_MS = 86_400_000

const topicOptions = ({ kafkaPrefix, shards, kafkaLanes, kafkaReplicationFactor, kafkaRetentionDays }: ClusterConfig): TopicOptions => ({
  prefix: kafkaPrefix,
  shards,
  retentionMs: Math.round(kafkaRetentionDays * DAY_MS),
  ...(kafkaLanes === undefined ? {} : { lanes: kafkaLanes }),
  ...(kafkaReplicationFactor === undefined ? {} : { replicationFactor: kafkaReplicationFactor }),
})

/**
 * Makes what a deployment on Kafka needs before its processes start, and checks what is there: topics, the value that fixes shards
 * and key, and the configuration that scores. Errors: see ensureTopics and ensureDeployment.
 */
export const migrateCluster = async (config: ClusterConfig, dryRun: boolean): Promise<ClusterState> => {
  const settings = kafkaSettingsOf(config, { clientId: 'plumbline-migrate' })
  const masterKey = masterKeyOf(config)
  const options = topicOptions(config)
  const reports = await inspectTopics(settings, options)
  const missing = reports.filter(({ partitions }) => partitions === null).map(({ name }) => name)
  const wrong = reports.flatMap(({ partitions, problems }) => (partitions === null ? [] : problems))[0]
  if (wrong !== undefined) throw wrong
  if (dryRun) return { topics: missing, deployment: null }
  await ensureTopics(settings, options)
  const values = await openKafkaValues(settings, { prefix: config.kafkaPrefix, compression: config.kafkaCompression })
  try {
    const { id } = await ensureDeployment(values, { shards: config.shards, masterKey })
    await pinnedConfig(values, DetectionConfig.parse({ shards: config.shards }))
    return { topics: missing, deployment: id }
  } finally {
    await values.close()
  }
}
