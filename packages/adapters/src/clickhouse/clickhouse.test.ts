import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SCORED_COLUMNS, type ScoredWire } from '@plumbline/schemas'
import { type Engine, type Store, connect, engineProblem, migrate, migrationsDir, readMigrations, startEngine } from './index.ts'

const skip = engineProblem()?.message ?? false
const here = fileURLToPath(new URL('.', import.meta.url))
const code =
  (expected: string) =>
  (error: unknown): boolean =>
    (error as { code?: string }).code === expected
let root: string
let engine: Engine
let owner: Store

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumbline-engine-'))
  if (skip !== false) return
  engine = await startEngine({ dir: join(root, 'engine') })
  owner = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner })
})
after(async () => {
  if (skip === false) {
    await owner.close()
    await engine.stop()
    assert.deepEqual(await engine.exited, { code: 0, signal: null })
  }
  rmSync(root, { recursive: true, force: true })
})

test('two starters may migrate at once; each file is applied once, and a later start applies nothing', {
  skip,
  timeout: 30_000,
}, async () => {
  const names = readMigrations(migrationsDir()).map(({ name }) => name)
  await Promise.all([migrate(owner), migrate(owner)])
  assert.deepEqual(await migrate(owner), [])
  const applied = await owner.rows<{ name: string }>('SELECT name FROM plumbline.migrations FINAL ORDER BY version')
  assert.deepEqual(
    applied.map(({ name }) => name),
    names,
  )
})

test('who comes without a password can neither close the listener nor take the queries of others', {
  skip,
  timeout: 30_000,
}, async () => {
  const anybody = async (user: string, query: string): Promise<string> =>
    (await fetch(`${engine.url}/${user}`, { method: 'POST', body: query })).text()
  for (const user of ['', '?user=default', '?user=default&quota_key=x']) {
    for (const query of ['SYSTEM STOP LISTEN HTTP', 'SELECT sleepEachRow(3) FROM system.numbers LIMIT 3'])
      assert.match(await anybody(user, query), /QUOTA_EXCEEDED/, `${query} ${user}`)
  }
  const idle = await Promise.all(Array.from({ length: 40 }, () => anybody('', 'SELECT sleep(1)')))
  assert.ok(idle.filter((answer) => /TOO_MANY_SIMULTANEOUS_QUERIES/.test(answer)).length >= 30, idle.join())
  assert.equal((await fetch(`${engine.url}/ping`)).status, 200)
  assert.deepEqual(await owner.rows('SELECT 1 AS one'), [{ one: 1 }])
})

test('a migration that was changed, is newer than this build, or cannot run twice is refused', { skip, timeout: 30_000 }, async () => {
  await migrate(owner)
  const dir = join(root, 'migrations')
  cpSync(migrationsDir(), dir, { recursive: true })
  const file = join(dir, '0002_alerts.sql')
  const sql = readFileSync(file, 'utf8')
  writeFileSync(file, `${sql}\n-- changed`)
  await assert.rejects(migrate(owner, { dir }), code('MIGRATION_CHANGED'))
  writeFileSync(file, sql)
  writeFileSync(join(dir, '0900_more.sql'), 'CREATE TABLE IF NOT EXISTS {db}.more (a UInt8) ENGINE = MergeTree ORDER BY a;')
  assert.deepEqual(await migrate(owner, { dir }), ['0900_more.sql'])
  await assert.rejects(migrate(owner), code('STORE_TOO_NEW'))
  await owner.command('ALTER TABLE plumbline.migrations DELETE WHERE version = 900 SETTINGS mutations_sync = 1')
  writeFileSync(join(dir, '0901_unsafe.sql'), 'INSERT INTO {db}.more VALUES (1);')
  await assert.rejects(migrate(owner, { dir }), code('MIGRATION_UNSAFE'))
})

test('retention follows the configuration, per table', { skip, timeout: 30_000 }, async () => {
  await migrate(owner, { retention: { scored_events: 30, alerts: 0 } })
  const ttl = async (table: string): Promise<string> =>
    (
      await owner.rows<{ engine_full: string }>(
        "SELECT engine_full FROM system.tables WHERE database = 'plumbline' AND name = {table:String}",
        { table },
      )
    )[0]!.engine_full
  assert.match(await ttl('scored_events'), /TTL stored_at \+ toIntervalDay\(30\)/)
  assert.doesNotMatch(await ttl('alerts'), /TTL stored_at/)
  assert.match(await ttl('dead_letters'), /toIntervalDay\(400\)/)
  await migrate(owner, { retention: { scored_events: 400, alerts: 400 } })
  assert.match(await ttl('alerts'), /toIntervalDay\(400\)/)
})

const TYPES: Record<ScoredWire, RegExp> = {
  String: /^(LowCardinality\()?String\)?$/,
  UInt8: /^UInt8$/,
  UInt16: /^UInt16$/,
  UInt32: /^UInt32$/,
  UInt64: /^UInt64$/,
  Int64ms: /^DateTime64\(3, 'UTC'\)$/,
  Float32: /^Float32$/,
  ArrayUInt8: /^Array\(UInt8\)$/,
  ArrayFloat32: /^Array\(Float32\)$/,
}

test('scored_events begins with the columns of SCORED_COLUMNS, in their order and encoding', { skip, timeout: 30_000 }, async () => {
  await migrate(owner)
  const columns = await owner.rows<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = 'plumbline' AND table = 'scored_events' ORDER BY position",
  )
  assert.deepEqual(
    columns.slice(0, SCORED_COLUMNS.length).map(({ name }) => name),
    SCORED_COLUMNS.map(({ name }) => name),
  )
  for (const [i, { name, wire }] of SCORED_COLUMNS.entries()) assert.match(columns[i]!.type, TYPES[wire], name)
})

test('the reader reads Plumbline and nothing else; the recorder cannot change tables; nobody gets in without a password', {
  skip,
  timeout: 30_000,
}, async (t) => {
  await migrate(owner)
  const as = (user: 'reader' | 'recorder', password = engine.passwords[user]): Store => {
    const store = connect({ url: engine.url, user, password })
    t.after(() => store.close())
    return store
  }
  const reader = as('reader')
  assert.deepEqual(await reader.rows('SELECT count() AS n FROM plumbline.scored_events'), [{ n: 0 }])
  for (const sql of [
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    'SELECT * FROM system.users',
  ]) {
    await assert.rejects(reader.rows(sql), /Not enough privileges/, sql)
  }
  for (const sql of [
    'DROP TABLE plumbline.alerts',
    'INSERT INTO plumbline.audit (sequence) VALUES (1)',
    'SET readonly = 0',
    'SET max_execution_time = 0',
  ]) {
    await assert.rejects(reader.command(sql), sql)
  }
  await assert.rejects(as('recorder').command('DROP TABLE plumbline.alerts'), /Not enough privileges/)
  await assert.rejects(as('reader', 'wrong').rows('SELECT 1'), /Authentication failed/)
  const anonymous = await fetch(`${engine.url}/?query=SELECT+count()+FROM+plumbline.scored_events`)
  assert.equal(anonymous.ok, false)
  assert.equal(statSync(join(root, 'engine', 'config', 'users.xml')).mode & 0o777, 0o600)
})

test('the same block under the same token is stored once, also across a kill of the engine', { skip, timeout: 30_000 }, async () => {
  const dir = join(root, 'killed')
  const insert = (store: Store): Promise<void> =>
    store.insert({
      table: 'recorder_positions',
      columns: ['log', 'topic', 'sequence', 'rows'],
      format: 'JSONEachRow',
      bytes: Buffer.from('{"log":"l","topic":"t","sequence":1,"rows":1}\n'),
      token: 'l:t:1',
    })
  const first = await startEngine({ dir })
  const store = connect({ url: first.url, user: 'owner', password: first.passwords.owner })
  await migrate(store)
  await insert(store)
  await first.kill()
  await store.close()
  const second = await startEngine({ dir })
  const again = connect({ url: second.url, user: 'owner', password: second.passwords.owner })
  await insert(again)
  assert.deepEqual(await again.rows('SELECT count() AS n FROM plumbline.recorder_positions'), [{ n: 1 }])
  await again.close()
  await second.stop()
})

test('a second engine on the folder, a taken port and a missing build are said clearly', { skip, timeout: 30_000 }, async (t) => {
  await assert.rejects(startEngine({ dir: join(root, 'engine') }), code('ENGINE_DATA_LOCKED'))
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  await assert.rejects(
    startEngine({ dir: join(root, 'port'), port: (server.address() as { port: number }).port }),
    code('ENGINE_PORT_TAKEN'),
  )
  process.env['CHDB_LIBCHDB_PATH'] = join(root, 'absent.so')
  t.after(() => delete process.env['CHDB_LIBCHDB_PATH'])
  await assert.rejects(
    startEngine({ dir: join(root, 'none') }),
    (error: Error) => code('ENGINE_UNAVAILABLE')(error) && error.message.includes('CLICKHOUSE_URL'),
  )
})

test('the engine ends with the process that started it', { skip, timeout: 30_000 }, async () => {
  const script = `import { startEngine } from './index.ts'
    const engine = await startEngine({ dir: ${JSON.stringify(join(root, 'orphan'))} })
    console.log(engine.url)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: here, stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve) => parent.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())))
  assert.ok((await fetch(`${url}/ping`)).ok)
  parent.kill('SIGKILL')
  const gone = async (): Promise<boolean> =>
    fetch(`${url}/ping`).then(
      () => false,
      () => true,
    )
  while (!(await gone())) await new Promise((resolve) => setTimeout(resolve, 20))
})
