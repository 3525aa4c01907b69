import { checkKafkaConfig, KAFKA_FIELDS } from '@plumbline/adapters/kafka'
import { clickhouseAddress, type ConfigSources, LOG_LEVELS, type LoadedConfig, loadConfig, opsFields } from '@plumbline/runtime'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { z } from 'zod'

/** Every option of `plumbline recorder`. */
export const RecorderConfig = z
  .strictObject({
    ...KAFKA_FIELDS,
    clickhouseUrl: clickhouseAddress.meta({
      description: 'ClickHouse server with the tables, with a user that may insert (deploy/clickhouse).',
      env: 'CLICKHOUSE_URL',
      example: 'http://plumbline_recorder:password@host:8123/plumbline',
    }),
    clickhouseEraseUrl: clickhouseAddress.optional().meta({
      description: 'The same server with a user that may delete rows, for removals of tenants and people. Not set: removals wait.',
      env: 'CLICKHOUSE_ERASE_URL',
      interacts: 'One recorder of several removes rows: set it for all of them.',
      example: 'http://plumbline_owner:password@host:8123/plumbline',
    }),
    blockMb: z.number().min(0.0625).max(64).default(4).meta({
      description:
        'Most bytes of one insert. Larger ones cost ClickHouse less, and this process more memory: about three of them per lane.',
      unit: 'MiB',
    }),
    lingerMs: z.number().int().min(0).max(60_000).default(200).meta({
      description: 'How long a small block waits for more rows, so that ClickHouse gets few parts.',
      unit: 'ms',
    }),
    sessionMs: z.number().int().min(6_000).max(300_000).default(10_000).meta({
      description: 'Without a sign of life for so long the others take the lanes of a recorder.',
      unit: 'ms',
      interacts: 'The brokers allow what is between their group.min.session.timeout.ms and group.max.session.timeout.ms.',
    }),
    alertBudgetPerDay: z.number().min(0).default(DEFAULT_DETECTION_CONFIG.alertBudgetPerDay).meta({
      description: 'Ceiling on new alert groups per tenant and day; rows say what became of each alert.',
      unit: 'alert groups',
      interacts: 'The same as that of the front, which sends the alerts.',
    }),
    acceptGaps: z.boolean().default(false).meta({
      description:
        'Go on behind rows that retention of the topics removed before they were stored. They are lost, counted and logged. Set it for one start, after OUTBOX_TRIMMED.',
    }),
    ...opsFields(7072),
    logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'How much is logged, as JSON lines on standard error.' }),
  })
  .superRefine(checkKafkaConfig)
  .meta({ id: 'PlumblineRecorderConfig', title: 'Configuration of plumbline recorder' })
export type RecorderConfig = z.output<typeof RecorderConfig>

/** Flags over environment over file over defaults. Throws ConfigError (CONFIG_INVALID) that names every problem. */
export const loadRecorderConfig = (sources: ConfigSources = { env: process.env }): LoadedConfig<RecorderConfig> =>
  loadConfig(RecorderConfig, sources)
