import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'

/** A ClickHouse to ask, and how to let go of it. */
export interface StoreAccess {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
  close(): Promise<void>
}

export interface StoreFlags {
  readonly clickhouse?: string
  readonly dataDir?: string
}

export const dataDirOf = (flags: { readonly dataDir?: string }): string =>
  resolve(flags.dataDir ?? process.env['PLUMBLINE_DATA_DIR'] ?? 'data')

/** What to do while an instance holds the store. */
const BUSY: Readonly<Record<'owner' | 'reader', string>> = {
  owner: '; plumbline up brings its tables up to its own version when it starts. To do it by hand, stop it first',
  reader: ', and its store is not up yet; try again in a moment',
}

/** Rows of a deployment on Kafka are in its ClickHouse, not with its front: there is nothing to wait for. */
const ofFront = (dataDir: string): PlumblineError =>
  new PlumblineError(
    'STORE_ELSEWHERE',
    `${dataDir} is the data folder of the front of a deployment on Kafka, whose rows are in its ClickHouse: set CLICKHOUSE_URL, or --clickhouse, like http://user:password@host:8123/plumbline`,
  )

/** User, password and database of a ClickHouse URL, taken out of it. */
const serverAccess = (text: string): StoreAccess => {
  const url = URL.canParse(text) ? new URL(text) : null
  // Without the scheme, `localhost:8123` is an address too: of the scheme `localhost`.
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new PlumblineError('USAGE', 'the ClickHouse URL cannot be read; it looks like http://user:password@host:8123/plumbline')
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent)
  return {
    url: url.origin,
    user: user || 'default',
    password: password ?? '',
    database: database || 'plumbline',
    close: () => Promise.resolve(),
  }
}

/**
 * The store of a deployment, in this order: the server that was named, the running instance of the data folder, or its
 * embedded engine, started for as long as this takes. Errors: STORE_NOT_FOUND when there is none, STORE_ELSEWHERE beside a front,
 * STORE_BUSY.
 */
export const openStore = async (flags: StoreFlags, role: 'owner' | 'reader'): Promise<StoreAccess> => {
  const named = flags.clickhouse ?? process.env['CLICKHOUSE_URL'] ?? ''
  if (named !== '') return serverAccess(named)
  const { DATA_LAYOUT, findInstance } = await import('@plumbline/runtime')
  const dataDir = dataDirOf(flags)
  if (existsSync(join(dataDir, DATA_LAYOUT.front))) throw ofFront(dataDir)
  const running = findInstance(dataDir)
  if (running !== undefined && running.store !== null && role === 'reader') return { ...running.store, close: () => Promise.resolve() }
  if (running !== undefined)
    throw new PlumblineError('STORE_BUSY', `an instance (pid ${running.pid}) runs on ${dataDir}${BUSY[role]}`, { retryable: true })
  const dir = join(dataDir, DATA_LAYOUT.store)
  if (!existsSync(dir))
    throw new PlumblineError('STORE_NOT_FOUND', `there is no store in ${dataDir} yet; set --data-dir, --clickhouse or CLICKHOUSE_URL`, {
      retryable: true,
    })
  const { DATABASE, startEngine } = await import('@plumbline/adapters/clickhouse')
  const engine = await startEngine({ dir })
  return { url: engine.url, user: role, password: engine.passwords[role], database: DATABASE, close: () => engine.stop() }
}

/**
 * Asks by GET, which ClickHouse lets read only, whatever the user may do otherwise. `values` fill `{name:Type}` in the SQL.
 * Errors: STORE_UNAVAILABLE (retryable), QUERY_FAILED with ClickHouse's own words.
 */
export const askStore = async (
  store: StoreAccess,
  sql: string,
  format: string,
  values: Readonly<Record<string, string>> = {},
): Promise<Response> => {
  const parameters = new URLSearchParams({ query: sql, database: store.database, default_format: format })
  for (const [name, value] of Object.entries(values)) parameters.set(`param_${name}`, value)
  const headers = { 'X-ClickHouse-User': store.user, 'X-ClickHouse-Key': store.password }
  const answer = await fetch(`${store.url}/?${parameters.toString()}`, { headers }).catch((cause: unknown) => {
    throw new PlumblineError('STORE_UNAVAILABLE', `ClickHouse at ${store.url} does not answer`, { retryable: true, cause })
  })
  if (answer.ok) return answer
  const said = (await answer.text()).split('\n')[0] ?? ''
  throw new PlumblineError('QUERY_FAILED', said.replace(/ \(version .*/, '').slice(0, 1000))
}
