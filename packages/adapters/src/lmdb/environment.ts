import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import { type Database, type RootDatabase, open } from 'lmdb'

/** Layout version of the environment. A higher one than this was written by a newer Plumbline and is refused. */
export const STORE_VERSION = 1

export type Table = Database<Buffer, Buffer>

export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly events: Table
  readonly slots: Table
  readonly shards: Table
  readonly outbox: Table
  /** Small named values, key in UTF-8. */
  readonly kv: Table
  readonly idempotency: Table
  readonly idempotencyExpiry: Table
}

/**
 * Opens the tables. `overlappingSync` is off: a resolved transaction is on disk, and a crash can never bring back
 * an older snapshot than one that was answered for.
 */
export const openTables = (dir: string): Environment => {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const root = open<Buffer, Buffer>({
    path: join(dir, 'log.mdb'),
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: 16,
    maxReaders: 32,
    overlappingSync: false,
    // The writer makes its own groups; LMDB's would leave a promise behind whose rejection nobody can catch.
    eventTurnBatching: false,
  })
  chmodSync(join(dir, 'log.mdb'), 0o600)
  const table = (name: string): Table => root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })
  return {
    root,
    events: table('events'),
    slots: table('slots'),
    shards: table('shards'),
    outbox: table('outbox'),
    kv: table('kv'),
    idempotency: table('idempotency'),
    idempotencyExpiry: table('idempotency-expiry'),
  }
}

export const kvKey = (name: string): Buffer => Buffer.from(name)

/** Writes the version and shard count once, and refuses an environment this build does not understand. */
export const checkVersion = async (env: Environment, shards: number): Promise<void> => {
  const stored = env.kv.get(kvKey('store'))
  if (stored === undefined) {
    await env.kv.put(kvKey('store'), Buffer.from(JSON.stringify({ version: STORE_VERSION, shards })))
    return
  }
  const header = JSON.parse(stored.toString()) as { version: number; shards: number }
  if (header.version > STORE_VERSION) {
    throw new PlumblineError(
      'STORE_TOO_NEW',
      `The data folder has layout ${header.version}, this build knows up to ${STORE_VERSION}. Start the newer Plumbline that wrote it.`,
    )
  }
  if (header.shards !== shards) {
    throw new PlumblineError(
      'SHARDS_FIXED',
      `The data folder was created with ${header.shards} shards; the number cannot change to ${shards}. Set it back.`,
    )
  }
}

/**
 * The secret that tenant hash keys are derived from: 32 random bytes made once, in a file only its owner can read,
 * so that a copy of the tables alone does not give it away. The tables hold its fingerprint.
 */
export const masterKey = async (dir: string, env: Environment): Promise<Uint8Array> => {
  const path = join(dir, 'master.key')
  const known = env.kv.get(kvKey('master-key-sha256'))?.toString()
  if (!existsSync(path)) {
    if (known !== undefined)
      throw new PlumblineError('MASTER_KEY_MISSING', 'The file master.key is gone from the data folder. Restore it from the backup.')
    const file = openSync(path, 'wx', 0o600)
    writeSync(file, randomBytes(32))
    fsyncSync(file)
    closeSync(file)
  }
  const key = readFileSync(path)
  const print = createHash('sha256').update(key).digest('hex')
  if (key.length !== 32 || (known !== undefined && known !== print)) {
    throw new PlumblineError(
      'MASTER_KEY_WRONG',
      'The file master.key is not the one this data folder was created with. Restore it from the backup.',
    )
  }
  if (known === undefined) await env.kv.put(kvKey('master-key-sha256'), Buffer.from(print))
  return key
}

/** Made once per data folder: positions kept elsewhere (ClickHouse) are kept under it. */
export const logId = async (env: Environment): Promise<string> => {
  const known = env.kv.get(kvKey('log-id'))
  if (known !== undefined) return known.toString()
  const id = randomUUID()
  await env.kv.put(kvKey('log-id'), Buffer.from(id))
  return id
}
