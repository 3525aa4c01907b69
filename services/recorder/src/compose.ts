import { randomUUID } from 'node:crypto'
import type { KafkaOutboxLog, ShardGroup } from '@plumbline/adapters/kafka'
import {
  createHealth,
  createLifecycle,
  createLogger,
  createMetrics,
  type Health,
  type Logger,
  type Metrics,
  opsPart,
} from '@plumbline/runtime'
import type { PlumblineError } from '@plumbline/schemas'
import type { RecorderConfig } from './config.ts'
import { lanesPart, logPart, storePart } from './parts.ts'
import type { Recorder } from './recorder.ts'

export interface RecorderHooks {
  readonly logger?: Logger
}

/** What the parts of the process share; null until the part that makes it has started. */
export interface RecorderContext {
  readonly config: RecorderConfig
  /** Names this process among the recorders. */
  readonly owner: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  log: KafkaOutboxLog | null
  recorder: Recorder | null
  group: ShardGroup | null
}

export interface RecorderProcess {
  readonly metricsUrl: string
  /** Stops in reverse order, each part for a bounded time. Never throws; resolves with what went wrong. */
  stop(): Promise<readonly PlumblineError[]>
}

/** Standard output belongs to what a person or a script asked for. */
const STDERR = { write: (line: string): void => void process.stderr.write(line) }

const observe = ({ recorder, group, metrics }: RecorderContext): void => {
  if (recorder === null) return
  const { topics } = recorder.health()
  metrics.plumbline_recorder_lag_rows.set(Object.values(topics).reduce((sum, { rows }) => sum + rows, 0))
  metrics.plumbline_recorder_lanes.set(group?.owned().length ?? 0)
}

/**
 * A recorder of a deployment on Kafka. Resolves when it is up; ClickHouse may come later. Errors: PART_START_FAILED with the
 * cause: HTTP_PORT_TAKEN, and what openKafkaOutboxLog says; whatever had started is stopped again before.
 */
export const startRecorder = async (config: RecorderConfig, hooks: RecorderHooks = {}): Promise<RecorderProcess> => {
  const context: RecorderContext = {
    config,
    owner: randomUUID(),
    logger: hooks.logger ?? createLogger({ name: 'plumbline-recorder', level: config.logLevel, destination: STDERR }),
    metrics: createMetrics({ process: true }),
    health: createHealth(),
    log: null,
    recorder: null,
    group: null,
  }
  const { logger, metrics, health } = context
  let metricsUrl = ''
  const ops = opsPart(
    { host: config.metricsHost, port: config.metricsPort, health, registry: metrics.registry, onScrape: () => observe(context) },
    ({ host, port }) => {
      metricsUrl = `http://${host}:${port}`
    },
  )
  const lifecycle = createLifecycle([ops, logPart(context), storePart(context), lanesPart(context)], logger)
  await lifecycle.start()
  return { metricsUrl, stop: () => lifecycle.stop() }
}
