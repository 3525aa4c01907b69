import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { type Store, connect, engineProblem } from '@plumbline/adapters/clickhouse'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { AlertBudget, type BudgetState } from '@plumbline/adapters/siem'
import type { ChunkCommit } from '@plumbline/detector'
import { SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { type SupervisedEngine, type RecorderOptions, createRecorder, superviseEngine } from '../../services/recorder/src/index.ts'
import { alertOf, encodeRow } from './chain.ts'
import { type Fate, startProxy } from './proxy.ts'

const skip = engineProblem()?.message ?? false
let root: string
let engine: SupervisedEngine

before(async () => {
  if (skip !== false) return
  root = mkdtempSync(join(tmpdir(), 'plumbline-recorder-'))
  engine = await superviseEngine({ dir: join(root, 'engine') })
})
after(async () => {
  if (skip !== false) return
  await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

interface Bench {
  readonly log: EmbeddedLog
  readonly owner: Store
  /** Stores rows with these offsets as one block, as the worker would. */
  scored(identity: string, count: number, corrupt?: (bytes: Buffer) => Buffer, version?: number): Promise<void>
  commit(part: Partial<ChunkCommit>, records?: number): Promise<void>
  recorder(options?: Partial<RecorderOptions>): ReturnType<typeof createRecorder>
  count(table: string): Promise<number>
}

/** Old on purpose: nothing may expire because an event is old. */
const EVENT_TIME = Date.UTC(2019, 5, 1)

const bench = async (t: TestContext): Promise<Bench> => {
  const owner = engine.store('owner')
  for (const table of ['scored_events', 'identities', 'alerts', 'capsules', 'dead_letters', 'feedback', 'recorder_positions'])
    await owner.command(`TRUNCATE TABLE plumbline.${table}`)
  const log = await openEmbeddedLog({ dir: mkdtempSync(join(root, 'log-')), shards: 1 })
  t.after(() => log.close())
  const commit = async (part: Partial<ChunkCommit>, records = 1): Promise<void> => {
    const { next } = log.head(0)
    await log.append(
      Array.from({ length: records }, () => ({ shard: 0, ingestTimeMs: EVENT_TIME, key: Buffer.from('e:x'), value: Buffer.alloc(1) })),
    )
    await log.commit([
      { shard: 0, nextOffset: next + records, slots: [], meta: [], scored: null, alerts: [], capsules: [], deadLetters: [], ...part },
    ])
  }
  return {
    log,
    owner,
    commit,
    async scored(identity, count, corrupt = (bytes) => bytes, version = SCORED_SCHEMA_VERSION) {
      const { next } = log.head(0)
      const rows = Array.from({ length: count }, (_, i) =>
        encodeRow({ shard: 0, offset: next + i, identity, chain: `c${next + i}`, alert: false }, EVENT_TIME, version),
      )
      await commit(
        {
          scored: {
            schemaVersion: version,
            firstOffset: next,
            lastOffset: next + count - 1,
            rows: count,
            bytes: corrupt(Buffer.concat(rows)),
          },
        },
        count,
      )
    },
    recorder(options = {}) {
      const recorder = createRecorder({
        log,
        store: () => engine.store('recorder'),
        ownerStore: () => owner,
        lingerMs: 1,
        maxBackoffMs: 100,
        ...options,
      })
      t.after(() => recorder.stop())
      return recorder
    },
    count: async (table) => Number((await owner.rows<{ n: number }>(`SELECT count() AS n FROM plumbline.${table}`))[0]?.n),
  }
}

test('blocks of rows, of earlier builds too, alerts and verdicts arrive as they were written', { skip, timeout: 60_000 }, async (t) => {
  const { log, owner, scored, commit, recorder, count } = await bench(t)
  await scored('a', 60, undefined, 1)
  await scored('a', 40)
  await scored('b', 50)
  const alert = alertOf({ shard: 0, offset: 150, identity: 'a "quoted" \n agent', chain: 'c', alert: true }, EVENT_TIME)
  await commit({ alerts: [alert, { ...alert, revision: 2, activity: 'update', severity: 'critical' }] })
  await log.publish('feedback', [
    { time: EVENT_TIME, tenant: 'faults', alertId: alert.id, identity: 'a', verdict: 'safe', author: 'me', note: '' },
  ])
  await log.publish('audit', [
    { time: EVENT_TIME, tenant: 'faults', actor: 'me', action: 'verdict', target: alert.id, body: { verdict: 'safe' } },
  ])
  const running = recorder()
  await running.start()
  await running.drained()
  assert.equal(await count('scored_events'), 150)
  assert.deepEqual(
    await owner.rows(
      "SELECT identity, uniqCombined64Merge(15)(events) AS events FROM plumbline.identities WHERE tenant = 'faults' GROUP BY identity ORDER BY identity",
    ),
    [
      { identity: 'a', events: 100 },
      { identity: 'b', events: 50 },
    ],
  )
  const [latest] = await owner.rows<{ alert: string; severity: string; delivery: string }>(
    'SELECT alert, severity, delivery FROM plumbline.alerts_latest',
  )
  assert.deepEqual(JSON.parse(latest!.alert), { ...alert, revision: 2, activity: 'update', severity: 'critical' })
  assert.deepEqual([latest!.severity, latest!.delivery], ['critical', 'delivered'])
  assert.deepEqual([await count('feedback'), await count('audit'), await count('alerts')], [1, 1, 2])
  const health = running.health()
  assert.deepEqual([health.state, health.refusedRows, health.topics.scored.rows], ['ok', 0, 0])
  assert.equal(await log.outbox.trim(), 7)
})

test('a block refused as data is split: good rows are stored, bad ones are dead letters, nothing waits', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { log, scored, recorder, count, owner } = await bench(t)
  await scored('good', 20)
  // A tail that is no row, and a block whose last row is cut off.
  await scored('tail', 10, (bytes) => Buffer.concat([bytes, Buffer.from([200, 200])]))
  await scored('cut', 10, (bytes) => bytes.subarray(0, bytes.length - 3))
  await scored('after', 20)
  await log.publish('alerts', [JSON.parse('{"id":"no facts"}') as never])
  const refused: Record<string, number> = {}
  const running = recorder({ onRefused: (topic, rows) => void (refused[topic] = (refused[topic] ?? 0) + rows) })
  await running.start()
  await running.drained()
  await running.drained()
  assert.equal(await count('scored_events'), 20 + 10 + 9 + 20)
  assert.equal(running.health().refusedRows, 3)
  assert.deepEqual(refused, { scored: 2, alerts: 1 })
  assert.equal(running.health().state, 'ok')
  const letters = await owner.rows<{ stage: string; code: string; topic: string }>(
    'SELECT stage, code, topic FROM plumbline.dead_letters ORDER BY topic',
  )
  assert.deepEqual(
    letters.map(({ stage, code, topic }) => `${stage} ${code} ${topic}`),
    ['recorder STORE_REFUSED alerts', 'recorder STORE_REFUSED scored', 'recorder STORE_REFUSED scored'],
  )
})

test('a lost answer after the rows took effect, or before, neither doubles nor loses rows', { skip, timeout: 60_000 }, async (t) => {
  const { scored, recorder, count } = await bench(t)
  const fates: Fate[] = ['pass', 'lose answer', 'lose answer', 'refuse', 'pass', 'lose answer', 'refuse', 'refuse']
  let lost = 0
  let asked = 0
  const proxy = await startProxy(engine.url(), (sql) => {
    if (!sql.startsWith('INSERT')) return 'pass'
    const fate = fates[asked++ % fates.length]!
    if (fate !== 'pass') lost++
    return fate
  })
  t.after(() => proxy.close())
  const store = connect({ url: proxy.url, user: 'recorder', password: engine.passwords().recorder, timeoutMs: 5_000 })
  t.after(() => store.close())
  for (let i = 0; i < 12; i++) await scored(`id-${i}`, 25)
  const running = recorder({ store: () => store, blockBytes: 4_000 })
  await running.start()
  await running.drained()
  t.diagnostic(`${lost} of ${asked} inserts lost their answer or never arrived`)
  assert.ok(lost > 5)
  assert.equal(await count('scored_events'), 300)
})

test('an engine killed between and during inserts is started again and loses nothing', { skip, timeout: 60_000 }, async (t) => {
  const { scored, recorder, count } = await bench(t)
  let kills = 0
  const running = recorder({
    blockBytes: 4_000,
    onPoint(point) {
      if (point === 'recorder:inserting' && kills < 3 && running.health().blocks > kills * 2) {
        kills++
        setTimeout(() => process.kill(engine.pid(), 'SIGKILL'), kills)
      }
    },
  })
  for (let i = 0; i < 12; i++) await scored(`id-${i}`, 25)
  const before = engine.restarts()
  await running.start()
  await running.drained()
  assert.equal(kills, 3)
  assert.ok(engine.restarts() > before)
  assert.equal(await count('scored_events'), 300)
})

test('rows of old events do not expire when TTL merges are forced (contracts C12)', { skip, timeout: 60_000 }, async (t) => {
  const { scored, recorder, count, commit, owner } = await bench(t)
  await scored('old', 200)
  await commit({ alerts: [alertOf({ shard: 0, offset: 200, identity: 'old', chain: 'c', alert: true }, EVENT_TIME)] })
  const running = recorder()
  await running.start()
  await running.drained()
  for (const table of ['scored_events', 'alerts', 'capsules', 'dead_letters']) {
    await owner.command(`ALTER TABLE plumbline.${table} MATERIALIZE TTL SETTINGS mutations_sync = 1`)
    await owner.command(`OPTIMIZE TABLE plumbline.${table} FINAL`)
  }
  assert.deepEqual([await count('scored_events'), await count('alerts')], [200, 1])
})

test('a tenant is erased everywhere once its last rows have arrived', { skip, timeout: 60_000 }, async (t) => {
  const { log, scored, recorder, count, commit } = await bench(t)
  await scored('gone', 30)
  const alert = alertOf({ shard: 0, offset: 30, identity: 'gone', chain: 'c', alert: true }, EVENT_TIME)
  await commit({ alerts: [alert] })
  const running = recorder()
  await running.start()
  const { done } = await running.erase({ tenant: 'faults' })
  await done
  assert.deepEqual([await count('scored_events'), await count('alerts'), await count('identities')], [0, 0, 0])
  assert.deepEqual(log.kv.list('recorder:erase:'), [])
})

test('one identity is erased up to a position: rows, alerts, capsules, verdicts and dead letters that name it; others stay', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { log, owner, scored, commit, recorder, count } = await bench(t)
  const id = 'a.b|"c"\\d'
  await scored(id, 30)
  await scored('a.b', 20)
  const alert = alertOf({ shard: 0, offset: 50, identity: id, chain: 'c', alert: true }, EVENT_TIME)
  const other = alertOf({ shard: 0, offset: 51, identity: 'a.b', chain: 'd', alert: true }, EVENT_TIME)
  const capsules = [alert, other].map(({ id: alertId, replay }) => ({
    v: 1 as const,
    alertId,
    revision: 1,
    replay,
    ingestTime: EVENT_TIME,
    event: '',
    slot: '',
    score: 1,
    features: [],
  }))
  const letter = (offset: number, payload: string, tenant: string) => ({
    v: 1 as const,
    stage: 'decode' as const,
    code: 'FIELD_INVALID' as const,
    field: '',
    message: '',
    tenant,
    topic: 'events',
    shard: 0,
    offset,
    ingestTime: EVENT_TIME,
    payload: Buffer.from(payload).toString('base64'),
  })
  const own = `"identity":{"id":${JSON.stringify(id)}`
  const named = [
    [`{${own},"kind":`, 'faults'],
    [`{ "identity": { "id" : ${JSON.stringify(id)} } }`, ''],
    // From a sender that speaks for several tenants.
    [`{"tenant" : "faults",${own}}}`, 'default'],
  ] as const
  const others = [
    ['{"identity":{"id":"a.b"}}', 'faults'],
    ['{"identity":{"id":"axb|\\"c\\"\\\\d"}}', 'faults'],
    ['no JSON \u0000', ''],
    [`{${own}}}`, 'other'],
    [`{"tenant":"other",${own}}}`, 'default'],
  ] as const
  await commit(
    { alerts: [alert, other], capsules, deadLetters: [...named, ...others].map(([text, tenant], i) => letter(60 + i, text, tenant)) },
    20,
  )
  const verdict = { time: EVENT_TIME, tenant: 'faults', alertId: alert.id, verdict: 'safe' as const, author: 'me', note: '' }
  await log.publish('feedback', [
    { ...verdict, identity: id },
    { ...verdict, alertId: other.id, identity: 'a.b' },
  ])
  const upTo = log.head(0).next
  const running = recorder()
  await running.start()
  const { done } = await running.erase({ tenant: 'faults', identity: { id, upTo } })
  await done
  await scored(id, 5)
  await running.drained()
  const left = async (table: string) =>
    (
      await owner.rows<{ identity: string; n: number }>(
        `SELECT identity, count() AS n FROM plumbline.${table} GROUP BY identity ORDER BY n`,
      )
    ).map((row) => `${row.identity} ${row.n}`)
  assert.deepEqual(await left('scored_events'), [`${id} 5`, 'a.b 20'])
  assert.deepEqual([await left('alerts'), await left('feedback')], [['a.b 1'], ['a.b 1']])
  assert.deepEqual(
    (await owner.rows<{ alert_id: string }>('SELECT alert_id FROM plumbline.capsules')).map((row) => row.alert_id),
    [other.id],
  )
  assert.equal(await count('dead_letters'), others.length)
  assert.deepEqual(log.kv.list('recorder:erase:'), [])
})

test('while ClickHouse is away the recorder says so, keeps everything, and catches up', { skip, timeout: 60_000 }, async (t) => {
  const { scored, recorder, count } = await bench(t)
  let away = true
  const proxy = await startProxy(engine.url(), () => (away ? 'refuse' : 'pass'))
  t.after(() => proxy.close())
  const store = connect({ url: proxy.url, user: 'recorder', password: engine.passwords().recorder, timeoutMs: 5_000 })
  t.after(() => store.close())
  await scored('waiting', 40)
  const failures: string[] = []
  const seen = Promise.withResolvers<void>()
  const running = recorder({
    store: () => store,
    onFailure({ code }) {
      failures.push(code)
      if (failures.length > 10) seen.resolve()
    },
  })
  await running.start()
  await seen.promise
  assert.equal(running.health().state, 'retrying')
  assert.equal(running.health().topics.scored.rows, 40)
  assert.ok(failures.every((code) => code === 'STORE_UNAVAILABLE'))
  away = false
  await running.drained()
  assert.equal(await count('scored_events'), 40)
  assert.equal(running.health().state, 'ok')
})

test('what the alert budget decides is kept, also when a block is sent again', { skip, timeout: 60_000 }, async (t) => {
  const { log, commit, recorder, owner } = await bench(t)
  const alert = (i: number) => alertOf({ shard: 0, offset: i, identity: `agent-${i}`, chain: 'c', alert: true }, Date.UTC(2026, 1, 1) + i)
  for (let i = 0; i < 12; i++) await commit({ alerts: [alert(i)] })
  let lost = 0
  const proxy = await startProxy(engine.url(), (sql) =>
    sql.includes('.alerts ') && sql.startsWith('INSERT') && lost++ % 2 === 0 ? 'lose answer' : 'pass',
  )
  t.after(() => proxy.close())
  const store = connect({ url: proxy.url, user: 'recorder', password: engine.passwords().recorder, timeoutMs: 5_000 })
  t.after(() => store.close())
  const run = async (): Promise<void> => {
    const running = recorder({
      store: () => store,
      blockBytes: 3_000,
      makeDecider: (state) => new AlertBudget(() => 5, state as BudgetState | undefined),
    })
    await running.start()
    await running.drained()
    await running.stop()
  }
  await run()
  for (let i = 12; i < 15; i++) await commit({ alerts: [alert(i)] })
  await run()
  assert.ok(lost > 2)
  const truth = new AlertBudget(() => 5)
  const expected = Array.from({ length: 15 }, (_, i) => truth.decide(alert(i)))
  const stored = await owner.rows<{ delivery: string }>('SELECT delivery FROM plumbline.alerts ORDER BY first_seen')
  assert.deepEqual(
    stored.map(({ delivery }) => delivery),
    expected,
  )
  assert.deepEqual(new Set(expected), new Set(['delivered', 'held']))
  assert.equal(log.outbox.lag('alerts', await log.outbox.cursor('recorder', 'alerts')).entries, 0)
})
