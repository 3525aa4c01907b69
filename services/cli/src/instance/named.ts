import type { Output } from '../output.ts'
import type { InstanceFlags } from './access.ts'
import type { Api } from './api.ts'

/** Flags of commands that read from an instance, wherever it is. */
export interface NamedFlags extends InstanceFlags {
  readonly to?: string
  readonly token?: string
}

export const NAMED = {
  to: ['--to <url>', 'the instance (default: the one that runs on the data folder, or one started for this)'],
  token: ['--token <token>', 'its token (default: PLUMBLINE_TOKEN, or that of the running instance)'],
  dataDir: ['--data-dir <folder>', 'data folder (default: PLUMBLINE_DATA_DIR or data)'],
} as const

/** The instance that was named, the one that runs on the data folder, or one started for this. */
export const namedApi = async (flags: NamedFlags, output: Output): Promise<{ readonly api: Api; close(): Promise<void> }> => {
  const { openInstance, tokenFor } = await import('./access.ts')
  if (flags.to === undefined) return openInstance(flags, output, 'data')
  const { createApi } = await import('./api.ts')
  return { api: createApi(flags.to, flags.token ?? (await tokenFor(flags.to, flags))), close: () => Promise.resolve() }
}
