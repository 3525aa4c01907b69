import { connect, engineProblem, migrate, type Retention, type Store } from '@plumbline/adapters/clickhouse'
import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { AlertBudget, type BudgetState } from '@plumbline/adapters/siem'
import { createRecorder, type Recorder, superviseEngine, type SupervisedEngine } from '@plumbline/recorder'
import type { Logger, Metrics } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { StoreAccess } from '@plumbline/trainer'
import { audit } from './audit.ts'

export interface StorageOptions {
  readonly log: EmbeddedLog
  /** Folder of the embedded engine. */
  readonly dir: string
  readonly clickhouseUrl?: string | undefined
  readonly engineMemoryBytes: number
  readonly retentionDays: number
  /** Ceiling on new alert groups per tenant and day. */
  readonly alertBudgetPerDay: number
  readonly clock: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  /** Called when the store is there for the first time. */
  readonly onUp: () => void
}

/** ClickHouse behind the log: its own engine or a server. Comes up in the background; nothing waits for it, nothing is lost without it. */
export interface Storage {
  start(): Promise<void>
  stop(): Promise<void>
  /** Throws STORE_UNAVAILABLE (retryable) while there is none. */
  reader(): Store
  /** Null while there is none. */
  access(): StoreAccess | null
  readonly recorder: Recorder
  state(): { readonly up: boolean; readonly detail: string }
}

/** What both kinds of ClickHouse give. */
interface Backend {
  store(role: 'owner' | 'recorder' | 'reader'): Store
  access(): StoreAccess
  stop(): Promise<void>
}

const RETRY_FIRST_MS = 250
const RETRY_LAST_MS = 5000

/** Throws ENGINE_UNAVAILABLE where there is neither a build of the engine nor a server. */
export const checkStoreIsPossible = (clickhouseUrl: string | undefined): void => {
  const problem = clickhouseUrl === undefined ? engineProblem() : undefined
  if (problem !== undefined) throw problem
}

const accessOf = (text: string): StoreAccess => {
  const url = new URL(text)
  const database = url.pathname.slice(1)
  return {
    url: url.origin,
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(database === '' ? {} : { database }),
  }
}

const server = async (url: string, retention: Retention): Promise<Backend> => {
  const access = accessOf(url)
  const store = connect(access)
  try {
    await migrate(store, { retention })
  } catch (error) {
    await store.close()
    throw error
  }
  return { store: () => store, access: () => access, stop: () => store.close() }
}

const engine = async (options: StorageOptions, retention: Retention): Promise<Backend> => {
  const supervised: SupervisedEngine = await superviseEngine({
    dir: options.dir,
    memoryBytes: options.engineMemoryBytes,
    retention,
    onRestart: (info) => options.logger.warn(info, 'the store ended by itself and is started again'),
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

export const createStorage = (options: StorageOptions): Storage => {
  const { logger, retentionDays } = options
  const retention: Retention = { scored_events: retentionDays, alerts: retentionDays, capsules: retentionDays, dead_letters: retentionDays }
  let backend: Backend | null = null
  let starting: Promise<void> = Promise.resolve()
  let stopping = false
  let wake: (() => void) | null = null
  let detail = 'starting'

  const use = (role: 'owner' | 'recorder' | 'reader'): Store => {
    if (backend === null) throw new PlumblineError('STORE_UNAVAILABLE', `ClickHouse is not there yet: ${detail}.`, { retryable: true })
    return backend.store(role)
  }
  const recorder = createRecorder({
    log: options.log,
    store: () => use('recorder'),
    ownerStore: () => use('owner'),
    maxBackoffMs: 5000,
    // The same budget as the forwarder's, over the same alerts in the same order: rows say delivered or held as it happened.
    makeDecider: (state) => new AlertBudget(() => options.alertBudgetPerDay, state as BudgetState | undefined),
    onErased: (tenant) => audit(options.log, options.clock(), { tenant, actor: 'service', action: 'tenant.erased', target: tenant }),
    onRefused: (topic, rows) => {
      options.metrics.plumbline_recorder_refused_rows_total.inc({ topic }, rows)
      // Of a dead letter that is refused itself none is written.
      if (topic !== 'dead-letters') options.metrics.plumbline_dead_letters_total.inc({ stage: 'recorder', code: 'STORE_REFUSED' }, rows)
      logger.warn({ topic, rows }, 'the store refused rows for their content; they are in the dead letters')
    },
    onFailure: (failure) => {
      options.metrics.plumbline_recorder_retries_total.inc()
      logger.warn(failure, 'rows wait for the store')
    },
  })

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  const bringUp = async (): Promise<void> => {
    for (let wait = RETRY_FIRST_MS; !stopping; wait = Math.min(RETRY_LAST_MS, wait * 2)) {
      try {
        backend = options.clickhouseUrl === undefined ? await engine(options, retention) : await server(options.clickhouseUrl, retention)
        detail = 'up'
        if (stopping) return
        await recorder.start()
        options.onUp()
        return
      } catch (error) {
        detail = error instanceof Error ? error.message : String(error)
        logger.warn({ err: error }, 'the store did not start, will be tried again; events are kept meanwhile')
        await pause(wait)
      }
    }
  }

  return {
    async start() {
      starting = bringUp()
    },
    async stop() {
      stopping = true
      wake?.()
      await starting
      await recorder.stop()
      await backend?.stop()
      backend = null
    },
    reader: () => use('reader'),
    access: () => backend?.access() ?? null,
    recorder,
    state() {
      if (backend === null) return { up: false, detail }
      const { state, error } = recorder.health()
      return { up: true, detail: state === 'ok' ? 'up' : `${state}: ${error ?? ''}` }
    },
  }
}
