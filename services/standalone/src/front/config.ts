import { checkKafkaConfig, checkMasterKeyConfig, KAFKA_FIELDS, MASTER_KEY_FIELDS, SHARD_FIELDS } from '@plumbline/adapters/kafka'
import { clickhouseAddress, type ConfigSources, type LoadedConfig, loadConfig } from '@plumbline/runtime'
import { z } from 'zod'
import { alertOptions, checkWebhook, doorOptions, learningOptions, logOptions } from '../options.ts'

/** Every option of `plumbline front`; those it shares with `plumbline up`, the workers and the recorder are declared with them. */
export const FrontConfig = z
  .strictObject({
    ...doorOptions,
    dataDir: z.string().min(1).default('data').meta({
      description: 'Folder for the token, the signing key and alerts. Everything else is in Kafka and ClickHouse.',
    }),
    ...KAFKA_FIELDS,
    ...SHARD_FIELDS,
    ...MASTER_KEY_FIELDS,
    clickhouseUrl: clickhouseAddress.meta({
      description: 'ClickHouse server that the recorders fill, with a user that may read.',
      env: 'CLICKHOUSE_URL',
      example: 'http://user:password@host:8123/plumbline',
    }),
    signingKeyFile: z.string().min(1).optional().meta({
      description: 'File with the key that signs releases; made when it is not there. Not set: a file in the data folder.',
      interacts: 'Its public half is told to the workers through Kafka, which is what they trust.',
      example: '/run/secrets/plumbline-signing-key',
    }),
    ...learningOptions,
    ...alertOptions,
    ...logOptions,
  })
  .superRefine(checkWebhook)
  .superRefine(checkKafkaConfig)
  .superRefine(checkMasterKeyConfig)
  .meta({ id: 'PlumblineFrontConfig', title: 'Configuration of plumbline front' })
export type FrontConfig = z.output<typeof FrontConfig>

/** Flags over environment over file over defaults. Throws ConfigError (CONFIG_INVALID) that names every problem. */
export const loadFrontConfig = (sources: ConfigSources = { env: process.env }): LoadedConfig<FrontConfig> =>
  loadConfig(FrontConfig, sources)
