import kafkajs, { type Message, type ProduceRequest } from 'kafkajs'
import { crc32c } from './crc32c.ts'
import { type Pieces, createPieces, varintSize } from './pieces.ts'

const { CompressionCodecs } = kafkajs

/** A record with its parts as bytes, and how long it is. */
interface Part {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [Buffer, Buffer | null])[]
  readonly later: number
  readonly length: number
}

const MAGIC = 2
const TRANSACTIONAL = 0x10
/** Of a batch, its length does not count the first offset and itself. */
const UNCOUNTED = 12
/** What of a batch its checksum does not cover: offset, length, epoch of the leader, form, and the sum itself. */
const UNCOVERED = 21

const bytesOf = (part: Buffer | string | null | undefined): Buffer | null =>
  part === null || part === undefined ? null : typeof part === 'string' ? Buffer.from(part) : part

const fieldSize = (bytes: Buffer | null): number => (bytes === null ? varintSize(-1) : varintSize(bytes.length) + bytes.length)

const headersOf = ({ headers = {} }: Message): (readonly [Buffer, Buffer | null])[] =>
  Object.entries(headers).flatMap(([name, content]) =>
    (Array.isArray(content) ? content : [content]).map((one) => [Buffer.from(name), bytesOf(one)] as const),
  )

const partOf = (message: Message, index: number, later: number): Part => {
  const [key, value, headers] = [bytesOf(message.key), bytesOf(message.value), headersOf(message)]
  let length = 1 + varintSize(later) + varintSize(index) + fieldSize(key) + fieldSize(value) + varintSize(headers.length)
  for (const [name, content] of headers) length += fieldSize(name) + fieldSize(content)
  return { key, value, headers, later, length }
}

const writeField = (to: Pieces, bytes: Buffer | null): void => {
  to.varint(bytes === null ? -1 : bytes.length)
  if (bytes !== null) to.bytes(bytes)
}

const writeRecord = (to: Pieces, { key, value, headers, later, length }: Part, index: number): void => {
  to.varint(length)
  to.int8(0)
  to.varint(later)
  to.varint(index)
  writeField(to, key)
  writeField(to, value)
  to.varint(headers.length)
  for (const [name, content] of headers) {
    writeField(to, name)
    writeField(to, content)
  }
}

interface Compressor {
  compress(bytes: { readonly buffer: Buffer }): Promise<Buffer>
}
const compressorOf = (compression: number): Compressor | undefined =>
  (CompressionCodecs as Readonly<Record<number, (() => Compressor) | undefined>>)[compression]?.()

const writeRecords = async (to: Pieces, parts: readonly Part[], compression: number): Promise<void> => {
  to.int32(parts.length)
  const compressor = compressorOf(compression)
  const plain = compressor === undefined ? to : createPieces()
  parts.forEach((part, index) => writeRecord(plain, part, index))
  if (compressor !== undefined) to.bytes(await compressor.compress({ buffer: Buffer.concat(plain.cut()) }))
}

type Batch = ProduceRequest['topicData'][number]['partitions'][number]

const writeBatch = async (to: Pieces, request: ProduceRequest, { messages, firstSequence }: Batch): Promise<void> => {
  const { transactionalId, producerId, producerEpoch, compression } = request
  const nowMs = Date.now()
  const times = messages.map(({ timestamp }) => Number(timestamp ?? nowMs))
  const firstMs = times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY)
  const lastMs = times.reduce((most, time) => Math.max(most, time), firstMs)
  const size = to.room(4)
  const before = to.size
  const uncovered = to.room(UNCOVERED)
  const pieces = to.cut()
  const covered = pieces.length
  to.int16(compression | (transactionalId ? TRANSACTIONAL : 0))
  to.int32(messages.length - 1)
  to.int64(BigInt(firstMs))
  to.int64(BigInt(lastMs))
  to.int64(BigInt(producerId.toString()))
  to.int16(producerEpoch)
  to.int32(firstSequence)
  const parts = messages.map((message, index) => partOf(message, index, times[index]! - firstMs))
  await writeRecords(to, parts, compression)
  to.cut()
  const length = to.size - before
  size.writeInt32BE(length)
  uncovered.fill(0)
  uncovered.writeInt32BE(length - UNCOUNTED, 8)
  uncovered.writeInt8(MAGIC, 16)
  uncovered.writeUInt32BE(crc32c(pieces.slice(covered)), 17)
}

const writeString = (to: Pieces, text: string | null | undefined): void => {
  const bytes = bytesOf(text)
  to.int16(bytes?.length ?? -1)
  if (bytes !== null) to.bytes(bytes)
}

/**
 * Content of a Produce request of versions 3 to 7, the same bytes that the client would send: it copies each record some nine times
 * into ever larger buffers, whose memory costs more than the copies. Here what is large is not copied at all.
 */
export const encodeProduce = async (request: ProduceRequest): Promise<Buffer[]> => {
  const { transactionalId, acks, timeout, topicData } = request
  const to = createPieces()
  writeString(to, transactionalId)
  to.int16(acks)
  to.int32(timeout)
  to.int32(topicData.length)
  for (const { topic, partitions } of topicData) {
    writeString(to, topic)
    to.int32(partitions.length)
    for (const batch of partitions) {
      to.int32(batch.partition)
      await writeBatch(to, request, batch)
    }
  }
  return [...to.cut()]
}
