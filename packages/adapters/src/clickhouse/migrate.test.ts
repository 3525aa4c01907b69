import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  type Engine,
  type Store,
  checkMigrated,
  connect,
  engineProblem,
  migrate,
  migrationsDir,
  readMigrations,
  retentionOf,
  startEngine,
} from './index.ts'

/** Several starters at once, and what expires, on the real engine. */

const skip = engineProblem()?.message ?? false
let root: string
let engine: Engine
let databases = 0

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumbline-migrate-'))
  if (skip === false) engine = await startEngine({ dir: join(root, 'engine') })
})
after(async () => {
  if (skip === false) await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

/** Clients of a database that nobody else uses. */
const clients = (t: { after(fn: () => void): void }, count: number): Store[] => {
  const database = `migrate_test_${++databases}`
  return Array.from({ length: count }, () => {
    const store = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner, database })
    t.after(() => void store.close())
    return store
  })
}

test('of four starters at once each file is applied by one, and all four find the tables ready', { skip, timeout: 60_000 }, async (t) => {
  const stores = clients(t, 4)
  const names = readMigrations(migrationsDir()).map(({ name }) => name)
  await assert.rejects(checkMigrated(stores[0]!), { code: 'STORE_NOT_MIGRATED', retryable: true })
  const done = await Promise.all(
    stores.map(async (store) => {
      const applied = await migrate(store)
      await checkMigrated(store)
      return applied
    }),
  )
  assert.deepEqual(done.flat().sort(), names)
  const { database } = stores[0]!
  const rows = await stores[0]!.rows<{ name: string }>(`SELECT name FROM ${database}.migrations ORDER BY version`)
  assert.deepEqual(
    rows.map(({ name }) => name),
    names,
  )
  assert.deepEqual(await Promise.all(stores.map((store) => migrate(store))), [[], [], [], []])
})

test('positions from before there were lanes are those of lane 0', { skip, timeout: 60_000 }, async (t) => {
  const [store] = clients(t, 1) as [Store]
  const { database } = store
  const before = join(root, 'before-lanes')
  mkdirSync(before)
  for (const file of readdirSync(migrationsDir()).filter((name) => name < '0005'))
    copyFileSync(join(migrationsDir(), file), join(before, file))
  await migrate(store, { dir: before })
  await store.command(
    `INSERT INTO ${database}.recorder_positions (log, topic, sequence, rows) VALUES ('l', 'scored', 7, 1), ('l', 'alerts', 3, 1)`,
  )
  await migrate(store)
  await store.command(
    `INSERT INTO ${database}.recorder_positions (log, topic, lane, sequence, rows) VALUES ('l', 'scored', 0, 9, 1), ('l', 'scored', 1, 4, 1)`,
  )
  // Merged by all of (log, topic, lane): a lane does not replace another.
  await store.command(`OPTIMIZE TABLE ${database}.recorder_positions FINAL`)
  const rows = await store.rows<{ topic: string; lane: number; sequence: number }>(
    `SELECT topic, lane, sequence FROM ${database}.recorder_positions ORDER BY topic, lane`,
  )
  assert.deepEqual(
    rows.map(({ topic, lane, sequence }) => [topic, Number(lane), Number(sequence)]),
    [
      ['alerts', 0, 3],
      ['scored', 0, 9],
      ['scored', 1, 4],
    ],
  )
})

const lease = (store: Store, generation: number, at: string): Promise<void> =>
  store.command(
    `INSERT INTO ${store.database}.migration_leases (generation, owner, event, at) SELECT ${generation}, 'somebody', 'take', ${at}`,
  )

test('a starter waits for one that is at work, and takes over from one that died', { skip, timeout: 60_000 }, async (t) => {
  const [store] = clients(t, 1) as [Store]
  await migrate(store)
  const [{ n }] = (await store.rows<{ n: number }>(`SELECT max(generation) AS n FROM ${store.database}.migration_leases`)) as [
    { n: number },
  ]
  const generation = Number(n) + 1
  await lease(store, generation, 'now64(3)')
  let finished = false
  const waiting = migrate(store, { retention: { alerts: 7 } }).then(() => {
    finished = true
  })
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  assert.equal(finished, false)
  await store.command(
    `INSERT INTO ${store.database}.migration_leases (generation, owner, event) VALUES (${generation}, 'somebody', 'done')`,
  )
  await waiting
  await lease(store, generation + 2, 'now64(3) - INTERVAL 31 SECOND')
  await migrate(store, { retention: { alerts: 8 } })
  const [last] = await store.rows<{ n: number }>(`SELECT max(generation) AS n FROM ${store.database}.migration_leases`)
  assert.equal(Number(last!.n), generation + 3)
})

const RETENTION = { storeRetentionDays: 400 }

test('rows of one kind of subject expire by a time of their own, old rows of others stay', { skip, timeout: 60_000 }, async (t) => {
  const [store] = clients(t, 1) as [Store]
  const { database } = store
  await migrate(store, {
    retention: retentionOf({ ...RETENTION, userRetentionDays: 30, agentRetentionDays: 0, deadLetterRetentionDays: 10 }),
  })
  const old = (days: number): string => `now() - INTERVAL ${days} DAY`
  const scored = (kind: number, days: number, count: number): Promise<void> =>
    store.command(
      `INSERT INTO ${database}.scored_events (tenant, identity, identity_kind, event_time, ingest_time, shard, offset, stored_at)
       SELECT 't', 'i', ${kind}, toDateTime64('2019-06-01', 3), toDateTime64('2019-06-01', 3), ${kind}, number + ${days * 1000}, ${old(days)} FROM numbers(${count})`,
    )
  for (const kind of [0, 1, 2]) {
    await scored(kind, 0, 3)
    await scored(kind, 100, 5)
    await scored(kind, 500, 7)
  }
  for (const [i, kind] of ['agent', 'user', 'service', ''].entries())
    await store.command(
      `INSERT INTO ${database}.capsules (alert_id, revision, identity_kind, stored_at) VALUES ('${i}', 1, '${kind}', ${old(100)})`,
    )
  for (const table of ['scored_events', 'capsules']) {
    await store.command(`ALTER TABLE ${database}.${table} MATERIALIZE TTL SETTINGS mutations_sync = 1`)
    await store.command(`OPTIMIZE TABLE ${database}.${table} FINAL`)
  }
  const left = await store.rows<{ kind: number; n: number }>(
    `SELECT identity_kind AS kind, count() AS n FROM ${database}.scored_events GROUP BY kind ORDER BY kind`,
  )
  // Agents for ever, people 30 days, services as all: 400.
  assert.deepEqual(
    left.map(({ kind, n }) => [Number(kind), Number(n)]),
    [
      [0, 15],
      [1, 3],
      [2, 8],
    ],
  )
  const capsules = await store.rows<{ kind: string }>(`SELECT identity_kind AS kind FROM ${database}.capsules ORDER BY alert_id`)
  assert.deepEqual(
    capsules.map(({ kind }) => kind),
    ['agent', 'service', ''],
  )
})

test('retention is changed where it differs and left alone where not', { skip, timeout: 60_000 }, async (t) => {
  const [store] = clients(t, 1) as [Store]
  const { database } = store
  const fullOf = async (table: string): Promise<string> =>
    (
      await store.rows<{ engine_full: string }>(
        'SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}',
        { database, table },
      )
    )[0]!.engine_full
  const takes = async (): Promise<number> =>
    Number((await store.rows<{ n: number }>(`SELECT count() AS n FROM ${database}.migration_leases WHERE event = 'take'`))[0]!.n)
  const retention = retentionOf({ ...RETENTION, userRetentionDays: 30, serviceRetentionDays: 60, alertRetentionDays: 90 })
  await migrate(store, { retention })
  assert.match(
    await fullOf('scored_events'),
    /TTL stored_at \+ toIntervalDay\(400\) WHERE identity_kind NOT IN \(1, 2\), stored_at \+ toIntervalDay\(30\) WHERE identity_kind = 1, stored_at \+ toIntervalDay\(60\) WHERE identity_kind = 2 SETTINGS .*ttl_only_drop_parts = 0/,
  )
  assert.match(await fullOf('alerts'), /toIntervalDay\(90\) WHERE identity_kind NOT IN \('user', 'service'\)/)
  const before = await takes()
  await migrate(store, { retention })
  assert.equal(await takes(), before, 'nothing differs, so nothing is locked')
  await migrate(store, { retention: retentionOf(RETENTION) })
  assert.match(await fullOf('scored_events'), /TTL stored_at \+ toIntervalDay\(400\) SETTINGS .*ttl_only_drop_parts = 1/)
  await migrate(store, { retention: retentionOf({ storeRetentionDays: 0 }) })
  assert.doesNotMatch(await fullOf('alerts'), /TTL/)
  await assert.rejects(migrate(store, { retention: { alerts: 1.5 } }), { code: 'RETENTION_INVALID' })
})
