import { clientIdOf, type ConnectProducer, type KafkaPoint, kafkaSettingsOf } from '@plumbline/adapters/kafka'
import { createHealth, createLifecycle, createLogger, createMetrics, type Logger, opsPart } from '@plumbline/runtime'
import type { DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { WorkerConfig } from './config.ts'
import { createDetectorCounts, totalsOf } from './detector-view.ts'
import { type Context, detectionPart, groupPart, valuesPart, workPart } from './parts.ts'
import type { WorkerPoint } from './points.ts'
import { obstacleOf } from './progress.ts'
import type { WorkerStats } from './options.ts'

export interface WorkerHooks {
  readonly logger?: Logger
  /** Tests stop the process at named points; nothing else uses this. */
  readonly onPoint?: (point: KafkaPoint | WorkerPoint, shard?: number) => void
  /** The negative control of the fault suite brings producers of its own; nothing else uses this. */
  readonly connect?: ConnectProducer
  /** Tests cut chunks into smaller requests; nothing else uses this. */
  readonly requestBytes?: number
  /** Tests score with a configuration of their own, which the deployment need not know. */
  readonly detectionConfig?: DetectionConfig
}

export interface WorkerService {
  /** Where metrics and health are answered. */
  readonly metricsUrl: string
  stats(): WorkerStats
  /** Finishes the commits under way, leaves the group, each for a bounded time. Never throws; resolves with what went wrong. */
  stop(): Promise<readonly PlumblineError[]>
}

/** Standard output is left to whoever started the process. */
const STDERR = { write: (line: string): void => void process.stderr.write(line) }

/** Gauges as of now, for whoever asks for the metrics. */
const observe = ({ metrics, log, detector, worker }: Context, count: ReturnType<typeof createDetectorCounts>): void => {
  if (detector !== null) count(totalsOf(detector))
  const shards = worker?.stats().shards ?? []
  metrics.plumbline_shards_held.set(shards.filter(({ phase }) => !['lost', 'acquiring', 'stopped'].includes(phase)).length)
  metrics.plumbline_shards_stopped.set(shards.filter((stats) => obstacleOf(stats) !== null).length)
  metrics.plumbline_lag_events.set(shards.reduce((sum, { shard, next }) => sum + Math.max(0, (log?.end(shard) ?? next) - next), 0))
}

/**
 * A worker of a cluster: takes its part of the shards and scores their events, any number of them side by side. Resolves when
 * it is a member of the group. Errors: PART_START_FAILED with the cause: HTTP_PORT_TAKEN, KAFKA_UNREACHABLE and the other codes
 * of connecting, TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS, SHARDS_FIXED, MASTER_KEY_WRONG.
 */
export const startWorkerService = async (config: WorkerConfig, hooks: WorkerHooks = {}): Promise<WorkerService> => {
  const logger = hooks.logger ?? createLogger({ name: 'worker', level: config.logLevel, destination: STDERR })
  const metrics = createMetrics({ process: true })
  const health = createHealth()
  const context: Context = {
    config,
    settings: {
      ...kafkaSettingsOf(config, { clientId: clientIdOf('worker') }),
      onLog: ({ level, message, ...fields }) => logger[level === 'error' ? 'warn' : 'debug']({ kafka: fields }, message),
    },
    logger,
    metrics,
    health,
    clock: Date.now,
    onPoint: hooks.onPoint ?? (() => {}),
    connect: hooks.connect,
    requestBytes: hooks.requestBytes,
    values: null,
    bases: null,
    detectionConfig: hooks.detectionConfig ?? null,
    log: null,
    detector: null,
    worker: null,
    group: null,
    stopping: false,
  }
  const count = createDetectorCounts(metrics)
  const ops = {
    host: config.metricsHost,
    port: config.metricsPort,
    health,
    registry: metrics.registry,
    onScrape: () => observe(context, count),
  }
  let metricsUrl = ''
  let ready = false
  health.register('started', () => ({ ok: ready && !context.stopping, detail: context.stopping ? 'stopping' : ready ? 'up' : 'starting' }))
  const parts = [
    opsPart(ops, ({ host, port }) => {
      metricsUrl = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
    }),
    valuesPart(context),
    detectionPart(context),
    groupPart(context),
    workPart(context),
  ]
  const lifecycle = createLifecycle(parts, logger)
  await lifecycle.start()
  ready = true
  return {
    metricsUrl,
    stats: () => context.worker!.stats(),
    stop: () => lifecycle.stop(),
  }
}
