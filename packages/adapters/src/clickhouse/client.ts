import { Readable } from 'node:stream'
import { ClickHouseError, type ClickHouseClient, createClient } from '@clickhouse/client'
import { PlumblineError } from '@plumbline/schemas'
import { DATABASE } from './engine-config.ts'

export interface ConnectOptions {
  /** http(s)://user:password@host:port/database; all but host and port may be left out, or be given apart. */
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Longest wait for one answer, ms. Default 30,000. */
  readonly timeoutMs?: number
}

export interface InsertOptions {
  readonly table: string
  readonly columns: readonly string[]
  readonly format: 'RowBinary' | 'JSONEachRow'
  readonly bytes: Uint8Array | readonly Uint8Array[]
  /** Same token and same bytes within the table's window: stored once. */
  readonly token: string
}

/** ClickHouse as Plumbline uses it, embedded engine or server. */
export interface Store {
  readonly database: string
  ping(): Promise<boolean>
  /** Statements that change something (migrations, erasure). Settings apply to this statement only. */
  command(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<void>
  /** Rows of a SELECT; parameters as `{name:Type}`. 64-bit integers arrive as numbers when exact. */
  rows<T>(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<readonly T[]>
  /** A SELECT's answer in any ClickHouse format, as it comes. */
  text(sql: string, format: string): Promise<string>
  /** The same as bytes, for binary formats; parameters as `{name:Type}`. */
  bytes(sql: string, format: string, parameters?: Readonly<Record<string, unknown>>): Promise<Buffer>
  /** Resolves when the block is stored. Rejects with STORE_REFUSED_DATA when retrying cannot help, else STORE_UNAVAILABLE. */
  insert(options: InsertOptions): Promise<void>
  close(): Promise<void>
}

/**
 * ClickHouse's codes for "these bytes can never be stored": broken or out-of-range values, not trouble of the server.
 * Everything else counts as trouble that may pass.
 */
const DATA_CODES = new Set(['6', '26', '27', '32', '33', '38', '41', '53', '69', '70', '72', '117', '131', '349', '522', '691'])

const SETTINGS = {
  async_insert: 0,
  wait_end_of_query: 1,
  output_format_json_quote_64bit_integers: 0,
  max_partitions_per_insert_block: '0',
} as const

/** A reader that goes away takes its query with it. */
const CANCEL = { cancel_http_readonly_queries_on_client_close: 1 } as const

/** Trouble that passes by itself or that somebody has to end: told by a name of its own. The rows wait meanwhile. */
const TROUBLE: readonly { readonly code: string; readonly codes: readonly string[]; readonly text?: RegExp; readonly words: string }[] = [
  {
    code: 'STORE_FULL',
    codes: ['243', '461'],
    text: /No space left on device|ENOSPC/,
    words: 'ClickHouse has no room left on its disk. Make room or shorten retention; writing goes on by itself.',
  },
  {
    code: 'STORE_READ_ONLY',
    codes: ['164', '242', '472'],
    text: /Read-only file system|EROFS/,
    words: 'ClickHouse takes no writes: the table, the disk or the user is read-only.',
  },
  { code: 'STORE_BUSY', codes: ['202', '241', '252'], words: 'ClickHouse is at a limit (queries, memory or parts).' },
  { code: 'STORE_DENIED', codes: ['192', '193', '194', '497', '516'], words: 'ClickHouse refuses the user or its password.' },
  {
    code: 'STORE_NOT_MIGRATED',
    codes: ['16', '60', '81'],
    words: 'The tables are not there or older than this build. Run: plumbline migrate.',
  },
]

const toError = (cause: unknown): PlumblineError => {
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300)
  if (cause instanceof ClickHouseError) {
    const trouble = TROUBLE.find(({ codes, text }) => codes.includes(cause.code) || text?.test(cause.message) === true)
    if (trouble !== undefined)
      return new PlumblineError(trouble.code, `${trouble.words} (code ${cause.code}) ${message}`, { retryable: true, cause })
    if (DATA_CODES.has(cause.code))
      return new PlumblineError('STORE_REFUSED_DATA', `ClickHouse refused the rows (code ${cause.code}): ${message}`, { cause })
  }
  return new PlumblineError('STORE_UNAVAILABLE', `ClickHouse did not take the request: ${message}`, { retryable: true, cause })
}

const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    throw toError(cause)
  }
}

const open = (options: ConnectOptions): ClickHouseClient => {
  const url = new URL(options.url)
  const user = options.user ?? (url.username === '' ? 'default' : decodeURIComponent(url.username))
  const password = options.password ?? decodeURIComponent(url.password)
  url.username = ''
  url.password = ''
  return createClient({
    url: url.origin,
    username: user,
    password,
    request_timeout: options.timeoutMs ?? 30_000,
    max_open_connections: 4,
    compression: { request: false, response: false },
    keep_alive: { enabled: true, idle_socket_ttl: 1_500 },
    clickhouse_settings: SETTINGS,
    log: { level: 127 as never },
  })
}

/** Connects lazily: nothing is sent until the first call. */
export const connect = (options: ConnectOptions): Store => {
  const client = open(options)
  const database = options.database ?? (new URL(options.url).pathname.slice(1) || DATABASE)
  const raw = async (sql: string, format: string, parameters: Readonly<Record<string, unknown>>): Promise<Buffer> => {
    const answer = await client.exec({ query: `${sql}\nFORMAT ${format}`, query_params: { ...parameters } })
    const chunks: Buffer[] = []
    for await (const chunk of answer.stream) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }
  return {
    database,
    ping: async () => (await client.ping()).success,
    command: (sql, parameters = {}) => guarded(async () => void (await client.command({ query: sql, query_params: { ...parameters } }))),
    rows: <T>(sql: string, parameters: Readonly<Record<string, unknown>> = {}) =>
      guarded(
        async () =>
          (
            await client.query({ query: sql, query_params: { ...parameters }, clickhouse_settings: CANCEL, format: 'JSONEachRow' })
          ).json<T>() as Promise<readonly T[]>,
      ),
    text: (sql, format) => guarded(async () => (await raw(sql, format, {})).toString()),
    bytes: (sql, format, parameters = {}) => guarded(() => raw(sql, format, parameters)),
    insert: (insert) => guarded(() => send(client, database, insert)),
    close: () => client.close(),
  }
}

const send = async (client: ClickHouseClient, database: string, insert: InsertOptions): Promise<void> => {
  const parts = insert.bytes instanceof Uint8Array ? [insert.bytes] : insert.bytes
  const columns = insert.columns.map((column) => `\`${column}\``).join(', ')
  const answer = await client.exec({
    query: `INSERT INTO ${database}.${insert.table} (${columns}) FORMAT ${insert.format}`,
    values: Readable.from(
      parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.length)),
      { objectMode: false },
    ),
    clickhouse_settings: {
      insert_deduplication_token: insert.token,
      insert_deduplicate: 1,
      deduplicate_blocks_in_dependent_materialized_views: 1,
      // One request is one block, so that its token stands for all of it.
      max_insert_block_size: '10000000',
      min_insert_block_size_rows: '0',
      min_insert_block_size_bytes: '0',
      input_format_parallel_parsing: 0,
      // Blocks hold each row once; collapsing them again would only cost time.
      optimize_on_insert: 0,
    },
  })
  for await (const _ of answer.stream) void _
}
