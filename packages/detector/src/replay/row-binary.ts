import { PlumblineError, SCORED_SCHEMA_VERSION, type ScoredWire, scoredColumnsOf } from '@plumbline/schemas'

/** One scored row by column name; times are epoch milliseconds. */
export interface ScoredRow {
  readonly tenant: string
  readonly identity: string
  readonly event_time: number
  readonly offset: number
  readonly event_id: string
  readonly session: string
  readonly action: string
  readonly resource_class: string
  readonly resource: string
  readonly score: number
  readonly tail_log10: number
  readonly flags: number
  readonly top_features: Uint8Array
  readonly features: Float32Array
}

class Cursor {
  readonly #bytes: Buffer
  #at = 0
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(n: number): number {
    this.#at += n
    if (this.#at > this.#bytes.length) throw new PlumblineError('SCORED_BLOCK_INVALID', 'a scored block ends inside a row')
    return this.#at - n
  }

  length(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#bytes[this.take(1)] ?? 0
      value += (byte & 127) * unit
      if (byte < 128) return value
    }
  }

  read(wire: ScoredWire): string | number | Uint8Array | Float32Array {
    const b = this.#bytes
    switch (wire) {
      case 'String': {
        const n = this.length()
        const at = this.take(n)
        return b.toString('utf8', at, at + n)
      }
      case 'UInt8':
        return b[this.take(1)] ?? 0
      case 'UInt16':
        return b.readUInt16LE(this.take(2))
      case 'UInt32':
        return b.readUInt32LE(this.take(4))
      case 'UInt64':
        return Number(b.readBigUInt64LE(this.take(8)))
      case 'Int64ms':
        return Number(b.readBigInt64LE(this.take(8)))
      case 'Float32':
        return b.readFloatLE(this.take(4))
      case 'ArrayUInt8': {
        const n = this.length()
        const at = this.take(n)
        return b.subarray(at, at + n)
      }
      case 'ArrayFloat32': {
        const values = new Float32Array(this.length())
        const at = this.take(values.length * 4)
        for (let i = 0; i < values.length; i++) values[i] = b.readFloatLE(at + i * 4)
        return values
      }
    }
  }
}

/** Rows of a scored block (RowBinary of SCORED_COLUMNS), as they would stand in ClickHouse. Error: SCORED_SCHEMA_UNKNOWN. */
export function* scoredRows(bytes: Uint8Array, version = SCORED_SCHEMA_VERSION): Generator<ScoredRow, void, undefined> {
  const columns = scoredColumnsOf(version)
  if (columns === undefined) throw new PlumblineError('SCORED_SCHEMA_UNKNOWN', `Scored rows of version ${version} are not known here.`)
  const cursor = new Cursor(bytes)
  while (!cursor.done) {
    const row: Record<string, unknown> = {}
    for (const { name, wire } of columns) row[name] = cursor.read(wire)
    yield row as unknown as ScoredRow
  }
}
