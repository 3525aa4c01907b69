import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeploymentLog, LogRecord } from '@plumbline/detector'
import { type DeadLetter, PlumblineError, type Topic, type TopicRecord } from '@plumbline/schemas'
import { alertOf } from '../faults/chain.ts'
import { record } from './shard-log.ts'

const HOUR = 3_600_000

/** One deployment under test. Every test uses its own shard and its own names. */
export interface DeploymentUnderTest {
  readonly log: DeploymentLog
  readonly shards: number
  /** Another process of the same deployment that takes the door over (Kafka), or the log opened again (LMDB). */
  reopen(): Promise<DeploymentLog>
  close(): Promise<void>
}

const text = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString())
const coded = (code: string) => (error: unknown) => error instanceof PlumblineError && error.code === code

/** All records of a shard, asked for in pieces: a position behind the last one has none, however the log numbers them. */
const readAll = async (log: DeploymentLog, shard: number, pieces = 100): Promise<LogRecord[]> => {
  const all: LogRecord[] = []
  for (let empty = 0; empty < 2; ) {
    const some = await log.read(shard, (all.at(-1)?.offset ?? -1) + 1, pieces)
    empty = some.length === 0 ? empty + 1 : 0
    all.push(...some)
  }
  return all
}

/** Everything in a topic of the outbox, read until its end of now. */
const inTopic = async <T extends Topic>(log: DeploymentLog, topic: T): Promise<TopicRecord[T][]> => {
  const end = await log.outbox.end(topic)
  const rows: TopicRecord[T][] = []
  for (let at = 0; at < end; ) {
    const entries = await log.outbox.read(topic, at, 100_000, end)
    rows.push(...entries.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as TopicRecord[T]))
    at = Math.max(entries.at(-1)?.sequence ?? at, log.outbox.passed(topic, entries.at(-1)?.sequence ?? at))
  }
  return rows
}

const VISIBLE_MS = 10_000

/**
 * The rows of a topic that are meant, once there are `count` of them: a transaction on Kafka is answered when it is decided,
 * and seen by readers a moment later.
 */
const published = async <T extends Topic>(
  log: DeploymentLog,
  topic: T,
  count: number,
  isMeant: (row: TopicRecord[T]) => boolean = () => true,
): Promise<TopicRecord[T][]> => {
  for (const until = performance.now() + VISIBLE_MS; ; await sleep(10)) {
    const rows = (await inTopic(log, topic)).filter(isMeant)
    if (rows.length >= count || performance.now() > until) return rows
  }
}

const letter = (message: string): DeadLetter => ({
  v: 1,
  stage: 'door',
  code: 'JSON_SYNTAX',
  field: '',
  message,
  tenant: 't',
  topic: 'http',
  shard: -1,
  offset: -1,
  ingestTime: 1,
  payload: '',
})

/** What every implementation of DeploymentLog must do; see shardLogCompliance. */
export const deploymentLogCompliance = (name: string, open: () => Promise<DeploymentUnderTest>, skip: string | false = false): void => {
  describe(`${name} keeps the contract of DeploymentLog`, { skip }, () => {
    let subject: DeploymentUnderTest
    let log: DeploymentLog
    let lastShard = -1
    const shard = (): number => ++lastShard
    before(async () => {
      subject = await open()
      log = subject.log
    })
    after(() => subject.close())

    const send = (
      at: number,
      key: string,
      rest: { tenant?: string; nowMs?: number; answer?: string; fingerprint?: Buffer; name?: string } = {},
    ) =>
      log.ingest({
        records: [record(at, rest.name ?? key)],
        idempotency: {
          tenant: rest.tenant ?? 'a',
          key,
          answer: Buffer.from(rest.answer ?? 'first'),
          nowMs: rest.nowMs ?? 0,
          ...(rest.fingerprint === undefined ? {} : { fingerprint: rest.fingerprint }),
        },
      })
    const stored = async (at: number): Promise<string[]> => (await readAll(log, at)).map(({ value }) => Buffer.from(value).toString())

    test('it has an id, shards, a key of 32 bytes', () => {
      assert.ok(log.id.length > 8)
      assert.deepEqual([log.shards, log.masterKey.length], [subject.shards, 32])
    })

    test('records of a request get rising offsets per shard, and are read from there, one by one and together', async () => {
      const [a, b] = [shard(), shard()]
      const first = await log.ingest({ records: [record(a, '1'), record(b, '1'), record(a, '2')] })
      const second = await log.ingest({ records: [record(a, '3')] })
      const offsets = [first.offsets[0]!, first.offsets[2]!, second.offsets[0]!]
      assert.ok(offsets[0]! < offsets[1]! && offsets[1]! < offsets[2]!)
      for (const pieces of [1, 2, 100]) {
        const records = await readAll(log, a, pieces)
        assert.deepEqual(
          records.map(({ offset, value }) => [offset, text(value)]),
          offsets.map((offset, i) => [offset, `${i + 1}`]),
        )
      }
      assert.deepEqual(text((await log.read(a, offsets[1]!, 1))[0]?.value), '2')
      assert.ok(log.head(a).next > offsets[2]!)
      assert.ok((await log.append([record(b, '2')]))[0]! > first.offsets[1]!)
    })

    test('a repeated Idempotency-Key stores nothing and gives the first answer, for 24 hours, per tenant', async () => {
      const at = shard()
      const first = await Promise.all([send(at, 'k1'), send(at, 'k1', { answer: 'second' })])
      assert.deepEqual(
        first.map(({ offsets }) => offsets.length),
        [1, 0],
      )
      assert.equal(text(first[1]!.repeated), 'first')
      assert.equal((await send(at, 'k1', { tenant: 'b' })).offsets.length, 1)
      assert.equal((await send(at, 'k1', { nowMs: 24 * HOUR - 1 })).offsets.length, 0)
      assert.equal((await send(at, 'k1', { nowMs: 24 * HOUR })).offsets.length, 1)
      assert.equal((await send(at, 'k1', { nowMs: 25 * HOUR })).offsets.length, 0)
      assert.equal((await stored(at)).length, 3)
    })

    test('an Idempotency-Key is for one fingerprint: another one stores nothing and is told so', async () => {
      const at = shard()
      const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
      const values = { touched: Buffer.from('x') }
      const idempotency = { tenant: 'a', key: 'f1', answer: Buffer.from('first'), nowMs: 0 }
      await log.ingest({ records: [record(at, '1')], idempotency: { ...idempotency, fingerprint: one } })
      assert.deepEqual(await log.ingest({ records: [record(at, '2')], values, idempotency: { ...idempotency, fingerprint: two } }), {
        offsets: [],
        conflict: true,
      })
      assert.equal(log.kv.get('touched'), undefined)
      assert.equal(text((await send(at, 'f1', { fingerprint: one })).repeated), 'first')
      assert.equal(text((await send(at, 'f1')).repeated), 'first')
      await send(at, 'plain')
      assert.equal(text((await send(at, 'plain', { fingerprint: two })).repeated), 'first')
      await assert.rejects(send(at, 'short', { fingerprint: Buffer.alloc(3) }), coded('FINGERPRINT_INVALID'))
      assert.deepEqual(await stored(at), ['1', 'plain'])
    })

    test('what is wrong with a request is told before anything of it is stored, and does not touch those beside it', async () => {
      const at = shard()
      const [good, bad] = await Promise.allSettled([
        log.ingest({ records: [record(at, 'good')] }),
        log.ingest({ records: [record(at, 'bad'), record(subject.shards, 'bad')] }),
      ])
      assert.equal(good.status, 'fulfilled')
      assert.ok(bad.status === 'rejected' && coded('SHARD_UNKNOWN')(bad.reason))
      await assert.rejects(log.ingest({ records: [{ ...record(at, 'x'), key: Buffer.alloc(70_000) }] }), coded('RECORD_KEY_INVALID'))
      assert.deepEqual(await stored(at), ['good'])
    })

    test('records, refused lines, rows, values and the key of a request are stored together', async () => {
      const at = shard()
      const refused = [letter('refused 1'), letter('refused 2')]
      const told = { time: 1, tenant: 'a', actor: 'me', action: 'together', target: 'x', body: {} }
      const batch = {
        records: [record(at, 'r')],
        deadLetters: refused,
        rows: { audit: [told] },
        values: { 'place:1': Buffer.from('17') },
        idempotency: { tenant: 'a', key: 'all', answer: Buffer.from('done'), nowMs: 0 },
      }
      const results = await Promise.all([log.ingest(batch), log.ingest(batch)])
      assert.deepEqual(
        results.map(({ offsets, repeated }) => [offsets.length, text(repeated)]),
        [
          [1, undefined],
          [0, 'done'],
        ],
      )
      assert.equal(text(log.kv.get('place:1')), '17')
      assert.deepEqual(await published(log, 'dead-letters', refused.length, ({ message }) => message.startsWith('refused')), refused)
      assert.deepEqual(await published(log, 'audit', 1, ({ action }) => action === 'together'), [told])
      assert.deepEqual(await stored(at), ['r'])
    })

    test('a request without records keeps its key, and one without anything is nothing', async () => {
      const idempotency = { tenant: 'a', key: 'empty', answer: Buffer.from('none'), nowMs: 0 }
      assert.deepEqual(await log.ingest({ records: [], idempotency }), { offsets: [] })
      assert.equal(text((await log.ingest({ records: [], idempotency })).repeated), 'none')
      assert.deepEqual(await log.ingest({ records: [] }), { offsets: [] })
    })

    test('many requests at once keep their own records and offsets', async () => {
      const at = shard()
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, i) => log.ingest({ records: [record(at, `x${i}`), record(at, `y${i}`)] })),
      )
      const byOffset = new Map((await readAll(log, at)).map(({ offset, value }) => [offset, text(value)]))
      assert.equal(byOffset.size, 120)
      results.forEach(({ offsets: [x, y] }, i) => assert.deepEqual([byOffset.get(x!), byOffset.get(y!)], [`x${i}`, `y${i}`]))
    })

    test('named values: put together, listed in order, replaced, removed', async () => {
      await log.kv.put({ 'n:b': Buffer.from('1'), 'n:a': Buffer.from(''), 'release:n': Buffer.from('2') })
      assert.deepEqual([log.kv.list('n:'), text(log.kv.get('n:a')), text(log.kv.get('release:n'))], [['n:a', 'n:b'], '', '2'])
      await log.kv.put({ 'n:b': Buffer.from('3'), 'n:a': null })
      assert.deepEqual([log.kv.list('n:'), text(log.kv.get('n:b')), log.kv.get('n:none')], [['n:b'], '3', undefined])
    })

    test('what is published comes out of its topic in order and unchanged, and only there', async () => {
      const at = { time: 1, tenant: 'acme' }
      const feedback = { ...at, alertId: 'i', identity: 'x "ä" \u2028', verdict: 'safe', author: 'me', note: '' } as const
      const audit = [1, 2].map((n) => ({ ...at, actor: 'me', action: 'test', target: `${n}`, body: { n } }))
      const release = { ...at, releaseId: 'r', sha256: 's', body: [] }
      const alert = alertOf({ shard: 0, offset: 0, identity: 'i', chain: 'c', alert: true }, 1)
      await Promise.all([
        log.publish('feedback', [feedback]),
        log.publish('audit', audit),
        log.publish('releases', [release]),
        log.publish('alerts', [alert]),
        log.publish('audit', []),
      ])
      assert.deepEqual(await published(log, 'feedback', 1), [feedback])
      assert.deepEqual(await published(log, 'audit', audit.length, ({ action }) => action === 'test'), audit)
      assert.deepEqual(await published(log, 'releases', 1), [release])
      assert.deepEqual(await published(log, 'alerts', 1), [alert])
      assert.deepEqual(await published(log, 'capsules', 0), [])
    })

    test('what was answered survives: whoever opens it next has id, values, keys and records', async () => {
      const at = shard()
      const { id } = log
      await send(at, 'kept')
      await log.kv.put({ 'kept:value': Buffer.from('v') })
      log = await subject.reopen()
      assert.equal(log.id, id)
      assert.equal(text((await send(at, 'kept')).repeated), 'first')
      assert.equal((await send(at, 'next')).offsets.length, 1)
      assert.equal(text(log.kv.get('kept:value')), 'v')
      assert.deepEqual(await stored(at), ['kept', 'next'])
    })
  })
}
