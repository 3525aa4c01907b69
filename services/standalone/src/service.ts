import { resolve } from 'node:path'
import {
  createLifecycle,
  createLogger,
  type InstanceFile,
  type Logger,
  type Part,
  removeInstanceFile,
  writeInstanceFile,
} from '@plumbline/runtime'
import type { PlumblineError } from '@plumbline/schemas'
import type { Context } from './context.ts'
import type { ServiceConfig } from './options.ts'
import { privateFolder, tokenFor } from './secrets.ts'

export interface ServiceHooks {
  /** Called as soon as the page answers, long before everything is up. */
  readonly onListening?: (at: { readonly url: string; readonly token: string }) => void
  readonly logger?: Logger
}

/** A process with the door and the page, running. */
export interface Service {
  readonly url: string
  readonly token: string
  /** Resolves when the process has to end by itself; stop it then. */
  readonly lost: Promise<PlumblineError>
  /** Stops in reverse order, each part for a bounded time. Never throws; resolves with what went wrong. */
  stop(): Promise<readonly PlumblineError[]>
}

/** Closes the data folder to others, and finds the token and the logger of a process. */
export const prepareService = (
  config: Pick<ServiceConfig, 'dataDir' | 'token' | 'logLevel'>,
  name: string,
  { logger: given }: ServiceHooks,
): { readonly token: string; readonly logger: Logger } => {
  const dataDir = resolve(config.dataDir)
  const open = privateFolder(dataDir)
  const token = tokenFor(dataDir, config.token)
  const logger = given ?? createLogger({ name, level: config.logLevel, destination: STDERR })
  if (open.length > 0) logger.warn({ open }, 'others may look into the data folder, and it is not ours to close')
  return { token, logger }
}

/** Says to other commands on this machine how to reach this instance; `store`: its own engine, where it has one. */
export const announceInstance = ({ dataDir, startedAt, url, token, operatorKey }: Context, store: InstanceFile['store']): void =>
  writeInstanceFile(dataDir, { v: 1, pid: process.pid, startedAt, url, token, operator: operatorKey, store })

/** Starts the parts in order, the page first. When one fails, whatever had started is stopped again (PART_START_FAILED). */
export const runParts = async (context: Context, parts: readonly Part[], announce: () => void): Promise<Service> => {
  const lifecycle = createLifecycle(parts, context.logger)
  await lifecycle.start()
  announce()
  context.phase = 'ready'
  return {
    url: context.url,
    token: context.token,
    lost: context.lost.promise,
    async stop() {
      context.phase = 'stopping'
      context.stopping.abort()
      // Whoever waits for the store must not keep the stop waiting.
      context.storeUp.resolve()
      const errors = await lifecycle.stop()
      removeInstanceFile(context.dataDir)
      return errors
    },
  }
}

/** Standard output belongs to alerts in words. */
const STDERR = { write: (line: string): void => void process.stderr.write(line) }
