import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaSettingsOf, type KafkaDeployment, type KafkaSettings, masterKeyOf, openKafkaDeployment } from '@plumbline/adapters/kafka'
import { announceSigner, knownSigners } from '@plumbline/detector'
import { DATA_LAYOUT, type Part } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import { type Context, logOf } from '../context.ts'
import { detectionPart, type Ingredients, leaveLog, storePart, useLog } from '../parts.ts'
import { createStorage, openReader } from '../storage.ts'
import type { FrontConfig } from './config.ts'
import { createRemoteDetection, type RemoteDetection } from './remote-detection.ts'
import { createRemoteRecording } from './remote-recording.ts'
import { seatedLog, takeSeat } from './seat.ts'

/** What the parts of the front share: the log is on Kafka, the detector in the workers. */
export interface FrontContext extends Context {
  readonly config: FrontConfig
  log: KafkaDeployment | null
  detection: RemoteDetection | null
  /** Why this front has to end, once another has its place. */
  replaced?: string
}

/** Names this process's way into the log; the next front takes it over, with the Idempotency-Keys it knows. */
const DOOR = 'front'
/** The brokers are asked for the heads every second; without an answer for so long nothing new is taken. */
const SILENT_MS = 5_000

/** Why the log takes nothing in. */
export const brokerObstacle = (log: Pick<KafkaDeployment, 'headsAsOfMs'> | null, nowMs = Date.now()): string | undefined => {
  if (log === null) return undefined
  const silentMs = nowMs - log.headsAsOfMs()
  return silentMs > SILENT_MS ? `Kafka has not answered for ${Math.round(silentMs / 1000)} s.` : undefined
}

/** `more`: tests reach the brokers through a proxy. */
export const kafkaPart = (context: FrontContext, more: Partial<KafkaSettings> = {}): Part => {
  let leave = async (): Promise<void> => {}
  const onLost = (words: string): void => {
    context.replaced = words
    context.lost.resolve(new PlumblineError('FRONT_REPLACED', words))
  }
  return {
    name: 'log',
    async start() {
      const { config, health } = context
      const settings = { ...kafkaSettingsOf(config, { clientId: 'plumbline-front' }), ...more }
      const log = await openKafkaDeployment(settings, {
        prefix: config.kafkaPrefix,
        shards: config.shards,
        masterKey: masterKeyOf(config),
        door: DOOR,
        compression: config.kafkaCompression,
      })
      leave = () => log.close()
      const seat = await takeSeat(log.kv, onLost)
      leave = async () => {
        seat.leave()
        // The end is written down by whoever ends, with the seat or without.
        context.log = log
        await leaveLog(context)
      }
      await useLog(context, seatedLog(log, seat))
      writeFileSync(join(context.dataDir, DATA_LAYOUT.front), `${log.id}\n`, { mode: 0o600 })
      health.register('kafka', () => {
        const problem = brokerObstacle(context.log)
        return problem === undefined ? { ok: true } : { ok: false, detail: problem }
      })
    },
    stop: () => leave(),
  }
}

export const remoteDetectionPart = (context: FrontContext): Part => {
  const make = async ({ config, signer }: Ingredients): Promise<RemoteDetection> => {
    const log = logOf(context)
    // Before the first release, so that no worker meets one that it does not trust.
    await announceSigner(log.kv, signer)
    const detection = createRemoteDetection({ log, config, refresh: log.refreshHeads, readSlots: log.readSlots })
    detection.start()
    return detection
  }
  // Also of a front that ran elsewhere, with a key of its own: its releases are in force until there is a newer one.
  return detectionPart(context, make, (log) => knownSigners(log.kv))
}

export const remoteStorePart = (context: FrontContext): Part =>
  storePart(context, (onUp) => {
    const { config, logger } = context
    const log = logOf(context)
    return createStorage({
      open: () => openReader(config.clickhouseUrl),
      record: (use) => createRemoteRecording({ log, reader: () => use('reader'), logger }),
      logger,
      onUp,
    })
  })
