import kafkajs from 'kafkajs'
import { type StoredRecord, recordsOf, unreadable } from './record.ts'

const { CompressionCodecs } = kafkajs

/** A transaction that was given up, as a fetch names it. */
export interface Aborted {
  readonly producerId: string
  readonly firstOffset: string
}

export interface Decoded {
  /** From the offset asked for on; committed ones, none of them a marker. */
  readonly records: readonly StoredRecord[]
  /** Offset behind all that was looked at; the one asked for where nothing was there in whole. */
  readonly next: number
}

/** Where the fields of a batch are, counted from its first byte. */
const LENGTH_AT = 8
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_DELTA_AT = 23
const FIRST_TIME_AT = 27
const LAST_TIME_AT = 35
const PRODUCER_AT = 43
const COUNT_AT = 57
const RECORDS_AT = 61
/** Of these the length tells nothing: the first offset and itself. */
const UNCOUNTED = 12
/** The only form that knows transactions; brokers have written no other since Kafka 3.0. */
const MAGIC = 2

const COMPRESSION = 0x07
const STAMPED_BY_BROKER = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** The key of a control record is its version and its type, 16 bits each. */
const TYPE_AT = 2
const ABORT = 0

const int64 = (bytes: Buffer, at: number): number => bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>
}

/** What a batch holds, unpacked; its bytes begin with its first offset. */
const contentOf = async (batch: Buffer, attributes: number): Promise<Buffer> => {
  const packed = batch.subarray(RECORDS_AT)
  const codecOf = (CompressionCodecs as Readonly<Record<number, (() => Codec) | undefined>>)[attributes & COMPRESSION]
  return codecOf === undefined || packed.length === 0 ? packed : codecOf().decompress(packed)
}

const append = async (batch: Buffer, attributes: number, into: StoredRecord[]): Promise<void> => {
  const shared = {
    bytes: await contentOf(batch, attributes),
    firstOffset: int64(batch, 0),
    firstTimeMs: int64(batch, FIRST_TIME_AT),
    storedMs: (attributes & STAMPED_BY_BROKER) === 0 ? null : int64(batch, LAST_TIME_AT),
  }
  recordsOf(shared, batch.readInt32BE(COUNT_AT), into)
}

/** Says of batches in order which of them were given up. */
const abortedOnes = (aborted: readonly Aborted[]): ((batch: Buffer, attributes: number, last: number) => Promise<boolean>) => {
  const ahead = aborted.map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) })).sort((a, b) => a.first - b.first)
  const open = new Set<string>()
  return async (batch, attributes, last) => {
    while (ahead.length > 0 && ahead[0]!.first <= last) open.add(ahead.shift()!.producerId)
    if (open.size === 0 || (attributes & TRANSACTIONAL) === 0) return false
    const producer = String(batch.readBigInt64BE(PRODUCER_AT))
    if ((attributes & CONTROL) === 0) return open.has(producer)
    const marker: StoredRecord[] = []
    await append(batch, attributes, marker)
    if (marker[0]?.key?.readInt16BE(TYPE_AT) === ABORT) open.delete(producer)
    return false
  }
}

/**
 * Records of a partition as a fetch brought them: batches, of which the last may be cut off. `from` is the offset that was asked
 * for; a batch that begins before it is sent in whole. Error: TOPIC_UNREADABLE.
 */
export const decodeBatches = async (bytes: Buffer, from: number, aborted: readonly Aborted[]): Promise<Decoded> => {
  const records: StoredRecord[] = []
  const isAborted = abortedOnes(aborted)
  let next = from
  for (let at = 0; at + RECORDS_AT <= bytes.length; ) {
    const end = at + UNCOUNTED + bytes.readInt32BE(at + LENGTH_AT)
    if (end > bytes.length) break
    const batch = bytes.subarray(at, end)
    const magic = batch.readInt8(MAGIC_AT)
    if (magic !== MAGIC || end < at + RECORDS_AT) throw unreadable(`those from offset ${next} on have a form of before Kafka 3.0, ${magic}`)
    const attributes = batch.readInt16BE(ATTRIBUTES_AT)
    const last = int64(batch, 0) + batch.readInt32BE(LAST_DELTA_AT)
    if (!(await isAborted(batch, attributes, last)) && (attributes & CONTROL) === 0) await append(batch, attributes, records)
    next = Math.max(next, last + 1)
    at = end
  }
  const first = records.findIndex(({ offset }) => offset >= from)
  return { records: first <= 0 ? (first < 0 ? [] : records) : records.slice(first), next }
}
