import { clickhouseAddress, type ConfigSources, type LoadedConfig, loadConfig } from '@plumbline/runtime'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { z } from 'zod'
import { alertOptions, checkWebhook, doorOptions, learningOptions, logOptions, storeOptions } from './options.ts'

/** Every option of `plumbline up`, declared once: type, check, default, unit, words, docs/config.md. */
export const StandaloneConfig = z
  .strictObject({
    ...doorOptions,
    clickhouseUrl: clickhouseAddress.optional().meta({
      description: 'ClickHouse server to use instead of the embedded engine.',
      env: 'CLICKHOUSE_URL',
      example: 'http://user:password@host:8123/plumbline',
    }),
    engineMemoryMb: z.number().int().min(256).default(1536).meta({ description: 'Most memory of the embedded engine.', unit: 'MiB' }),
    shards: z.number().int().min(1).max(1024).default(DEFAULT_DETECTION_CONFIG.shards).meta({
      description: 'Shards of the log, fixed when the data folder is created.',
    }),
    residentIdentities: z.number().int().min(64).max(10_000_000).default(100_000).meta({
      description: 'Most identities whose state is in memory at once (about 4.1 KB each); the rest is read back when seen.',
      unit: 'identities',
    }),
    ...learningOptions,
    demo: z
      .boolean()
      .default(true)
      .meta({ description: 'Replay a generated company as tenant `demo` at the first start of a data folder.' }),
    demoSeed: z.number().int().min(1).default(1).meta({ description: 'Which company the demo generates.' }),
    demoTrainAfterEvents: z.number().int().min(1000).default(8000).meta({
      description: 'As trainAfterEvents, for the demo: small, so that its first model is there within seconds.',
      unit: 'events',
    }),
    ...alertOptions,
    logRetentionDays: z.number().int().min(1).default(30).meta({
      description: 'How long processed events stay in the log, for verdicts and replays.',
      unit: 'days',
    }),
    ...storeOptions,
    ...logOptions,
  })
  .superRefine(checkWebhook)
  .meta({ id: 'PlumblineStandaloneConfig', title: 'Configuration of plumbline up' })
export type StandaloneConfig = z.output<typeof StandaloneConfig>

/** Flags over environment over file over defaults. Throws ConfigError (CONFIG_INVALID) that names every problem. */
export { storeOptions } from './options.ts'

export const loadStandaloneConfig = (sources: ConfigSources = { env: process.env }): LoadedConfig<StandaloneConfig> =>
  loadConfig(StandaloneConfig, sources)
