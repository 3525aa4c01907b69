import {
  type Engine,
  type EngineOptions,
  type Store,
  connect,
  migrate,
  randomPasswords,
  startEngine,
  type EngineRole,
  type Retention,
} from '@plumbline/adapters/clickhouse'

export interface SupervisedEngine {
  /** Url of the engine that runs now. */
  url(): string
  passwords(): Engine['passwords']
  pid(): number
  /** A client for the engine that runs now. */
  store(role: EngineRole): Store
  restarts(): number
  stop(): Promise<void>
}

export interface SuperviseOptions extends EngineOptions {
  readonly retention?: Retention
  readonly maxBackoffMs?: number
  readonly onRestart?: (info: { readonly reason: string; readonly attempt: number }) => void
}

/** Starts the engine, brings its tables up to date, and starts it again whenever it ends by itself. */
export const superviseEngine = async (options: SuperviseOptions): Promise<SupervisedEngine> => {
  const passwords = options.passwords ?? randomPasswords()
  const { maxBackoffMs = 10_000, onRestart = () => {} } = options
  let stopped = false
  let restarts = 0
  let stores = new Map<EngineRole, Store>()
  let backoff: (() => void) | null = null

  const store = (role: EngineRole): Store => {
    let known = stores.get(role)
    if (known === undefined) stores.set(role, (known = connect({ url: engine.url, user: role, password: passwords[role] })))
    return known
  }
  const closeStores = async (): Promise<void> => {
    const old = stores
    stores = new Map()
    await Promise.all([...old.values()].map((each) => each.close().catch(() => {})))
  }
  const launch = async (port?: number): Promise<Engine> => startEngine({ ...options, passwords, ...(port === undefined ? {} : { port }) })
  const prepare = (): Promise<unknown> => migrate(store('owner'), options.retention === undefined ? {} : { retention: options.retention })

  let engine = await launch()
  try {
    await prepare()
  } catch (error) {
    await closeStores()
    await engine.stop()
    throw error
  }

  const again = async (): Promise<void> => {
    // The same port when it still is free, so that addresses shown to people stay true.
    engine = await launch(Number(new URL(engine.url).port)).catch(() => launch())
    await closeStores()
    restarts++
    try {
      await prepare()
    } catch (error) {
      await engine.kill()
      throw error
    }
  }

  const watch = async (): Promise<void> => {
    while (!stopped) {
      const { code, signal } = await engine.exited
      for (let attempt = 1; !stopped; attempt++) {
        onRestart({ reason: signal ?? `exit code ${code}`, attempt })
        const up = await again().then(
          () => true,
          () => false,
        )
        if (up) break
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(maxBackoffMs, 100 * 2 ** Math.min(attempt, 8)))
          backoff = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    }
  }
  const watching = watch()

  return {
    url: () => engine.url,
    passwords: () => passwords,
    pid: () => engine.pid,
    store,
    restarts: () => restarts,
    async stop() {
      stopped = true
      backoff?.()
      await closeStores()
      await engine.stop()
      await watching
      // A restart may have been under way: then there is another engine now.
      await engine.stop()
      await closeStores()
    },
  }
}
