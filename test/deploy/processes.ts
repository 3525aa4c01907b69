import { loadFrontConfig } from '@plumbline/standalone/front/config'
import { loadRecorderConfig } from '../../services/recorder/src/config.ts'
import { loadWorkerConfig } from '../../services/worker/src/config.ts'
import { loadMigrateConfig } from '../../services/cli/src/migrate/config.ts'

type Load = (sources: { env: Record<string, string> }) => { readonly config: unknown }

/** How each process reads its variables: what a deployment gives it has to be taken by the process itself. */
export const PROCESSES: Readonly<Record<string, Load>> = {
  front: loadFrontConfig,
  migrate: loadMigrateConfig,
  recorder: loadRecorderConfig,
  worker: loadWorkerConfig,
}
