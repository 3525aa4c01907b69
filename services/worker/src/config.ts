import { checkKafkaConfig, checkMasterKeyConfig, KAFKA_FIELDS, MASTER_KEY_FIELDS, SHARD_FIELDS } from '@plumbline/adapters/kafka'
import { type ConfigSources, type LoadedConfig, loadConfig, LOG_LEVELS, opsFields } from '@plumbline/runtime'
import { z } from 'zod'

const METRICS_PORT = 7071
/** An Ed25519 public key as SPKI is 44 bytes. */
const publicKey = z.base64().length(60, 'must be the base64 of an Ed25519 public key (SPKI, DER)')

/** Every option of `plumbline worker`; those it shares with the other processes of a cluster are declared with them. */
export const WorkerConfig = z
  .strictObject({
    ...KAFKA_FIELDS,
    ...SHARD_FIELDS,
    ...MASTER_KEY_FIELDS,
    residentIdentities: z.number().int().min(64).max(10_000_000).default(100_000).meta({
      description: 'Most identities whose state is in memory at once (about 4.1 KB each); the rest is read back from disk when seen.',
      unit: 'identities',
    }),
    chunkRecords: z.number().int().min(1).max(10_000).default(1_000).meta({
      description: 'Most events of one shard that are scored and stored together, in one transaction.',
      unit: 'events',
    }),
    chunkMs: z.number().int().min(1).max(1_000).default(50).meta({
      description: 'Longest that scoring one chunk should take; chunks shrink to fit.',
      unit: 'ms',
    }),
    commitsAtOnce: z.number().int().min(1).max(256).default(8).meta({
      description:
        'Most transactions under way at once, each of another shard. While all are, nothing is scored: what waits stays in Kafka.',
    }),
    snapshotSeconds: z.number().min(0).max(3_600).default(10).meta({
      description:
        'How often the state of identities is written to Kafka; 0: with each chunk. Whoever takes a shard over computes the events since then once more, without putting anything out.',
      unit: 's',
      interacts: 'The events topic must keep events for longer.',
    }),
    snapshotEvents: z.number().int().min(100).max(1_000_000).default(20_000).meta({
      description: 'Events of one shard after which its state is written in any case: the most that a take-over computes once more.',
      unit: 'events',
      interacts: 'Only with snapshotSeconds above 0.',
    }),
    takeOversAtOnce: z.number().int().min(1).max(64).default(4).meta({
      description: 'Most shards whose state is read at once after the group has given them to this worker.',
    }),
    cacheDir: z.string().min(1).optional().meta({
      description:
        'Folder for the state of identities that are not in memory; it holds all state of the shards held, and goes with the process. Not set: the system’s temporary folder.',
      example: '/var/cache/plumbline',
    }),
    sessionMs: z.number().int().min(1_000).max(1_800_000).default(10_000).meta({
      description: 'How long a worker may be silent before the group gives its shards to others.',
      unit: 'ms',
      interacts: 'Within group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers.',
    }),
    trustedSigners: z
      .array(publicKey)
      .default([])
      .meta({
        description:
          'Public keys whose releases are run (base64 of SPKI, DER). Empty: those that the front made known through Kafka, so whoever may write named values decides.',
        example: ['MCowBQYDK2VwAyEA…'],
      }),
    ...opsFields(METRICS_PORT),
    logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'How much is logged, as JSON lines on standard error.' }),
  })
  .superRefine(checkKafkaConfig)
  .superRefine(checkMasterKeyConfig)
  .meta({ id: 'PlumblineWorkerConfig', title: 'Configuration of plumbline worker' })
export type WorkerConfig = z.output<typeof WorkerConfig>

/** Flags over environment over file over defaults. Throws ConfigError (CONFIG_INVALID) that names every problem. */
export const loadWorkerConfig = (sources: ConfigSources = { env: process.env }): LoadedConfig<WorkerConfig> =>
  loadConfig(WorkerConfig, sources)
