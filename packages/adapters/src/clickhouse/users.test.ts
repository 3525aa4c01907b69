import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Engine, type Store, checkMigrated, connect, engineProblem, migrate, retentionOf, startEngine } from './index.ts'

/** The users of a server as deploy/clickhouse declares them, on the real engine: it merges the file as a server does. */

const skip = engineProblem()?.message ?? false
const FILE = fileURLToPath(new URL('../../../../deploy/clickhouse/users.xml', import.meta.url))
const PASSWORDS = { OWNER: 'owner-p', RECORDER: 'recorder-p', FRONT: 'front-p' } as const
let root: string
let engine: Engine
const stores: Store[] = []

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumbline-users-'))
  if (skip !== false) return
  for (const [name, password] of Object.entries(PASSWORDS)) process.env[`CLICKHOUSE_${name}_PASSWORD`] = password
  const dir = join(root, 'engine')
  mkdirSync(join(dir, 'config', 'users.d'), { recursive: true })
  copyFileSync(FILE, join(dir, 'config', 'users.d', 'plumbline.xml'))
  engine = await startEngine({ dir })
})
after(async () => {
  await Promise.all(stores.map((store) => store.close()))
  if (skip === false) await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

const as = (name: keyof typeof PASSWORDS, password: string = PASSWORDS[name]): Store => {
  const store = connect({ url: engine.url, user: `plumbline_${name.toLowerCase()}`, password })
  stores.push(store)
  return store
}

const insert = (store: Store, table: string, row: object): Promise<void> =>
  store.insert({
    table,
    columns: Object.keys(row),
    format: 'JSONEachRow',
    bytes: Buffer.from(`${JSON.stringify(row)}\n`),
    token: `${table}:${JSON.stringify(row)}`,
  })

const EVENT = {
  tenant: 't',
  identity: 'i',
  identity_kind: 0,
  event_time: '2019-06-01 00:00:00.000',
  ingest_time: '2019-06-01 00:00:00.000',
  shard: 0,
  offset: 1,
}

test('the owner makes and changes the tables, deletes rows, and reaches nothing else', { skip, timeout: 60_000 }, async () => {
  const owner = as('OWNER')
  await migrate(owner, { retention: retentionOf({ storeRetentionDays: 30, userRetentionDays: 10 }) })
  await checkMigrated(owner)
  await owner.command("ALTER TABLE plumbline.alerts DELETE WHERE tenant = 'x' SETTINGS mutations_sync = 1")
  for (const sql of [
    'CREATE DATABASE other',
    'CREATE USER somebody',
    'SYSTEM SHUTDOWN',
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
  ])
    await assert.rejects(owner.command(sql), { code: 'STORE_DENIED' }, sql)
})

test('the recorder inserts and knows how far it is; it reads no row, changes no table', { skip, timeout: 60_000 }, async () => {
  await migrate(as('OWNER'))
  const recorder = as('RECORDER')
  await checkMigrated(recorder)
  await insert(recorder, 'scored_events', EVENT)
  await insert(recorder, 'recorder_positions', { log: 'l', topic: 'scored', lane: 1, sequence: 7, rows: 1 })
  for (const table of ['alerts', 'capsules', 'dead_letters', 'feedback', 'releases', 'audit', 'incidents'])
    await insert(recorder, table, table === 'capsules' ? { alert_id: 'a' } : { tenant: 't' })
  assert.deepEqual(await recorder.rows('SELECT max(sequence) AS n FROM plumbline.recorder_positions'), [{ n: 7 }])
  // The summary of identities is filled by its view, with the owner's rights.
  assert.deepEqual(await as('FRONT').rows("SELECT identity FROM plumbline.identities WHERE tenant = 't'"), [{ identity: 'i' }])
  const refused = [
    'SELECT count() FROM plumbline.scored_events',
    'SELECT count() FROM plumbline.identities',
    'ALTER TABLE plumbline.alerts DELETE WHERE 1',
    'TRUNCATE TABLE plumbline.recorder_positions',
    'DROP TABLE plumbline.audit',
    'INSERT INTO plumbline.migrations (version) VALUES (9)',
    'CREATE TABLE plumbline.more (a UInt8) ENGINE = Memory',
  ]
  for (const sql of refused) await assert.rejects(recorder.command(sql), { code: 'STORE_DENIED' }, sql)
})

test('the front reads within limits that it cannot lift, and writes nothing', { skip, timeout: 60_000 }, async () => {
  await migrate(as('OWNER'))
  const front = as('FRONT')
  await checkMigrated(front)
  assert.ok((await front.rows('SELECT * FROM plumbline.alerts_latest')).length >= 0)
  for (const sql of [
    'INSERT INTO plumbline.audit (sequence) VALUES (1)',
    'DROP TABLE plumbline.alerts',
    'ALTER TABLE plumbline.alerts DELETE WHERE 1',
  ])
    await assert.rejects(
      front.command(sql),
      (error: { code?: string }) => ['STORE_DENIED', 'STORE_READ_ONLY'].includes(error.code ?? ''),
      sql,
    )
  for (const sql of ["SELECT * FROM file('/etc/hostname', 'LineAsString')", 'SELECT * FROM system.users'])
    await assert.rejects(front.rows(sql), { code: 'STORE_DENIED' }, sql)
  const inForce = await front.rows(
    "SELECT getSetting('readonly') AS readonly, getSetting('max_execution_time') AS seconds, getSetting('max_rows_to_read') AS rows, getSetting('max_result_rows') AS result",
  )
  assert.deepEqual(inForce, [{ readonly: 2, seconds: 30, rows: 500_000_000, result: 1_000_000 }])
  const lifted = [
    'max_execution_time = 0',
    'max_memory_usage = 0',
    'max_rows_to_read = 0',
    'max_result_rows = 0',
    'readonly = 0',
    'max_concurrent_queries_for_user = 0',
  ]
  for (const setting of lifted)
    await assert.rejects(front.rows(`SELECT 1 SETTINGS ${setting}`), /(should(n't| not)|Cannot modify|cannot be|Setting)/, setting)
  await assert.rejects(
    front.rows('SELECT name FROM plumbline.migrations SETTINGS max_result_rows = 2'),
    /Limit for result exceeded|TOO_MANY_ROWS|max_result_rows/i,
  )
  await assert.rejects(front.rows('SELECT name FROM plumbline.migrations SETTINGS max_rows_to_read = 2'), /Limit for rows|TOO_MANY_ROWS/i)
})

test('nobody gets in with another password', { skip, timeout: 30_000 }, async () => {
  for (const name of ['OWNER', 'RECORDER', 'FRONT'] as const)
    await assert.rejects(as(name, 'wrong').rows('SELECT 1'), { code: 'STORE_DENIED' })
})
