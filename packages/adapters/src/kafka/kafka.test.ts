import assert from 'node:assert/strict'
import { readdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ChunkCommit } from '@plumbline/detector'
import { SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { brokerErrorType, isFenced, kafkaError } from './client.ts'
import { INGEST_HEADER, eventMessage, outboxMessages, readState, stateMessages, toLogRecord } from './codec.ts'
import { type ReadRecord, type StoredRecord, recordsOf } from './record.ts'
import { cutRequests, sizeOf } from './requests.ts'
import { restoreState } from './restore.ts'
import { openSlotCache } from './slots.ts'
import { MAX_RECORD_BYTES } from './topics.ts'

const encodeRecord = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  record: Message & { readonly timestampDelta: number },
) => { readonly buffer: Buffer }

const code =
  (expected: string) =>
  (error: unknown): boolean =>
    (error as { code?: string }).code === expected

/** As it is read again after the client has written it. */
const received = (message: Message, offset = 0): ReadRecord => {
  const records: StoredRecord[] = []
  const bytes = encodeRecord({ ...message, timestampDelta: 7 }).buffer
  recordsOf({ bytes, firstOffset: offset, firstTimeMs: 70, storedMs: null }, 1, records)
  return records[0]!
}

const commit = (part: Partial<ChunkCommit>): ChunkCommit => ({
  shard: 5,
  nextOffset: 9,
  slots: [],
  meta: [],
  scored: null,
  alerts: [],
  capsules: [],
  deadLetters: [],
  ...part,
})

test('requests keep every record once and in order within its topic, and stay within the limit unless one record alone is larger', () => {
  const limit = 1_000
  const sizes = fc.array(fc.nat(2_500), { maxLength: 30 })
  fc.assert(
    fc.property(sizes, sizes, (first, second) => {
      const messages = (lengths: readonly number[]): Message[] =>
        lengths.map((length, i) => ({ partition: 0, key: `k${i}`, value: Buffer.alloc(length) }))
      const topics = [
        { topic: 'a', messages: messages(first) },
        { topic: 'b', messages: messages(second) },
      ]
      const requests = cutRequests(topics, limit)
      for (const { topic, messages: own } of topics) {
        const sent = requests.flatMap((request) => request.filter((part) => part.topic === topic).flatMap((part) => part.messages))
        assert.deepEqual(sent, own)
      }
      for (const request of requests) {
        const records = request.flatMap(({ messages: own }) => own)
        const bytes = records.reduce((sum, message) => sum + sizeOf(message), 0)
        assert.ok(records.length > 0 && (bytes <= limit || records.length === 1))
        assert.equal(new Set(request.map(({ topic }) => topic)).size, request.length)
      }
    }),
  )
})

test('a record that no topic takes is refused before anything is sent', () => {
  const messages = [{ key: 'r:0:0', value: Buffer.alloc(MAX_RECORD_BYTES) }]
  assert.throws(() => cutRequests([{ topic: 'scored', messages }]), code('RECORD_TOO_LARGE'))
})

test('an event is the same after its way through Kafka; without a usable header it arrived when it was stored', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), fc.integer({ min: 0, max: 2 ** 45 }), (key, value, offset, ingestTimeMs) => {
      const record = toLogRecord(received(eventMessage({ shard: 1, key, value, ingestTimeMs }), offset))
      assert.deepEqual(
        [record.offset, record.ingestTimeMs, Buffer.from(record.key), Buffer.from(record.value)],
        [offset, ingestTimeMs, Buffer.from(key), Buffer.from(value)],
      )
    }),
  )
  for (const headers of [{}, { [INGEST_HEADER]: '' }, { [INGEST_HEADER]: 'soon' }, { [INGEST_HEADER]: 'Infinity' }])
    assert.equal(toLogRecord(received({ value: 'v', headers })).ingestTimeMs, 77)
})

test('state records are read as they were written, whatever bytes the identity key has', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.uint8Array(), fc.string(), (key, bytes, name) => {
      const entries = stateMessages(commit({ slots: [{ key, bytes }], meta: [{ name, bytes }] })).map((message) =>
        readState(received(message)),
      )
      assert.deepEqual(entries, [
        { kind: 'slot', key: Buffer.from(key), bytes: Buffer.from(bytes) },
        { kind: 'meta', name: Buffer.from(name).toString(), bytes: Buffer.from(bytes) },
        { kind: 'next', offset: 9 },
      ])
    }),
  )
})

test('a restore that its reader refuses at once leaves nothing behind that fires later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const refusal = new Error('refused')
  const reader = {
    open(): never {
      throw refusal
    },
    close: async () => {},
  }
  const slots = { clear: async () => {}, put() {}, fill() {}, load: () => -1, close: async () => {} }
  await assert.rejects(restoreState(reader, slots, 0, { offset: 0, nonce: 'x' }, new AbortController().signal), refusal)
  t.mock.timers.tick(60_000)
})

test('a state record of a newer build stops the restore instead of being dropped', () => {
  assert.throws(() => readState(received({ key: 'x:new', value: 'v' })), code('STATE_RECORD_UNKNOWN'))
})

test("a shard's outbox records share one partition, also where a topic has fewer than there are shards", () => {
  const scored = { schemaVersion: SCORED_SCHEMA_VERSION, firstOffset: 7, lastOffset: 8, rows: 2, bytes: Buffer.from('rows') }
  const parts = outboxMessages(commit({ scored }), new Map([['scored', 3]]))
  const sent = parts.flatMap(({ kind, messages }) => messages.map(({ partition }) => [kind, partition]))
  assert.deepEqual(sent, [['scored', 2]])
  const unknown = { ...scored, schemaVersion: 99 }
  assert.throws(() => outboxMessages(commit({ scored: unknown }), new Map()), code('SCHEMA_VERSION_UNKNOWN'))
})

test('slots are kept per shard, replaced, removed and forgotten, and the cache leaves no file behind', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'plumbline-cache-'))
  const cache = openSlotCache(parent)
  const key = (n: number): Buffer => {
    const bytes = Buffer.alloc(8, 255)
    bytes.writeUInt32BE(n, 4)
    return bytes
  }
  const into = Buffer.alloc(8)
  const loaded = (shard: number, n: number): string | number => {
    const length = cache.load(shard, key(n), into)
    return length < 0 ? length : into.subarray(0, length).toString()
  }
  cache.put(65_535, [{ key: Buffer.alloc(8, 255), bytes: Buffer.from('last') }])
  cache.put(
    1,
    Array.from({ length: 5_000 }, (_, n) => ({ key: key(n), bytes: Buffer.from(`a${n}`) })),
  )
  cache.put(1, [
    { key: key(1), bytes: Buffer.from('b') },
    { key: key(2), bytes: null },
  ])
  cache.put(2, [{ key: key(1), bytes: Buffer.from('c') }])
  assert.deepEqual([loaded(1, 0), loaded(1, 1), loaded(1, 2), loaded(2, 1), loaded(3, 1)], ['a0', 'b', -1, 'c', -1])
  assert.throws(() => cache.load(1, key(4_999), Buffer.alloc(2)), code('SLOT_TOO_LARGE'))
  // More than is kept in memory: the oldest is on disk by then, and all of it is found, replaced, removed and forgotten there as well.
  const large = (n: number, mark: string): { key: Buffer; bytes: Buffer } => ({ key: key(n), bytes: Buffer.alloc(8_000, `${mark}${n};`) })
  const many = (mark: string, from: number, to: number) => Array.from({ length: to - from }, (_, n) => large(from + n, mark))
  cache.put(4, many('a', 0, 3_000))
  cache.put(4, many('b', 0, 10))
  cache.put(4, [{ key: key(20), bytes: null }])
  const start = (n: number): string => {
    const room = Buffer.alloc(8_000)
    return cache.load(4, key(n), room) < 0 ? '' : room.toString('latin1', 0, room.indexOf(';'))
  }
  const expected = ['b0', 'b9', 'a10', '', 'a21', 'a2999']
  const found = () => [0, 9, 10, 20, 21, 2_999].map(start)
  assert.deepEqual(found(), expected)
  cache.put(4, many('c', 3_000, 6_000))
  assert.deepEqual(found(), expected)
  // A take-over fills in what others have stored meanwhile.
  cache.put(4, [large(21, 'd')])
  cache.fill(4, [large(21, 'e'), { key: key(2_999), bytes: null }])
  assert.deepEqual(found(), [...expected.slice(0, 4), 'e21', ''])
  await cache.clear(4)
  assert.deepEqual([...found(), start(5_999)], ['', '', '', '', '', '', ''])
  await cache.clear(1)
  assert.deepEqual([loaded(1, 0), loaded(1, 4_999), loaded(2, 1)], [-1, -1, 'c'])
  await cache.clear(65_535)
  assert.equal(cache.load(65_535, Buffer.alloc(8, 255), into), -1)
  await cache.close()
  assert.deepEqual(readdirSync(parent), [])
  rmSync(parent, { recursive: true })
})

test("errors carry the broker's word through what the client wraps around it; ours pass as they are", () => {
  const protocol = Object.assign(new Error('epoch'), { name: 'KafkaJSProtocolError', type: 'INVALID_PRODUCER_EPOCH' })
  const wrapped = new Error('wrapped', { cause: protocol })
  assert.equal(brokerErrorType(wrapped), 'INVALID_PRODUCER_EPOCH')
  assert.ok(isFenced(wrapped) && !isFenced(new Error('socket closed')))
  const error = kafkaError('COMMIT_UNKNOWN', 'Not known.', wrapped)
  assert.deepEqual([error.code, error.retryable, error.cause], ['COMMIT_UNKNOWN', true, wrapped])
  assert.equal(kafkaError('KAFKA_UNREACHABLE', 'x', error), error)
})
