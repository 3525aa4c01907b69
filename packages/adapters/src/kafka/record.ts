import { PlumblineError } from '@plumbline/schemas'
import type { IHeaders } from 'kafkajs'

/** One record of a topic. */
export interface ReadRecord {
  readonly offset: number
  /** When it was written or, where the topic says so, stored; ms since epoch. */
  readonly timestampMs: number
  /** Key and value are pieces of a whole fetch, which stays in memory with them. */
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
}

/** What the records of a batch share. */
export interface BatchOfRecords {
  /** The records, one behind the other. */
  readonly bytes: Buffer
  readonly firstOffset: number
  readonly firstTimeMs: number
  /** Of all of them, where the broker stamped them. */
  readonly storedMs: number | null
}

export const unreadable = (why: string): PlumblineError =>
  new PlumblineError('TOPIC_UNREADABLE', `Records cannot be read: ${why}.`, { retryable: true })

/** Place in the bytes at hand: a variable, where a result object for each number would cost more than the number. */
let at = 0

/** The zigzag number at the cursor. Lengths and differences of offsets have 32 bits. */
const varint = (bytes: Buffer): number => {
  let byte = bytes[at++]!
  let value = byte & 0x7f
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = bytes[at++]!
    value |= (byte & 0x7f) << shift
  }
  return (value >>> 1) ^ -(value & 1)
}

/** Of 64 bits, as far as a number goes: a difference of times. */
const varlong = (bytes: Buffer): number => {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]!
    value += (byte & 0x7f) * scale
    if (!(byte >= 0x80)) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

const piece = (bytes: Buffer, from: number, length: number): Buffer | null => (length < 0 ? null : bytes.subarray(from, from + length))

const ZERO = 48
/** More digits may be more than a number can hold exactly. */
const SAFE_DIGITS = 15

/**
 * A record as it lies in its batch: places and lengths. Nothing is copied or made into an object before somebody asks, and then
 * anew each time: a worker reads tens of thousands of records a second, and looks at key and value once.
 */
export class StoredRecord implements ReadRecord {
  readonly offset: number
  readonly #batch: BatchOfRecords
  readonly #timeAt: number
  readonly #keyAt: number
  readonly #keyLength: number
  readonly #valueAt: number
  readonly #valueLength: number

  /** The record at the cursor, which is behind it then. */
  constructor(batch: BatchOfRecords) {
    const { bytes } = batch
    const length = varint(bytes)
    const end = at + length
    // One byte of attributes comes first; none are defined.
    this.#timeAt = ++at
    while (bytes[at++]! >= 0x80);
    this.#batch = batch
    this.offset = batch.firstOffset + varint(bytes)
    this.#keyLength = varint(bytes)
    this.#keyAt = at
    if (this.#keyLength > 0) at += this.#keyLength
    this.#valueLength = varint(bytes)
    this.#valueAt = at
    if (this.#valueLength > 0) at += this.#valueLength
    if (!(at <= end && end <= bytes.length)) throw unreadable(`one of offset ${this.offset} is longer than its batch`)
    at = end
  }

  get timestampMs(): number {
    const { bytes, firstTimeMs, storedMs } = this.#batch
    if (storedMs !== null) return storedMs
    at = this.#timeAt
    return firstTimeMs + varlong(bytes)
  }

  get key(): Buffer | null {
    return piece(this.#batch.bytes, this.#keyAt, this.#keyLength)
  }

  get value(): Buffer | null {
    return piece(this.#batch.bytes, this.#valueAt, this.#valueLength)
  }

  /** A name that comes several times has all its values. */
  get headers(): IHeaders {
    const { bytes } = this.#batch
    const headers: IHeaders = {}
    for (let left = this.#toHeaders(); left > 0; left--) {
      const name = this.#next(bytes)?.toString() ?? ''
      const value = this.#next(bytes) ?? undefined
      const former = headers[name]
      headers[name] = former === undefined || value === undefined ? value : [former, value].flat()
    }
    return headers
  }

  /** Bytes of key and value. */
  get size(): number {
    return Math.max(0, this.#keyLength) + Math.max(0, this.#valueLength)
  }

  /** First byte of the key; -1 without one. */
  get kind(): number {
    return this.#keyLength > 0 ? this.#batch.bytes[this.#keyAt]! : -1
  }

  /** The number in the header `name`, where that is the only header and the number a few plain digits; else -1: see `headers`. */
  onlyNumber(name: Buffer): number {
    const { bytes } = this.#batch
    if (this.#toHeaders() !== 1 || varint(bytes) !== name.length) return -1
    for (let i = 0; i < name.length; i++) if (bytes[at++] !== name[i]) return -1
    const digits = varint(bytes)
    if (digits < 1 || digits > SAFE_DIGITS) return -1
    let number = 0
    for (let i = 0; i < digits; i++) {
      const digit = bytes[at++]! - ZERO
      if (!(digit >= 0 && digit <= 9)) return -1
      number = number * 10 + digit
    }
    return number
  }

  /** Moves the cursor to the first header and says how many there are. */
  #toHeaders(): number {
    at = this.#valueAt + Math.max(0, this.#valueLength)
    return varint(this.#batch.bytes)
  }

  #next(bytes: Buffer): Buffer | null {
    const length = varint(bytes)
    const from = at
    at += Math.max(0, length)
    return piece(bytes, from, length)
  }
}

/** The records of a batch, `count` of them. Error: TOPIC_UNREADABLE. */
export const recordsOf = (batch: BatchOfRecords, count: number, into: StoredRecord[]): void => {
  at = 0
  for (let i = 0; i < count; i++) into.push(new StoredRecord(batch))
}
