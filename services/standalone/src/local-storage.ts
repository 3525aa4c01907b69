import { engineProblem, type Retention } from '@plumbline/adapters/clickhouse'
import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { AlertBudget, type BudgetState } from '@plumbline/adapters/siem'
import { createRecorder, superviseEngine } from '@plumbline/recorder'
import type { Logger, Metrics } from '@plumbline/runtime'
import { audit } from './audit.ts'
import type { StartedRecording } from './recording.ts'
import { type Backend, createStorage, openServer, type Storage, type StorageOptions } from './storage.ts'

export interface LocalStorageOptions {
  readonly log: EmbeddedLog
  /** Folder of the embedded engine. */
  readonly dir: string
  readonly clickhouseUrl?: string | undefined
  readonly engineMemoryBytes: number
  readonly retention: Retention
  /** Ceiling on new alert groups per tenant and day. */
  readonly alertBudgetPerDay: number
  readonly clock: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  /** Called when the store is there for the first time. */
  readonly onUp: () => void
}

const MAX_BACKOFF_MS = 5000

/** Throws ENGINE_UNAVAILABLE where there is neither a build of the engine nor a server. */
export const checkStoreIsPossible = (clickhouseUrl: string | undefined): void => {
  const problem = clickhouseUrl === undefined ? engineProblem() : undefined
  if (problem !== undefined) throw problem
}

const openEngine = async ({ dir, engineMemoryBytes, logger }: LocalStorageOptions, retention: Retention): Promise<Backend> => {
  const supervised = await superviseEngine({
    dir,
    memoryBytes: engineMemoryBytes,
    retention,
    onRestart: (info) => logger.warn(info, 'the store ended by itself and is started again'),
  })
  return {
    store: (role) => supervised.store(role),
    access: () => ({
      url: supervised.url(),
      user: 'reader',
      password: supervised.passwords().reader,
      database: supervised.store('reader').database,
    }),
    stop: () => supervised.stop(),
  }
}

/** The recorder in this process. */
const createLocalRecording = (
  { log, clock, logger, metrics, alertBudgetPerDay }: LocalStorageOptions,
  use: Parameters<StorageOptions['record']>[0],
): StartedRecording => {
  const recorder = createRecorder({
    log,
    store: () => use('recorder'),
    ownerStore: () => use('owner'),
    maxBackoffMs: MAX_BACKOFF_MS,
    // The same budget as the forwarder's, over the same alerts in the same order: rows say delivered or held as it happened.
    makeDecider: (state) => new AlertBudget(() => alertBudgetPerDay, state as BudgetState | undefined),
    onErased: (tenant) => audit(log, clock(), { tenant, actor: 'service', action: 'tenant.erased', target: tenant }),
    onRefused: (topic, rows) => {
      metrics.plumbline_recorder_refused_rows_total.inc({ topic }, rows)
      // Of a dead letter that is refused itself none is written.
      if (topic !== 'dead-letters') metrics.plumbline_dead_letters_total.inc({ stage: 'recorder', code: 'STORE_REFUSED' }, rows)
      logger.warn({ topic, rows }, 'the store refused rows for their content; they are in the dead letters')
    },
    onFailure: (failure) => {
      metrics.plumbline_recorder_retries_total.inc()
      logger.warn(failure, 'rows wait for the store')
    },
  })
  return {
    start: () => recorder.start(),
    stop: () => recorder.stop(),
    drained: () => recorder.drained(),
    erase: (what) => recorder.erase(what),
    state() {
      const { state, error, rows, topics } = recorder.health()
      const lagRows = Object.values(topics).reduce((sum, topic) => sum + topic.rows, 0)
      return { problem: state === 'ok' ? null : `${state}: ${error ?? ''}`, lagRows, rows }
    },
  }
}

/** The store of one process: its own engine or a server, filled by a recorder in it. */
export const createLocalStorage = (options: LocalStorageOptions): Storage => {
  const { clickhouseUrl, retention, logger, onUp } = options
  return createStorage({
    open: () => (clickhouseUrl === undefined ? openEngine(options, retention) : openServer(clickhouseUrl, retention)),
    record: (use) => createLocalRecording(options, use),
    logger,
    onUp,
  })
}
