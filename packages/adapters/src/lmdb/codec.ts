import type { AppendRecord, LogRecord } from '@plumbline/detector'

/**
 * Keys are big-endian so that LMDB's byte order is the order of positions.
 * events: shard u16, offset u48 · slots: shard u16, identity key 8 bytes · shards: shard u16, kind u8, name
 * outbox: topic u8, sequence u48
 */
export const MAX_SHARDS = 65_536
export const MAX_OFFSET = 2 ** 48 - 1

export const eventKey = (shard: number, offset: number): Buffer => {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt16BE(shard, 0)
  key.writeUIntBE(offset, 2, 6)
  return key
}

export const offsetOf = (key: Buffer): number => key.readUIntBE(2, 6)
export const shardOf = (key: Buffer): number => key.readUInt16BE(0)

/** Fills `into` (10 bytes) so that the hot path allocates nothing. */
export const slotKeyInto = (into: Buffer, shard: number, key: Uint8Array): Buffer => {
  into.writeUInt16BE(shard, 0)
  into.set(key, 2)
  return into
}
export const slotKey = (shard: number, key: Uint8Array): Buffer => slotKeyInto(Buffer.allocUnsafe(2 + key.length), shard, key)

/** What the `shards` table holds of a shard. */
export const SHARD_NEXT = 0
export const SHARD_POSITION = 1
export const SHARD_STATE = 2
export const SHARD_FIRST = 3

export const shardKey = (shard: number, kind: number, name = ''): Buffer => {
  const key = Buffer.allocUnsafe(3 + Buffer.byteLength(name))
  key.writeUInt16BE(shard, 0)
  key.writeUInt8(kind, 2)
  key.write(name, 3)
  return key
}

export const outboxKey = (topic: number, sequence: number): Buffer => {
  const key = Buffer.allocUnsafe(7)
  key.writeUInt8(topic, 0)
  key.writeUIntBE(sequence, 1, 6)
  return key
}
export const sequenceOf = (key: Buffer): number => key.readUIntBE(1, 6)

export const numberValue = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleBE(value, 0)
  return bytes
}
export const numberOf = (bytes: Buffer | undefined): number | undefined => bytes?.readDoubleBE(0)

const EVENT_HEADER = 18

/** Event value: ingest time f64, time of storing f64, key length u16, key, value. Retention goes by the time of storing. */
export const encodeRecord = (record: AppendRecord, storedMs: number): Buffer => {
  const bytes = Buffer.allocUnsafe(EVENT_HEADER + record.key.length + record.value.length)
  bytes.writeDoubleBE(record.ingestTimeMs, 0)
  bytes.writeDoubleBE(storedMs, 8)
  bytes.writeUInt16BE(record.key.length, 16)
  bytes.set(record.key, EVENT_HEADER)
  bytes.set(record.value, EVENT_HEADER + record.key.length)
  return bytes
}

export const decodeRecord = (offset: number, bytes: Buffer): LogRecord => {
  const split = EVENT_HEADER + bytes.readUInt16BE(16)
  return { offset, ingestTimeMs: bytes.readDoubleBE(0), key: bytes.subarray(EVENT_HEADER, split), value: bytes.subarray(split) }
}

export const storedTimeOf = (bytes: Buffer): number => bytes.readDoubleBE(8)

const ENTRY_HEADER = 30

export interface OutboxValue {
  readonly shard: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly rows: number
  readonly schemaVersion: number
  readonly payload: Uint8Array
}

/** Outbox value: shard u16, first and last offset f64 each, rows u32, all rows of the topic so far u48, schema version u16, payload. */
export const encodeEntry = (entry: OutboxValue, rowsSoFar: number): Buffer => {
  const bytes = Buffer.allocUnsafe(ENTRY_HEADER + entry.payload.length)
  bytes.writeUInt16BE(entry.shard, 0)
  bytes.writeDoubleBE(entry.firstOffset, 2)
  bytes.writeDoubleBE(entry.lastOffset, 10)
  bytes.writeUInt32BE(entry.rows, 18)
  bytes.writeUIntBE(rowsSoFar, 22, 6)
  bytes.writeUInt16BE(entry.schemaVersion, 28)
  bytes.set(entry.payload, ENTRY_HEADER)
  return bytes
}

export const rowsOf = (bytes: Buffer): number => bytes.readUInt32BE(18)
export const rowsSoFarOf = (bytes: Buffer): number => bytes.readUIntBE(22, 6)

export const decodeEntry = (bytes: Buffer): OutboxValue => ({
  shard: bytes.readUInt16BE(0),
  firstOffset: bytes.readDoubleBE(2),
  lastOffset: bytes.readDoubleBE(10),
  rows: bytes.readUInt32BE(18),
  schemaVersion: bytes.readUInt16BE(28),
  payload: bytes.subarray(ENTRY_HEADER),
})
