import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import type { Store } from './client.ts'
import { LEASES, withLease } from './lease.ts'
import { type Retention, applyRetention, changedRetention } from './retention.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sha256: string
  readonly statements: readonly string[]
}

/** Forms that give the same result when run twice: a crash half-way or a second starter just runs them again. */
const REPEATABLE = [
  /^CREATE (TABLE|VIEW|MATERIALIZED VIEW|DATABASE) IF NOT EXISTS /i,
  /^ALTER TABLE \S+ (ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS|DROP (COLUMN|INDEX) IF EXISTS|MODIFY (COLUMN|TTL|SETTING|QUERY|SQL SECURITY)) ?/i,
  /^DROP (TABLE|VIEW) IF EXISTS /i,
  /^CREATE OR REPLACE VIEW /i,
]

const statementsOf = (file: string, sql: string): string[] => {
  const statements = sql
    .replace(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
  for (const statement of statements) {
    if (!REPEATABLE.some((form) => form.test(statement))) {
      throw new PlumblineError('MIGRATION_UNSAFE', `${file} has a statement that cannot safely run twice: ${statement.slice(0, 80)}`)
    }
  }
  return statements
}

/** The folder schemas/clickhouse of this installation. */
export const migrationsDir = (): string => join(createRequire(import.meta.url).resolve('@plumbline/schemas'), '../../clickhouse')

export const readMigrations = (dir: string): Migration[] =>
  readdirSync(dir)
    .filter((file) => /^\d{4}_\w+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(dir, file), 'utf8')
      return {
        version: Number(file.slice(0, 4)),
        name: file,
        sha256: createHash('sha256').update(sql).digest('hex'),
        statements: statementsOf(file, sql),
      }
    })

const checkApplied = (migrations: readonly Migration[], applied: ReadonlyMap<number, string>): void => {
  for (const migration of migrations) {
    const sha256 = applied.get(migration.version)
    if (sha256 !== undefined && sha256 !== migration.sha256) {
      throw new PlumblineError(
        'MIGRATION_CHANGED',
        `${migration.name} was changed after it had been applied. Restore it and add a new file.`,
      )
    }
  }
  const newest = Math.max(0, ...applied.keys())
  if (newest > Math.max(0, ...migrations.map(({ version }) => version))) {
    throw new PlumblineError('STORE_TOO_NEW', `The tables are at version ${newest}, newer than this build. Start the newer Plumbline.`)
  }
}

const appliedIn = async (store: Store): Promise<ReadonlyMap<number, string>> => {
  const rows = await store.rows<{ version: number; sha256: string }>(`SELECT version, sha256 FROM ${store.database}.migrations FINAL`)
  return new Map(rows.map(({ version, sha256 }) => [version, sha256]))
}

const apply = async (store: Store, migrations: readonly Migration[]): Promise<readonly string[]> => {
  const applied = await appliedIn(store)
  checkApplied(migrations, applied)
  const now = migrations.filter(({ version }) => !applied.has(version))
  for (const { version, name, sha256, statements } of now) {
    for (const statement of statements) await store.command(statement.replaceAll('{db}', store.database))
    await store.command(
      `INSERT INTO ${store.database}.migrations (version, name, sha256) VALUES ({version:UInt32}, {name:String}, {sha256:String})`,
      { version, name, sha256 },
    )
  }
  return now.map(({ name }) => name)
}

/**
 * Brings the tables up to date. Forward only; each file is applied once, also when several start at the same time, and its
 * checksum kept. After a crash half-way it is applied again, which is safe because every statement may run twice. Returns the
 * names of the files applied now. Errors: MIGRATION_CHANGED, MIGRATION_UNSAFE, MIGRATION_WAITED, STORE_TOO_NEW, STORE_UNAVAILABLE.
 */
export const migrate = async (
  store: Store,
  options: { readonly retention?: Retention; readonly dir?: string } = {},
): Promise<readonly string[]> => {
  const { database } = store
  const { retention = {} } = options
  const migrations = readMigrations(options.dir ?? migrationsDir())
  await store.command(`CREATE DATABASE IF NOT EXISTS ${database}`)
  await store.command(
    `CREATE TABLE IF NOT EXISTS ${database}.migrations (version UInt32, name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ` +
      'ENGINE = ReplacingMergeTree ORDER BY (version, sha256)',
  )
  await store.command(LEASES(database))
  const applied = await appliedIn(store)
  checkApplied(migrations, applied)
  // Who finds everything as it should be waits for nobody.
  if (migrations.every(({ version }) => applied.has(version)) && (await changedRetention(store, retention)).size === 0) return []
  return withLease(store, async () => {
    const names = await apply(store, migrations)
    await applyRetention(store, await changedRetention(store, retention))
    return names
  })
}

/**
 * Checks that the tables are those this build knows, for whoever may not change them.
 * Errors: STORE_NOT_MIGRATED (retryable), MIGRATION_CHANGED, STORE_TOO_NEW, STORE_UNAVAILABLE.
 */
export const checkMigrated = async (store: Store, dir = migrationsDir()): Promise<void> => {
  const migrations = readMigrations(dir)
  // No table yet: nothing is applied. Whoever may not look at it, or cannot, is told that.
  const applied = await appliedIn(store).catch((error: unknown) => {
    if ((error as PlumblineError).code !== 'STORE_NOT_MIGRATED') throw error
    return new Map<number, string>()
  })
  checkApplied(migrations, applied)
  const missing = migrations.filter(({ version }) => !applied.has(version)).map(({ name }) => name)
  if (missing.length === 0) return
  throw new PlumblineError('STORE_NOT_MIGRATED', `The tables of ${store.database} lack ${missing.join(', ')}. Run: plumbline migrate.`, {
    retryable: true,
  })
}
