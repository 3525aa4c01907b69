// The same bytes that the client itself would send.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { type TestContext, describe, test } from 'node:test'
import fc from 'fast-check'
import kafkajs, { type Message, type ProduceRequest } from 'kafkajs'
import { type KafkaCompression, compressionType } from './client.ts'
import { crc32c } from './crc32c.ts'
import { encodeProduce } from './produce.ts'

const require = createRequire(import.meta.url)
interface Request {
  encode(): Promise<{ readonly buffer: Buffer } | Buffer[]>
}
const produce = require('kafkajs/src/protocol/requests/produce/v7/request.js') as (request: ProduceRequest) => Request
const crcOfClient = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number

/** With the client's own encoder. */
const reference = async (request: ProduceRequest): Promise<Buffer> => {
  const ours = kafkajs.RequestEncoders.produce
  kafkajs.RequestEncoders.produce = null
  const encoding = produce(request).encode()
  kafkajs.RequestEncoders.produce = ours
  return ((await encoding) as { buffer: Buffer }).buffer
}

/** First byte in which the two differ; -1 where none does. */
const differsAt = (a: Buffer, b: Buffer): number => (a.equals(b) ? -1 : a.findIndex((byte, i) => byte !== b[i]))

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((one) => Buffer.from(one))
/** Also such as are sent as they are, at odd places. */
const value = fc.oneof(
  { weight: 5, arbitrary: bytes(300) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 16_000, max: 17_000 }), fc.nat(9))
      .map(([size, skip]) => Buffer.alloc(size + skip, 7).subarray(skip)),
  },
  { weight: 1, arbitrary: fc.constant(null) },
)
const header = fc.oneof(fc.string(), bytes(10), fc.array(fc.oneof(fc.string(), bytes(3)), { minLength: 1, maxLength: 3 }))
const message: fc.Arbitrary<Message> = fc.record({
  key: fc.oneof(fc.string(), bytes(20), fc.constant(null)),
  value,
  headers: fc.dictionary(fc.string({ maxLength: 9 }), header, { maxKeys: 3, noNullPrototype: true }),
})
const times = fc.option(fc.array(fc.nat(2 ** 33), { minLength: 9, maxLength: 9 }))
const partition = fc.record({
  partition: fc.nat(9),
  firstSequence: fc.nat(),
  messages: fc
    .tuple(fc.array(message, { minLength: 1, maxLength: 9 }), times)
    .map(([messages, later]) =>
      later === null ? messages : messages.map((one, i) => ({ ...one, timestamp: String(1_700_000_000_000 + later[i]!) })),
    ),
})
const request = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(),
  transactionalId: fc.option(fc.string()),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }).map(String),
  producerEpoch: fc.nat(32_767),
  compression: fc.constantFrom<KafkaCompression>('none', 'none', 'gzip', 'zstd').map(compressionType),
  topicData: fc.array(fc.record({ topic: fc.string(), partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 3 }),
})

describe('what is sent to a topic', () => {
  test('is what the client would send, whatever the records are', async (t: TestContext) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_760_000_000_000 })
    await fc.assert(
      fc.asyncProperty(request, async (one) => {
        const [ours, theirs] = [Buffer.concat(await encodeProduce(one)), await reference(one)]
        // Not compared in whole by `assert`: to show how two large buffers differ takes it minutes.
        assert.equal(differsAt(ours, theirs), -1)
      }),
      { numRuns: 100 },
    )
  })

  test('is not copied where it is large, and does not need one room for all', async () => {
    const large = Buffer.alloc(400_000, 1)
    const messages = [{ value: large }, ...Array.from({ length: 900 }, (_, i) => ({ key: `k${i}`, value: Buffer.alloc(1_500, i) }))]
    const topicData = [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }]
    const one = { acks: -1, timeout: 1, transactionalId: 'id', producerId: '5', producerEpoch: 0, compression: 0, topicData }
    const pieces = await encodeProduce(one)
    assert.equal(pieces.filter(({ buffer }) => buffer === large.buffer).length, 1)
    const [ours, theirs] = [Buffer.concat(pieces), await reference(one)]
    // The two took different times of the day: they and the checksum are all that may differ.
    for (const sent of [ours, theirs]) sent.fill(0, sent.indexOf('t') + 1 + 4 + 4 + 4 + 17, sent.indexOf('t') + 13 + 43)
    assert.equal(differsAt(ours, theirs), -1)
  })
})

test('the checksum is that of the client, wherever bytes lie and however they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 70 }), fc.nat(7)), { maxLength: 4 }), (drawn) => {
      const pieces = drawn.map(([one, skip]) => Buffer.concat([Buffer.alloc(skip), one]).subarray(skip))
      const placed = pieces.map((one, i) => {
        const room = Buffer.from(new ArrayBuffer(one.length + 8), i + 1, one.length)
        room.set(one)
        return room
      })
      assert.equal(crc32c(placed), crcOfClient(Buffer.concat(placed)))
    }),
  )
})
