import { checkKafkaConfig, checkMasterKeyConfig, KAFKA_FIELDS, MASTER_KEY_FIELDS, SHARD_FIELDS } from '@plumbline/adapters/kafka'
import { clickhouseAddress, type ConfigSources, type LoadedConfig, loadConfig } from '@plumbline/runtime'
import { storeOptions } from '@plumbline/standalone/config'
import { z } from 'zod'

/** Options of `plumbline migrate`. Those of Kafka are needed together, and only for a deployment on Kafka. */
export const MigrateConfig = z
  .strictObject({
    dataDir: z.string().min(1).default('data').meta({
      description: 'Folder of an instance whose embedded store is brought up to date.',
      interacts: 'Only without kafkaBrokers and clickhouseUrl.',
    }),
    clickhouseUrl: clickhouseAddress.optional().meta({
      description: 'ClickHouse server with the tables, with a user that may create and alter them.',
      env: 'CLICKHOUSE_URL',
      example: 'http://owner:password@host:8123/plumbline',
    }),
    ...KAFKA_FIELDS,
    kafkaBrokers: KAFKA_FIELDS.kafkaBrokers.optional(),
    ...SHARD_FIELDS,
    ...MASTER_KEY_FIELDS,
    kafkaLanes: z.number().int().min(1).max(1024).optional().meta({
      description:
        'Partitions of the topic of scored rows where it is created: as many recorders work side by side. Not set: as many as shards, at most 8.',
    }),
    kafkaReplicationFactor: z.number().int().min(1).max(32).optional().meta({
      description: 'Replicas of topics that are created. Not set: what the brokers do by themselves.',
    }),
    kafkaRetentionDays: z.number().min(0.01).default(7).meta({
      description: 'How long events and rows stay in topics that are created; verdicts, the audit log and state stay for good.',
      unit: 'days',
    }),
    ...storeOptions,
  })
  .superRefine((config, context) => {
    const { kafkaBrokers } = config
    if (kafkaBrokers === undefined) return
    checkKafkaConfig({ ...config, kafkaBrokers }, context)
    checkMasterKeyConfig(config, context)
    if (config.clickhouseUrl === undefined)
      context.addIssue({ code: 'custom', path: ['clickhouseUrl'], message: 'is required with kafkaBrokers' })
  })
  .meta({ id: 'PlumblineMigrateConfig', title: 'Configuration of plumbline migrate' })
export type MigrateConfig = z.output<typeof MigrateConfig>

export const loadMigrateConfig = (sources: ConfigSources): LoadedConfig<MigrateConfig> => loadConfig(MigrateConfig, sources)
