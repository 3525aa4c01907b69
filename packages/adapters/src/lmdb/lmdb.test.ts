import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { AppendRecord, ChunkCommit } from '@plumbline/detector'
import { open } from 'lmdb'
import { type EmbeddedLog, openEmbeddedLog } from './index.ts'

const HOUR = 3_600_000
const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-lmdb-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const opened = async (t: TestContext, now?: () => number): Promise<EmbeddedLog> => {
  const log = await openEmbeddedLog({ dir: folder(t), shards: 4, ...(now === undefined ? {} : { now }) })
  t.after(() => log.close())
  return log
}
const event = (shard: number, tenant: string, ingestTimeMs = 1_000): AppendRecord => ({
  shard,
  ingestTimeMs,
  key: Buffer.from(`e:${tenant}|a`),
  value: Buffer.from(tenant),
})
const chunk = (shard: number, nextOffset: number, part: Partial<ChunkCommit> = {}): ChunkCommit => ({
  shard,
  nextOffset,
  slots: [],
  meta: [],
  scored: null,
  alerts: [],
  capsules: [],
  deadLetters: [],
  ...part,
})
const scored = (first: number, last: number): ChunkCommit['scored'] => ({
  schemaVersion: 1,
  firstOffset: first,
  lastOffset: last,
  rows: last - first + 1,
  bytes: Buffer.alloc(1_000),
})
const code =
  (expected: string) =>
  (error: unknown): boolean =>
    (error as { code?: string }).code === expected

test('a data folder has one opener, in this process and in another', async (t) => {
  const dir = folder(t)
  const log = await openEmbeddedLog({ dir, shards: 4 })
  await assert.rejects(openEmbeddedLog({ dir, shards: 4 }), code('DATA_DIR_LOCKED'))
  const script = `import { openEmbeddedLog } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    try { const log = await openEmbeddedLog({ dir: ${JSON.stringify(dir)}, shards: 4 }); console.log('OPEN'); if (process.argv[1] === 'die') process.kill(process.pid, 'SIGKILL'); await log.close() } catch (error) { console.log(error.code) }`
  const other = (...args: string[]): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, ...args], { cwd: fileURLToPath(new URL('.', import.meta.url)) })
      .stdout.toString()
      .trim()
  assert.equal(other(), 'DATA_DIR_LOCKED')
  await log.close()
  assert.equal(other(), 'OPEN')
  // An owner that was killed does not lock the folder.
  assert.equal(other('die'), 'OPEN')
  const again = await openEmbeddedLog({ dir, shards: 4 })
  await again.close()
})

test('a folder of a newer build or with another number of shards is refused', async (t) => {
  const dir = folder(t)
  const log = await openEmbeddedLog({ dir, shards: 4 })
  await log.close()
  await assert.rejects(openEmbeddedLog({ dir, shards: 8 }), code('SHARDS_FIXED'))
  const root = open({ path: join(dir, 'log.mdb'), noSubdir: true, keyEncoding: 'binary', encoding: 'binary', maxDbs: 16 })
  await root
    .openDB({ name: 'kv', encoding: 'binary', keyEncoding: 'binary' })
    .put(Buffer.from('store'), Buffer.from('{"version":99,"shards":4}'))
  await root.close()
  await assert.rejects(openEmbeddedLog({ dir, shards: 4 }), code('STORE_TOO_NEW'))
})

test('the master key is made once, private, and never silently replaced', async (t) => {
  const dir = folder(t)
  const log = await openEmbeddedLog({ dir, shards: 4 })
  const key = Buffer.from(log.masterKey)
  await log.close()
  const path = join(dir, 'master.key')
  assert.equal(key.length, 32)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(dir, 'log.mdb')).mode & 0o777, 0o600)
  const again = await openEmbeddedLog({ dir, shards: 4 })
  assert.ok(key.equals(again.masterKey))
  await again.close()
  copyFileSync(path, `${path}.kept`)
  rmSync(path)
  await assert.rejects(openEmbeddedLog({ dir, shards: 4 }), code('MASTER_KEY_MISSING'))
  writeFileSync(path, Buffer.alloc(32))
  await assert.rejects(openEmbeddedLog({ dir, shards: 4 }), code('MASTER_KEY_WRONG'))
})

test('a repeated Idempotency-Key stores nothing and gives the first answer, for 24 hours, per tenant', async (t) => {
  const log = await opened(t)
  const send = (tenant: string, key: string, nowMs: number, answer = 'first') =>
    log.ingest({ records: [event(0, tenant)], idempotency: { tenant, key, answer: Buffer.from(answer), nowMs } })
  const first = await Promise.all([send('a', 'k', 0), send('a', 'k', 0, 'second')])
  assert.deepEqual(
    first.map(({ offsets }) => offsets.length),
    [1, 0],
  )
  assert.equal(Buffer.from(first[1]!.repeated!).toString(), 'first')
  assert.equal((await send('b', 'k', 0)).offsets.length, 1)
  assert.equal((await send('a', 'k', 24 * HOUR - 1)).offsets.length, 0)
  assert.equal((await send('a', 'k', 24 * HOUR)).offsets.length, 1)
  assert.equal(log.head(0).next, 3)
  assert.equal(await log.purgeIdempotency(24 * HOUR), 2)
  assert.equal((await send('a', 'k', 25 * HOUR)).offsets.length, 0)
})

test('an Idempotency-Key is for one fingerprint: another one stores nothing and is told so', async (t) => {
  const log = await opened(t)
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const send = (key: string, fingerprint?: Buffer, nowMs = 0) =>
    log.ingest({
      records: [event(0, 'a')],
      values: { touched: Buffer.from(key) },
      idempotency: { tenant: 'a', key, nowMs, answer: Buffer.from('first'), ...(fingerprint === undefined ? {} : { fingerprint }) },
    })
  await send('k', one)
  await log.kv.put({ touched: null })
  assert.deepEqual(await send('k', two), { offsets: [], conflict: true })
  assert.equal(log.kv.get('touched'), undefined)
  assert.equal(Buffer.from((await send('k', one)).repeated!).toString(), 'first')
  assert.equal(Buffer.from((await send('k')).repeated!).toString(), 'first')
  await send('plain')
  assert.equal(Buffer.from((await send('plain', two)).repeated!).toString(), 'first')
  assert.equal((await send('k', two, 24 * HOUR)).offsets.length, 1, 'a day later the key is free')
  await assert.rejects(send('short', Buffer.alloc(3)), code('FINGERPRINT_INVALID'))
  assert.equal(log.head(0).next, 3)
})

test('outbox entries go when every consumer has passed them, and sequences never start over', async (t) => {
  const dir = folder(t)
  let log = await openEmbeddedLog({ dir, shards: 4 })
  await log.append([event(0, 'a'), event(0, 'a'), event(0, 'a')])
  for (const next of [1, 2, 3]) await log.commit([chunk(0, next, { scored: scored(next - 1, next - 1) })])
  assert.equal(await log.outbox.trim(), 0)
  await log.outbox.register('recorder', ['scored'])
  await log.outbox.register('forwarder', ['scored'])
  await log.outbox.advance('recorder', 'scored', 3)
  await log.outbox.advance('forwarder', 'scored', 1)
  assert.equal(await log.outbox.trim(), 1)
  assert.deepEqual(log.outbox.lag('scored', 1), { entries: 2, rows: 2 })
  await log.outbox.advance('forwarder', 'scored', 3)
  await log.outbox.advance('forwarder', 'scored', 2)
  assert.equal(await log.outbox.cursor('forwarder', 'scored'), 3)
  assert.equal(await log.outbox.trim(), 2)
  await log.close()
  log = await openEmbeddedLog({ dir, shards: 4 })
  t.after(() => log.close())
  assert.equal(log.outbox.head('scored'), 3)
  await log.append([event(0, 'a')])
  await log.commit([chunk(0, 4, { scored: scored(3, 3) })])
  assert.deepEqual(
    (await log.outbox.read('scored', 3, 1)).map(({ sequence }) => sequence),
    [4],
  )
  assert.deepEqual(log.outbox.lag('scored', 3), { entries: 1, rows: 1 })
})

test('reading the outbox keeps to its byte limit but always moves on', async (t) => {
  const log = await opened(t)
  await log.append(Array.from({ length: 5 }, () => event(0, 'a')))
  for (const next of [1, 2, 3, 4, 5]) await log.commit([chunk(0, next, { scored: scored(next - 1, next - 1) })])
  assert.equal((await log.outbox.read('scored', 0, 1)).length, 1)
  assert.equal((await log.outbox.read('scored', 0, 2_500)).length, 2)
  assert.equal((await log.outbox.read('scored', 0, 1e9)).length, 5)
  assert.equal((await log.outbox.read('scored', 0, 1e9, 3)).length, 3)
})

test('retention removes only processed events that are old enough, and reading them is an error', async (t) => {
  let clock = 0
  const log = await opened(t, () => clock)
  // All carry the same old arrival: what counts is when they were stored.
  for (clock of [1_000, 2_000, 3_000, 4_000]) await log.append([event(0, 'a', 1)])
  assert.equal(await log.trimEvents(10_000), 0)
  await log.commit([chunk(0, 3)])
  assert.equal(await log.trimEvents(2_500), 2)
  assert.equal(await log.trimEvents(10_000, () => 2), 0)
  assert.equal(await log.trimEvents(10_000), 1)
  assert.deepEqual(log.head(0), { next: 4, position: 3, first: 3 })
  await assert.rejects(async () => log.read(0, 2, 10), code('RECORDS_TRIMMED'))
  assert.equal((await log.read(0, 3, 10)).length, 1)
  assert.deepEqual(await log.maintain({ nowMs: 10_000, keepEventsMs: 0 }), { events: 0, outboxEntries: 0, idempotencyKeys: 0 })
})

test('removing a tenant leaves the others and their offsets alone', async (t) => {
  const log = await opened(t)
  await log.append([event(0, 'demo'), event(0, 'real'), event(0, 'demo'), event(1, 'demo')])
  await log.commit([
    chunk(0, 3, {
      slots: [
        { key: Buffer.alloc(8, 1), bytes: Buffer.from('demo') },
        { key: Buffer.alloc(8, 2), bytes: Buffer.from('real') },
      ],
      meta: [
        { name: 'demo/release', bytes: Buffer.from('x') },
        { name: 'real/release', bytes: Buffer.from('y') },
      ],
    }),
  ])
  await log.kv.put({ 'demo/model': Buffer.from('m'), 'real/model': Buffer.from('m') })
  const removed = await log.removeTenant({
    record: (key) => Buffer.from(key).toString().startsWith('e:demo|'),
    slot: (_, bytes) => Buffer.from(bytes).toString() === 'demo',
    state: (name) => name.startsWith('demo/'),
    kv: (name) => name.startsWith('demo/'),
  })
  assert.deepEqual(removed, { events: 3, slots: 1, states: 1 })
  assert.deepEqual(
    (await log.read(0, 0, 10)).map(({ offset }) => offset),
    [1],
  )
  assert.deepEqual(
    [...log.slots()].map(({ bytes }) => Buffer.from(bytes).toString()),
    ['real'],
  )
  assert.deepEqual([...(await log.acquire(0)).meta.keys()], ['real/release'])
  assert.deepEqual(log.kv.list(''), ['real/model'])
  // Shard 1 had nothing but an event of the tenant that nobody had processed yet.
  assert.deepEqual(log.head(1), { next: 1, position: 1, first: 0 })
  assert.deepEqual(await log.append([event(0, 'real'), event(1, 'real')]), [3, 1])
})

test('slots can be walked by shard and as a whole', async (t) => {
  const log = await opened(t)
  await log.append([event(0, 'a'), event(3, 'a')])
  const slots = (fill: number) => Array.from({ length: 20 }, (_, i) => ({ key: Buffer.alloc(8, i), bytes: Buffer.alloc(10, fill) }))
  await log.commit([chunk(0, 1, { slots: slots(0) }), chunk(3, 1, { slots: slots(3) })])
  assert.equal([...log.slots()].length, 40)
  assert.deepEqual(new Set([...log.slots(3)].map(({ shard, bytes }) => `${shard} ${bytes[0]}`)), new Set(['3 3']))
})

test('a commit of a shard in trouble does not take others of the same turn down', async (t) => {
  const log = await opened(t)
  await log.append([event(0, 'a'), event(1, 'a')])
  const [good, bad] = await Promise.allSettled([log.commit([chunk(0, 1)]), log.commit([chunk(1, 5)])])
  assert.equal(good.status, 'fulfilled')
  assert.ok(bad.status === 'rejected' && code('COMMIT_AHEAD')(bad.reason))
  assert.deepEqual([log.head(0).position, log.head(1).position], [1, 0])
})

test('a full disk fails the appends it hits, costs no offset, and goes by', {
  skip: process.platform === 'linux' ? false : 'needs ulimit -f',
}, (t) => {
  const script = `import { openEmbeddedLog } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    const log = await openEmbeddedLog({ dir: ${JSON.stringify(folder(t))}, shards: 1 })
    const records = (count) => Array.from({ length: count }, () => ({ shard: 0, ingestTimeMs: 1, key: Buffer.from('e:x'), value: Buffer.alloc(1000) }))
    const codes = new Set()
    let stored = 0
    for (let i = 0; i < 40; i++) await log.append(records(100)).then(() => (stored += 100), (error) => codes.add(error.code))
    let read = 0
    for (let some; (some = await log.read(0, read, 1000)).length > 0; ) read += some.length
    console.log(JSON.stringify({ stored, read, next: log.head(0).next, codes: [...codes] }))
    await log.close()`
  // Files may not grow beyond 2,500 KiB: the same for LMDB as a full disk.
  const { stdout } = spawnSync('bash', ['-c', 'ulimit -f 2500; exec "$0" --input-type=module -e "$1"', process.execPath, script])
  const result = JSON.parse(stdout.toString()) as { stored: number; read: number; next: number; codes: string[] }
  assert.deepEqual(result.codes, ['STORE_WRITE_FAILED'])
  assert.ok(result.stored > 0 && result.stored < 4_000)
  assert.deepEqual([result.read, result.next], [result.stored, result.stored])
})
