// What the client makes of a fetch, in its own way, is what these records must be.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { IHeaders, KafkaMessage } from 'kafkajs'
import { compressionType, type KafkaCompression } from './client.ts'
import type { ReadRecord } from './record.ts'
import { type Aborted, decodeBatches } from './record-batches.ts'

const require = createRequire(import.meta.url)
interface Encoded {
  readonly buffer: Buffer
}
interface Batch {
  readonly compression: number
  readonly firstOffset: number
  readonly firstTimestamp: number
  readonly maxTimestamp: number
  readonly lastOffsetDelta: number
  readonly transactional?: boolean
  readonly producerId?: number
  readonly records: readonly Encoded[]
}
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as { RecordBatch(batch: Batch): Promise<Encoded> }
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (record: object) => Encoded
const { decode } = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js') as {
  decode(
    bytes: Buffer,
  ): Promise<readonly (KafkaMessage & { readonly isControlRecord: boolean; readonly batchContext: { readonly producerId: string } })[]>
}
type Filter = (fetched: {
  readonly messages: readonly KafkaMessage[]
  readonly abortedTransactions: readonly Aborted[]
}) => readonly KafkaMessage[]
const filterAborted = require('kafkajs/src/consumer/filterAbortedMessages.js') as Filter

const FIRST_TIME = 1_700_000_000_000
const CONTROL = 0x20
const STAMPED = 0x08

interface Sketch {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | readonly Buffer[]>>
  readonly later: number
}

interface BatchSketch {
  readonly records: readonly Sketch[]
  readonly compression?: KafkaCompression
  readonly producer?: number
  /** An end marker of its transaction instead of records. */
  readonly marker?: 'commit' | 'abort'
  readonly stamped?: boolean
  /** Offsets at the end whose records compaction has removed. */
  readonly removed?: number
}

const plain: Sketch = { key: Buffer.from('k'), value: Buffer.from('v'), headers: {}, later: 0 }

const encode = async (batch: BatchSketch, firstOffset: number): Promise<{ bytes: Buffer; next: number }> => {
  const { records, compression = 'none', producer, marker, stamped = false, removed = 0 } = batch
  const own = marker === undefined ? records : [{ ...plain, key: Buffer.from([0, 0, 0, marker === 'abort' ? 0 : 1]) }]
  const { buffer } = await RecordBatch({
    compression: compressionType(compression),
    firstOffset,
    firstTimestamp: FIRST_TIME,
    maxTimestamp: FIRST_TIME + 5,
    lastOffsetDelta: own.length - 1 + removed,
    ...(producer === undefined ? {} : { transactional: true, producerId: producer }),
    records: own.map(({ later, ...record }, i) => encodeRecord({ ...record, offsetDelta: i, timestampDelta: later })),
  })
  const bytes = Buffer.from(buffer)
  bytes[22] = bytes[22]! | (marker === undefined ? 0 : CONTROL) | (stamped ? STAMPED : 0)
  return { bytes, next: firstOffset + own.length + removed }
}

const encodeAll = async (batches: readonly BatchSketch[], first = 0): Promise<Buffer> => {
  const parts: Buffer[] = []
  let next = first
  for (const batch of batches) {
    const made = await encode(batch, next)
    parts.push(made.bytes)
    next = made.next
  }
  return Buffer.concat(parts)
}

const told = ({ offset, timestampMs, key, value, headers }: ReadRecord) => ({ offset, timestampMs, key, value, headers: { ...headers } })
/** What the client says of the same bytes. */
const reference = async (bytes: Buffer, from: number, abortedTransactions: readonly Aborted[]) => {
  if (bytes.length === 0) return []
  const messages = (await decode(bytes)).filter(({ offset }) => Number(offset) >= from)
  return filterAborted({ messages, abortedTransactions })
    .filter((message) => !(message as unknown as { isControlRecord: boolean }).isControlRecord)
    .map(({ offset, timestamp, key, value, headers }) => ({
      offset: Number(offset),
      timestampMs: Number(timestamp),
      key,
      value,
      headers: { ...(headers as IHeaders) },
    }))
}

const bytesOf = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes))
const header = fc.oneof(bytesOf(20), fc.array(bytesOf(5), { minLength: 2, maxLength: 3 }))
const sketch: fc.Arbitrary<Sketch> = fc.record({
  key: fc.option(bytesOf(300)),
  value: fc.option(bytesOf(20_000)),
  headers: fc.dictionary(fc.string({ maxLength: 12 }), header, { maxKeys: 3, noNullPrototype: true }),
  later: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
})
const batchSketch: fc.Arbitrary<BatchSketch> = fc.record({
  records: fc.array(sketch, { minLength: 1, maxLength: 5 }),
  compression: fc.constantFrom<KafkaCompression>('none', 'gzip', 'zstd'),
  stamped: fc.boolean(),
  removed: fc.nat(2),
})

describe('records of a fetch', () => {
  test('are what the client reads from the same bytes, whatever they hold and however they are packed', async () => {
    const batches = fc.array(batchSketch, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(2 ** 40), fc.nat(6), async (sketches, first, skip) => {
        const bytes = await encodeAll(sketches, first)
        const { records } = await decodeBatches(bytes, first + skip, [])
        assert.deepEqual(records.map(told), await reference(bytes, first + skip, []))
        for (const { size, key, value, kind } of records)
          assert.deepEqual([size, kind], [(key?.length ?? 0) + (value?.length ?? 0), key?.[0] ?? -1])
      }),
      { numRuns: 150 },
    )
  })

  test('hide what was given up and all markers, also from the middle of overlapping transactions', async () => {
    const kinds = fc.constantFrom('data', 'data', 'plain', 'commit', 'abort')
    const steps = fc.array(fc.tuple(fc.nat(2), kinds, fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(20), async (drawn, from) => {
        const open = new Map<number, number>()
        const batches: BatchSketch[] = []
        const aborted: Aborted[] = []
        let offset = 0
        for (const [producer, kind, count] of drawn) {
          if (kind === 'commit' || kind === 'abort') {
            const began = open.get(producer)
            if (began === undefined) continue
            open.delete(producer)
            // A broker names those that end behind the offset asked for.
            if (kind === 'abort' && offset >= from) aborted.push({ producerId: String(producer), firstOffset: String(began) })
            batches.push({ records: [], producer, marker: kind })
            offset++
            continue
          }
          if (kind === 'data' && !open.has(producer)) open.set(producer, offset)
          batches.push({ records: Array.from({ length: count }, () => plain), ...(kind === 'data' ? { producer } : {}) })
          offset += count
        }
        // A fetch begins with the batch that holds the offset asked for.
        let at = 0
        while (batches.length > 0 && at + Math.max(1, batches[0]!.records.length) <= from)
          at += Math.max(1, batches.shift()!.records.length)
        const bytes = await encodeAll(batches, at)
        const decoded = await decodeBatches(bytes, from, aborted)
        assert.deepEqual(decoded.records.map(told), await reference(bytes, from, aborted))
        assert.equal(decoded.next, Math.max(from, offset))
      }),
    )
  })

  test('end before a batch that is cut off, and go on behind what compaction has emptied', async () => {
    const whole = await encodeAll([{ records: [plain, plain], removed: 3 }, { records: [plain] }], 10)
    for (let length = 0; length < whole.length; length++) {
      const { records, next } = await decodeBatches(whole.subarray(0, length), 11, [])
      assert.ok((records.length === 0 && next === 11) || (records.length === 1 && next === 15), `${length} bytes`)
    }
    assert.deepEqual(
      (await decodeBatches(whole, 11, [])).records.map(({ offset }) => offset),
      [11, 15],
    )
    const emptied = Buffer.from((await encode({ records: [plain] }, 5)).bytes.subarray(0, 61))
    emptied.writeInt32BE(49, 8)
    emptied.writeInt32BE(0, 57)
    assert.deepEqual(await decodeBatches(emptied, 5, []), { records: [], next: 6 })
  })

  test('that are no records are refused with a word, not guessed', async () => {
    const { bytes } = await encode({ records: [plain] }, 0)
    const spoiled = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes)
      copy[at] = value
      return copy
    }
    const refused = { code: 'TOPIC_UNREADABLE' }
    await assert.rejects(decodeBatches(spoiled(16, 1), 0, []), refused)
    // Its key, then the record itself, said to be longer than what is there.
    await assert.rejects(decodeBatches(spoiled(65, 100), 0, []), refused)
    await assert.rejects(decodeBatches(spoiled(61, 100), 0, []), refused)
    await assert.rejects(decodeBatches(spoiled(60, 2), 0, []), refused)
  })
})
