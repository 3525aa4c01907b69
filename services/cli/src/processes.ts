import { RecorderConfig } from '@plumbline/recorder/config'
import { type ConfigField, configFields } from '@plumbline/runtime'
import { StandaloneConfig } from '@plumbline/standalone/config'
import { FrontConfig } from '@plumbline/standalone/front/config'
import { WorkerConfig } from '@plumbline/worker/config'
import { MigrateConfig } from './migrate/config.ts'

/** Every option that some process of Plumbline has: one file, and one environment, may serve several of them. */
export const allOptions = (): readonly ConfigField[] =>
  [StandaloneConfig, FrontConfig, WorkerConfig, RecorderConfig, MigrateConfig].flatMap((schema) => configFields(schema))
