import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_LAYOUT, type Logger } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { StandaloneConfig } from './config.ts'
import { createContext, logOf } from './context.ts'
import {
  announceEmbedded,
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
import { blindSpotsPart, correlatorPart, deliveryPart, policyPart } from './parts.ts'
import { prepareService, runParts, type Service, type ServiceHooks } from './service.ts'

/** What the parts of one process share; nothing is started. */
export const embeddedContext = (config: StandaloneConfig, token: string, logger: Logger): EmbeddedContext => {
  const removeRecords: RemoveRecords = async (record) =>
    (await logOf(context).removeTenant({ record, slot: () => false, state: () => false })).events
  // Log and detection, which are narrower here, are not there yet.
  const context = createContext({ config, token, logger, withDemo: true, alone: true, removeRecords }) as EmbeddedContext
  return context
}

/** What belongs to a deployment on Kafka must not be mistaken for an instance that lost its log. */
const checkFolder = (dataDir: string): void => {
  const mark = join(dataDir, DATA_LAYOUT.front)
  if (!existsSync(mark)) return
  throw new PlumblineError(
    'DATA_DIR_OF_FRONT',
    `${dataDir} is the data folder of the front of a deployment on Kafka. Start that with plumbline front, or use another folder; to use this one all the same, remove ${mark}.`,
  )
}

/**
 * Everything in one process on embedded parts. Resolves when events are taken in and scored; the store and the demo go
 * on coming up in the background. Errors: ENGINE_UNAVAILABLE; PART_START_FAILED with the cause: HTTP_PORT_TAKEN,
 * DATA_DIR_LOCKED, and what the parts throw; DATA_DIR_OF_FRONT; whatever had started is stopped again before.
 */
export const startStandalone = async (config: StandaloneConfig, hooks: ServiceHooks = {}): Promise<Service> => {
  checkStoreIsPossible(config.clickhouseUrl)
  checkFolder(config.dataDir)
  const { token, logger } = prepareService(config, 'plumbline', hooks)
  const context = embeddedContext(config, token, logger)
  const parts = [
    httpPart(context, () => hooks.onListening?.({ url: context.url, token })),
    logPart(context),
    localDetectionPart(context),
    policyPart(context),
    deliveryPart(context),
    correlatorPart(context),
    localStorePart(context),
    localTrainerPart(context),
    blindSpotsPart(context),
    housekeepingPart(context),
    demoPart(context),
  ]
  return runParts(context, parts, () => announceEmbedded(context))
}
