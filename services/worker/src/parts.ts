import {
  type Bases,
  type ConnectProducer,
  type KafkaLog,
  type KafkaPoint,
  type KafkaSettings,
  type KafkaValues,
  type ShardGroup,
  type SnapshotOptions,
  type TakeOver,
  createShardGroup,
  ensureDeployment,
  masterKeyOf,
  openKafkaLog,
  openKafkaValues,
} from '@plumbline/adapters/kafka'
import { createReleaseSource, Detector, DETECTOR_VERSION, hashKeyOf, knownSigners, pinnedConfig } from '@plumbline/detector'
import type { Health, Logger, Metrics, Part } from '@plumbline/runtime'
import { DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { WorkerConfig } from './config.ts'
import { countedLog } from './counted-log.ts'
import type { WorkerPoint } from './points.ts'
import { createProgressTeller, obstacleOf, type ProgressTeller } from './progress.ts'
import type { Worker, WorkerFailure } from './options.ts'
import { createWorker } from './worker.ts'

/** What the parts of a worker process share. Parts come up one after the other; what is not there yet is null. */
export interface Context {
  readonly config: WorkerConfig
  readonly settings: KafkaSettings
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  readonly clock: () => number
  readonly onPoint: (point: KafkaPoint | WorkerPoint, shard?: number) => void
  readonly connect: ConnectProducer | undefined
  readonly requestBytes: number | undefined
  values: KafkaValues | null
  bases: Bases | null
  detectionConfig: DetectionConfig | null
  log: KafkaLog | null
  detector: Detector | null
  worker: Worker | null
  group: ShardGroup | null
  stopping: boolean
}

const present = <T>(value: T | null): T => {
  if (value === null) throw new PlumblineError('NOT_STARTED', 'A part was used before it was started.')
  return value
}

/** Longest that a transaction under way is waited for at the end; the broker gives it up after that itself. */
const FINISH_MS = 15_000
const LEAVE_MS = 5_000
const CLOSE_MS = 5_000

/** Named values: who this deployment is, the configuration that scores, releases and who may sign them. */
export const valuesPart = (context: Context): Part => ({
  name: 'values',
  async start() {
    const { config, settings } = context
    const { shards, kafkaPrefix: prefix, kafkaCompression: compression } = config
    const values = await openKafkaValues(settings, { prefix, compression })
    context.values = values
    const { bases } = await ensureDeployment(values, { shards, masterKey: masterKeyOf(config) })
    context.bases = bases
    context.detectionConfig ??= await pinnedConfig(values, DetectionConfig.parse({ shards }))
  },
  stop: () => context.values?.close(),
  stopTimeoutMs: CLOSE_MS,
})

const noteTakeOver = ({ metrics, logger }: Context, taken: TakeOver): void => {
  metrics.plumbline_restore_seconds.observe(taken.tookMs / 1_000)
  metrics.plumbline_restore_bytes_total.inc(taken.bytes)
  logger.info(taken, 'shard taken over')
  const { stateBy, stateOffset, nextOffset } = taken
  if (stateOffset === nextOffset || stateBy === null || stateBy === DETECTOR_VERSION) return
  metrics.plumbline_foreign_replays_total.inc()
  logger.warn(
    { ...taken, detector: DETECTOR_VERSION },
    'events that another version of the detector has scored are learned by this one: it may know of alerts that were not put out there',
  )
}

const noteFailure = ({ metrics, logger }: Context, failure: WorkerFailure): void => {
  metrics.plumbline_shard_failures_total.inc({ code: failure.code })
  logger[failure.stopped ? 'error' : 'warn'](failure, failure.stopped ? 'shards stopped' : 'shards are taken up again')
}

/** Waits for what the releases say: a shard goes on as soon as the one that it waits for has come. */
const resumeWaiting = (context: Context, names: readonly string[]): void => {
  if (!names.some((name) => name.startsWith('release:'))) return
  for (const stats of context.worker?.stats().shards ?? []) if (obstacleOf(stats) !== null) context.worker?.resume(stats.shard)
}

const snapshotsOf = ({ snapshotSeconds, snapshotEvents }: WorkerConfig): { snapshots?: SnapshotOptions } =>
  snapshotSeconds === 0 ? {} : { snapshots: { everyMs: snapshotSeconds * 1_000, everyRecords: snapshotEvents } }

const detectorOf = (context: Context, log: KafkaLog): Detector => {
  const { config } = context
  const values = present(context.values)
  const trusted = config.trustedSigners.map((key) => new Uint8Array(Buffer.from(key, 'base64')))
  return new Detector({
    config: present(context.detectionConfig),
    masterKey: hashKeyOf({ masterKey: masterKeyOf(config) }),
    slots: log,
    releases: createReleaseSource(values, () => (trusted.length > 0 ? trusted : knownSigners(values))),
    residentSlots: config.residentIdentities,
    topic: 'events',
  })
}

/** Log, detector and worker, which owns no shard until the group says so. */
export const detectionPart = (context: Context): Part => ({
  name: 'detection',
  async start() {
    const { config, settings, metrics, logger, health, onPoint } = context
    const { shards, kafkaPrefix: prefix, kafkaCompression: compression, cacheDir } = config
    const log = await openKafkaLog(
      settings,
      {
        ...snapshotsOf(config),
        prefix,
        shards,
        compression,
        bases: present(context.bases),
        onPoint,
        onAcquired: (taken) => noteTakeOver(context, taken),
        ...(cacheDir === undefined ? {} : { cacheDir }),
        ...(context.requestBytes === undefined ? {} : { requestBytes: context.requestBytes }),
      },
      context.connect,
    )
    context.log = log
    const detector = detectorOf(context, log)
    context.detector = detector
    context.worker = createWorker({
      log: countedLog(log, metrics, (found) => logger.error(found, 'records of the log are not accounted for: please report this')),
      processor: detector,
      shards: [],
      ownership: { owns: async (shard) => (await context.group?.owns(shard)) ?? false, release: log.release },
      chunkRecords: config.chunkRecords,
      chunkMs: config.chunkMs,
      // Each shard is stored by itself: one whose brokers are slow keeps no other waiting.
      chunksPerCommit: 1,
      commitsAtOnce: config.commitsAtOnce,
      readAhead: config.commitsAtOnce,
      takeOvers: config.takeOversAtOnce,
      onRecords: log.onRecords,
      onPoint,
      onChunk: ({ tookMs }) => metrics.plumbline_chunk_seconds.observe(tookMs / 1_000),
      onFailure: (failure) => noteFailure(context, failure),
    })
    present(context.values).onChange((names) => resumeWaiting(context, names))
    health.register('shards', () => {
      const stopped = context.worker?.stats().shards.filter((stats) => obstacleOf(stats) !== null) ?? []
      return stopped.length === 0
        ? { ok: true, detail: `${context.worker?.stats().shards.length ?? 0} here` }
        : { ok: false, detail: `${stopped.length} stopped; shard ${stopped[0]!.shard}: ${obstacleOf(stopped[0]!)}` }
    })
  },
  stop: () => context.log?.close(),
  stopTimeoutMs: CLOSE_MS,
})

/** Membership in the group that shares out the shards. */
export const groupPart = (context: Context): Part => ({
  name: 'group',
  async start() {
    const { config, settings, metrics, logger, health } = context
    const owned = new Set<number>()
    let failure = ''
    const tell = (): void => {
      metrics.plumbline_rebalances_total.inc()
      logger.info({ shards: [...owned].sort((a, b) => a - b) }, 'shards shared out')
      // At the end everything is let go at once, with the process.
      if (!context.stopping) void present(context.worker).assign([...owned])
    }
    context.group = await createShardGroup(settings, {
      prefix: config.kafkaPrefix,
      shards: config.shards,
      sessionMs: config.sessionMs,
      onAssigned(shards) {
        for (const shard of shards) owned.add(shard)
        tell()
      },
      onRevoked(shards) {
        for (const shard of shards) owned.delete(shard)
        tell()
      },
      onFailed(error) {
        failure = error.message
        logger.warn({ err: error }, 'not in the group, will join again')
      },
    })
    const { group } = context
    health.register('group', () => (group.isMember() ? { ok: true } : { ok: false, detail: `no member of the group now: ${failure}` }))
  },
  stop: () => context.group?.leave(),
  stopTimeoutMs: LEAVE_MS,
})

/** The last to come and the first to go: at the end the commits under way are finished before the group is left. */
export const workPart = (context: Context): Part => {
  let progress: ProgressTeller | null = null
  return {
    name: 'work',
    start() {
      const worker = present(context.worker)
      worker.start()
      progress = createProgressTeller({
        kv: present(context.values),
        detector: present(context.detector),
        worker,
        config: present(context.detectionConfig),
        clock: context.clock,
        onFailure: (error) => context.logger.warn({ err: error }, 'progress was not told, will be told again'),
      })
      progress.start()
    },
    async stop() {
      context.stopping = true
      await context.worker?.finish()
      // Before the group is left: whoever takes over then has nothing to compute once more.
      await Promise.all([context.log?.settle(), progress?.stop()])
      await context.worker?.stop()
    },
    stopTimeoutMs: FINISH_MS,
  }
}
