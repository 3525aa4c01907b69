import { resolve } from 'node:path'
import { createLifecycle, createLogger, type Logger, removeInstanceFile } from '@plumbline/runtime'
import type { PlumblineError } from '@plumbline/schemas'
import type { StandaloneConfig } from './config.ts'
import { createContext, logOf } from './context.ts'
import {
  announceInstance,
  demoPart,
  type EmbeddedContext,
  housekeepingPart,
  localDetectionPart,
  localStorePart,
  localTrainerPart,
  logPart,
} from './embedded-parts.ts'
import type { RemoveRecords } from './erasure.ts'
import { httpPart } from './http.ts'
import { checkStoreIsPossible } from './local-storage.ts'
import { deliveryPart, policyPart } from './parts.ts'
import { privateFolder, tokenFor } from './secrets.ts'

export interface StandaloneHooks {
  /** Called as soon as the page answers, long before everything is up. */
  readonly onListening?: (at: { readonly url: string; readonly token: string }) => void
  readonly logger?: Logger
}

export interface Standalone {
  readonly url: string
  readonly token: string
  /** Stops in reverse order, each part for a bounded time. Never throws; resolves with what went wrong. */
  stop(): Promise<readonly PlumblineError[]>
}

/** What the parts of one process share; nothing is started. */
export const embeddedContext = (config: StandaloneConfig, token: string, logger: Logger): EmbeddedContext => {
  const removeRecords: RemoveRecords = async (record) =>
    (await logOf(context).removeTenant({ record, slot: () => false, state: () => false })).events
  // Log and detection, which are narrower here, are not there yet.
  const context = createContext({ config, token, logger, withDemo: true, removeRecords }) as EmbeddedContext
  return context
}

/**
 * Everything in one process on embedded parts. Resolves when events are taken in and scored; the store and the demo go
 * on coming up in the background. Errors: ENGINE_UNAVAILABLE; PART_START_FAILED with the cause: HTTP_PORT_TAKEN,
 * DATA_DIR_LOCKED, and what the parts throw; whatever had started is stopped again before.
 */
export const startStandalone = async (config: StandaloneConfig, hooks: StandaloneHooks = {}): Promise<Standalone> => {
  const dataDir = resolve(config.dataDir)
  checkStoreIsPossible(config.clickhouseUrl)
  const open = privateFolder(dataDir)
  const token = tokenFor(dataDir, config.token)
  const logger = hooks.logger ?? createLogger({ name: 'plumbline', level: config.logLevel, destination: STDERR })
  if (open.length > 0) logger.warn({ open }, 'others may look into the data folder, and it is not ours to close')
  const context = embeddedContext(config, token, logger)
  const lifecycle = createLifecycle(
    [
      httpPart(context, () => hooks.onListening?.({ url: context.url, token })),
      logPart(context),
      localDetectionPart(context),
      policyPart(context),
      deliveryPart(context),
      localStorePart(context),
      localTrainerPart(context),
      housekeepingPart(context),
      demoPart(context),
    ],
    logger,
  )
  await lifecycle.start()
  announceInstance(context)
  context.phase = 'ready'
  return {
    url: context.url,
    token,
    async stop() {
      context.phase = 'stopping'
      context.stopping.abort()
      // Whoever waits for the store must not keep the stop waiting.
      context.storeUp.resolve()
      const errors = await lifecycle.stop()
      removeInstanceFile(dataDir)
      return errors
    },
  }
}

/** Standard output belongs to alerts in words. */
const STDERR = { write: (line: string): void => void process.stderr.write(line) }
