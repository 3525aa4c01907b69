import { SCORED_COLUMNS, SCORED_SCHEMA_VERSION, type ScoredWire, scoredColumnsOf } from '@plumbline/schemas'

const FIXED: Partial<Record<ScoredWire, number>> = { UInt8: 1, UInt16: 2, UInt32: 4, UInt64: 8, Int64ms: 8, Float32: 4 }
const ELEMENT: Partial<Record<ScoredWire, number>> = { String: 1, ArrayUInt8: 1, ArrayFloat32: 4 }

/** LEB128 length at `at`: value and the position after it, or null when it is cut off or absurd. */
const varint = (bytes: Uint8Array, at: number): { value: number; next: number } | null => {
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return null
    value += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) return { value, next: at + i + 1 }
  }
  return null
}

const skip = (wire: ScoredWire, bytes: Uint8Array, at: number): number => {
  const fixed = FIXED[wire]
  if (fixed !== undefined) return at + fixed
  const length = varint(bytes, at)
  return length === null ? Number.POSITIVE_INFINITY : length.next + length.value * (ELEMENT[wire] ?? 1)
}

export interface SplitRows {
  readonly rows: readonly Uint8Array[]
  /** What follows the last whole row; empty in a good block. */
  readonly rest: Uint8Array
}

/** Splits a block of scored rows into its rows. Only used for a block that was refused: the normal path never looks inside. */
export const splitScoredRows = (bytes: Uint8Array, version = SCORED_SCHEMA_VERSION): SplitRows => {
  const columns = scoredColumnsOf(version) ?? []
  const rows: Uint8Array[] = []
  let start = 0
  while (start < bytes.length) {
    let at = start
    for (const column of columns) at = skip(column.wire, bytes, at)
    if (at > bytes.length || at === start) break
    rows.push(bytes.subarray(start, at))
    start = at
  }
  return { rows, rest: bytes.subarray(start) }
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** Tenant, position and arrival of one row, as far as they can be read. */
export const readRowHead = (row: Uint8Array): { tenant: string; ingestTime: number; shard: number; offset: number } => {
  const found = { tenant: '', ingestTime: 0, shard: 0, offset: 0 }
  let at = 0
  for (const { name, wire } of SCORED_COLUMNS) {
    const next = skip(wire, row, at)
    if (next > row.length) break
    if (name === 'tenant') found.tenant = view(row.subarray(varint(row, at)!.next, next)).toString()
    if (name === 'ingest_time') found.ingestTime = Number(view(row).readBigInt64LE(at))
    if (name === 'shard') found.shard = view(row).readUInt16LE(at)
    if (name === 'offset') found.offset = Number(view(row).readBigUInt64LE(at))
    at = next
  }
  return found
}
