import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { KafkaSettings } from '@plumbline/adapters/kafka'
import { DATA_LAYOUT } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import { createContext } from '../context.ts'
import { httpPart } from '../http.ts'
import { blindSpotsPart, correlatorPart, deliveryPart, policyPart, trainerPart } from '../parts.ts'
import { announceInstance, prepareService, runParts, type Service, type ServiceHooks } from '../service.ts'
import type { FrontConfig } from './config.ts'
import { brokerObstacle, type FrontContext, kafkaPart, remoteDetectionPart, remoteStorePart } from './parts.ts'

export interface FrontHooks extends ServiceHooks {
  /** Settings that the configuration does not have, like a way to the brokers through a proxy. */
  readonly kafka?: Partial<KafkaSettings>
}

/** The folder of an instance of one process has a token, a key and findings of its own, and is not to become a front's. */
const checkFolder = (dataDir: string): void => {
  if (!existsSync(join(dataDir, DATA_LAYOUT.log)) || existsSync(join(dataDir, DATA_LAYOUT.front))) return
  throw new PlumblineError(
    'DATA_DIR_OF_INSTANCE',
    `${resolve(dataDir)} is the data folder of plumbline up (or npm start), with its log. The front needs a folder of its own: set --data-dir or PLUMBLINE_DATA_DIR.`,
  )
}

/**
 * The door, the page, delivery, training and the policy file of a deployment on Kafka, with workers and recorders elsewhere.
 * Resolves when events are taken in; ClickHouse may come later. Errors: PART_START_FAILED with the cause: HTTP_PORT_TAKEN, and what
 * the log says (see openKafkaDeployment); DATA_DIR_OF_INSTANCE; whatever had started is stopped again before.
 */
export const startFront = async (config: FrontConfig, hooks: FrontHooks = {}): Promise<Service> => {
  checkFolder(config.dataDir)
  const { token, logger } = prepareService(config, 'plumbline-front', hooks)
  const context = createContext({
    config,
    token,
    logger,
    withDemo: false,
    alone: false,
    signingKeyFile: config.signingKeyFile,
    // Kafka removes no single records: retention does.
    removeRecords: async () => 0,
    obstacle: () => context.replaced ?? brokerObstacle(context.log),
    // Log and detection, which are narrower here, are not there yet.
  }) as FrontContext
  const parts = [
    httpPart(context, () => hooks.onListening?.({ url: context.url, token })),
    kafkaPart(context, hooks.kafka),
    remoteDetectionPart(context),
    policyPart(context),
    deliveryPart(context),
    correlatorPart(context),
    remoteStorePart(context),
    trainerPart(context),
    blindSpotsPart(context),
  ]
  return runParts(context, parts, () => announceInstance(context, null))
}
