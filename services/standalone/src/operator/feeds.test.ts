import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { eventKey, shardOfKey } from '@plumbline/detector'
import { createDoor } from '@plumbline/gateway'
import { createMetrics } from '@plumbline/runtime'
import { type AuditRecord, type FeedHeader } from '@plumbline/schemas'
import { createFeedAudit } from '../audit.ts'
import { createFeeds, type Feeds, isPlaceOf, noteRemoval } from './feeds.ts'

const NOW = 1_790_000_000_000
const DAY = 86_400_000
const FILE = 'ab'.repeat(20)
const SHARDS = 8

const open = async (t: TestContext, pace = async (): Promise<void> => {}): Promise<{ log: EmbeddedLog; feeds: Feeds }> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-feeds-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  t.after(async () => {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const metrics = createMetrics()
  const feeds = createFeeds({
    log,
    doorOver: (port, stamp) => createDoor({ port, shards: SHARDS, clock: () => NOW, metrics, reservedTenants: ['demo'], stamp }),
    clock: () => NOW,
    pace,
    onFeed: createFeedAudit(
      () => log,
      () => NOW,
    ).begin,
    signal: new AbortController().signal,
  })
  return { log, feeds }
}
const event = (id: string, ageDays: number, extra: object = {}): Uint8Array =>
  Buffer.from(
    JSON.stringify({
      id,
      time: NOW - ageDays * DAY,
      identity: { id: 'bot', kind: 'agent' },
      action: 'read',
      resource: { class: 'crm' },
      ...extra,
    }),
  )
const header = (given: Partial<FeedHeader> = {}): FeedHeader => ({
  mode: 'history',
  tenant: 'default',
  id: 'run:0',
  arrival: 0,
  from: { [FILE]: 0 },
  to: { [FILE]: 2 },
  ...given,
})
const records = async (log: EmbeddedLog) => {
  const all = []
  for (let shard = 0; shard < SHARDS; shard++) for (const record of await log.read(shard, 0, 100)) all.push({ shard, ...record })
  return all
}

test('history arrives at its event time, as history, in the shard of its identity, its place stored with it', async (t) => {
  const { log, feeds } = await open(t)
  const answer = await feeds.take(header(), [event('a', 40), event('b', 39)])
  assert.deepEqual(answer, { state: 'taken', arrival: NOW - 39 * DAY, accepted: 2, rejected: 0, errors: [] })
  const stored = await records(log)
  assert.deepEqual(
    stored.map(({ key }) => Buffer.from(key).toString()),
    ['h:default|bot', 'h:default|bot'],
  )
  const home = shardOfKey(eventKey('default', 'bot'), SHARDS)
  assert.ok(stored.every(({ shard }) => shard === home))
  assert.deepEqual(
    stored.map(({ ingestTimeMs }) => NOW - ingestTimeMs),
    [40 * DAY, 39 * DAY],
  )
  assert.deepEqual(feeds.places('default', [FILE]), { [FILE]: 2 })
})

test('a request that does not go on from where the file stands changes nothing', async (t) => {
  const { log, feeds } = await open(t)
  await feeds.take(header(), [event('a', 40), event('b', 39)])
  assert.deepEqual(await feeds.take(header(), [event('a', 40), event('b', 39)]), { state: 'elsewhere', places: { [FILE]: 2 } })
  assert.equal((await records(log)).length, 2)
  const next = header({ id: 'run:1', arrival: NOW - 39 * DAY, from: { [FILE]: 2 }, to: { [FILE]: 3 } })
  assert.equal((await feeds.take(next, [event('c', 39.5)])).state, 'taken')
  const arrivals = (await records(log)).map(({ ingestTimeMs }) => NOW - ingestTimeMs)
  assert.equal(arrivals.at(-1), 39 * DAY, 'arrival never goes back')
})

test('a replay is as if it had arrived then, and repeated it is once', async (t) => {
  const { log, feeds } = await open(t)
  const replay = header({ mode: 'replay', from: {}, to: {} })
  const first = await feeds.take(replay, [event('a', 40)])
  assert.deepEqual(await feeds.take(replay, [event('a', 40)]), first)
  const stored = await records(log)
  assert.deepEqual(
    stored.map(({ key, ingestTimeMs }) => [Buffer.from(key).toString(), NOW - ingestTimeMs]),
    [['e:default|bot', 40 * DAY]],
  )
})

test('the future, the demo and what is no event are refused with their place; their neighbours are kept', async (t) => {
  const { log, feeds } = await open(t)
  const lines = [event('a', -1), event('b', 1, { tenant: 'demo' }), Buffer.from('{"id":'), event('c', 1)]
  const answer = await feeds.take(header({ to: { [FILE]: 4 } }), lines)
  assert.ok(answer.state === 'taken')
  assert.deepEqual(
    answer.errors.map(({ index, code }) => [index, code]),
    [
      [0, 'TIME_FUTURE'],
      [1, 'TENANT_RESERVED'],
      [2, 'JSON_SYNTAX'],
    ],
  )
  assert.equal((await records(log)).length, 1)
  assert.equal(log.outbox.head('dead-letters'), 3)
})

test('history waits for what is to be learned first', async (t) => {
  const order: string[] = []
  const { feeds } = await open(t, async () => {
    await new Promise((resolve) => setImmediate(resolve))
    order.push('learned')
  })
  await feeds.take(header(), [event('a', 40), event('b', 39)]).then(() => order.push('taken'))
  assert.deepEqual(order, ['learned', 'taken'])
})

test('each command is in the audit log once for each tenant that it brings events of, before they are in', async (t) => {
  const { log, feeds } = await open(t)
  const entries = async () =>
    (await log.outbox.read('audit', 0, 1e9)).map(({ payload }) => {
      const { actor, action, tenant, target, body } = JSON.parse(Buffer.from(payload).toString()) as AuditRecord
      return [actor, action, tenant, target, body]
    })
  await feeds.take(header({ id: 'backfill-1:0' }), [event('a', 40), event('b', 39)])
  await feeds.take(header({ id: 'backfill-1:1', from: { [FILE]: 2 }, to: { [FILE]: 4 } }), [
    event('c', 38),
    event('d', 38, { tenant: 'acme' }),
  ])
  const begun = [
    ['operator', 'backfill', 'default', 'backfill-1', { from: { [FILE]: 0 } }],
    ['operator', 'backfill', 'acme', 'backfill-1', { from: { [FILE]: 2 } }],
  ]
  assert.deepEqual(await entries(), begun)
  await feeds.take(header({ mode: 'replay', id: 'replay-7:0', from: {}, to: {} }), [event('e', 1)])
  await feeds.take(header({ mode: 'replay', id: 'replay-7:1', from: {}, to: {} }), [event('f', 1)])
  assert.deepEqual(await entries(), [...begun, ['operator', 'replay', 'default', 'replay-7', { from: {} }]])
  assert.deepEqual((await feeds.take(header({ id: 'backfill-2:0' }), [event('a', 40)])).state, 'elsewhere')
  assert.equal((await entries()).length, 3, 'what was not taken is not there')
})

test('the places of a tenant are not those of one whose name begins alike', () => {
  assert.equal(isPlaceOf('a', `feed:place:a:${FILE}`), true)
  assert.equal(isPlaceOf('a', `feed:place:a:b:${FILE}`), false)
})

test('the same history after its tenant was removed is no repetition', async (t) => {
  const { log, feeds } = await open(t)
  const lines = [event('a', 40), event('b', 39)]
  await feeds.take(header(), lines)
  await log.removeTenant({ record: () => true, slot: () => false, state: () => false, kv: (name) => isPlaceOf('default', name) })
  assert.equal((await records(log)).length, 0)
  await noteRemoval(log.kv, 'default', NOW)
  assert.equal((await feeds.take(header(), lines)).state, 'taken')
  assert.equal((await records(log)).length, 2)
  assert.deepEqual(feeds.places('default', [FILE]), { [FILE]: 2 })
})
