import { checkMigrated, connect, migrate, type Retention, type Store } from '@plumbline/adapters/clickhouse'
import { createRepeats, type Logger } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { StoreAccess } from '@plumbline/trainer'
import type { Recording, StartedRecording } from './recording.ts'

type StoreRole = 'owner' | 'recorder' | 'reader'

/** A ClickHouse that is there: a server, or the embedded engine. */
export interface Backend {
  store(role: StoreRole): Store
  access(): StoreAccess
  stop(): Promise<void>
}

export interface StorageOptions {
  /** Brings the store up; tried again until it does not throw. */
  readonly open: () => Promise<Backend>
  /** `use` throws STORE_UNAVAILABLE (retryable) while there is no store. */
  readonly record: (use: (role: StoreRole) => Store) => StartedRecording
  readonly logger: Logger
  /** Called when the store is there for the first time. */
  readonly onUp: () => void
}

/** ClickHouse behind the log. Comes up in the background; nothing waits for it, nothing is lost without it. */
export interface Storage {
  start(): Promise<void>
  stop(): Promise<void>
  /** Throws STORE_UNAVAILABLE (retryable) while there is none. */
  reader(): Store
  /** Null while there is none. */
  access(): StoreAccess | null
  readonly recording: Recording
  state(): { readonly up: boolean; readonly detail: string }
}

const RETRY_FIRST_MS = 250
const RETRY_LAST_MS = 5000

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

/** A ClickHouse server, once `prepare` has found or brought its tables up to date. */
const openTables = async (url: string, prepare: (store: Store) => Promise<unknown>): Promise<Backend> => {
  const access = accessOf(url)
  const store = connect(access)
  try {
    await prepare(store)
  } catch (error) {
    await store.close()
    throw error
  }
  return { store: () => store, access: () => access, stop: () => store.close() }
}

/** A server that is this process's to change. */
export const openServer = (url: string, retention: Retention): Promise<Backend> => openTables(url, (store) => migrate(store, { retention }))

/** A server that others fill and keep up to date; its user may only read. */
export const openReader = (url: string): Promise<Backend> => openTables(url, checkMigrated)

export const createStorage = ({ open, record, logger, onUp }: StorageOptions): Storage => {
  let backend: Backend | null = null
  let starting: Promise<void> = Promise.resolve()
  let stopping = false
  let wake: (() => void) | null = null
  let detail = 'starting'
  const repeats = createRepeats(logger)

  const use = (role: StoreRole): Store => {
    if (backend === null) throw new PlumblineError('STORE_UNAVAILABLE', `ClickHouse is not there yet: ${detail}.`, { retryable: true })
    return backend.store(role)
  }
  const recording = record(use)

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
        backend = await open()
        detail = 'up'
        if (stopping) return
        await recording.start()
        onUp()
        return
      } catch (error) {
        detail = error instanceof Error ? error.message : String(error)
        repeats.warn(error, 'the store did not start, will be tried again; events are kept meanwhile')
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
      await recording.stop()
      await backend?.stop()
      backend = null
    },
    reader: () => use('reader'),
    access: () => backend?.access() ?? null,
    recording,
    state: () => (backend === null ? { up: false, detail } : { up: true, detail: recording.state().problem ?? 'up' }),
  }
}
