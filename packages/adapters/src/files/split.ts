/** One record as it stands in the file. `index` is the 0-based line, or the place in the list. */
export interface RawRecord {
  readonly index: number
  readonly bytes: Uint8Array
  /** Set when the record was not kept: too large, or the file ended inside it. */
  readonly fault?: 'too-large' | 'cut-off'
}

/** Cuts a stream into records without holding more than one of them. */
export interface Splitter {
  push(chunk: Uint8Array): RawRecord[]
  end(): RawRecord[]
}

const NEWLINE = 0x0a
const EMPTY = new Uint8Array(0)

/** Pieces of a record that spans chunks, up to a limit; beyond it only the fact is kept. */
const collector = (maxBytes: number) => {
  let pieces: Uint8Array[] = []
  let length = 0
  return {
    add(piece: Uint8Array): void {
      length += piece.length
      // A copy: the chunk's memory may be reused by its owner.
      if (length <= maxBytes && piece.length > 0) pieces.push(piece.slice())
    },
    get length() {
      return length
    },
    take(last: Uint8Array, index: number): RawRecord {
      const total = length + last.length
      const bytes = pieces.length === 0 ? last : Buffer.concat([...pieces, last])
      pieces = []
      length = 0
      return total > maxBytes ? { index, bytes: EMPTY, fault: 'too-large' } : { index, bytes }
    },
  }
}

const isBlank = (bytes: Uint8Array): boolean => {
  for (const c of bytes) if (c !== 0x20 && c !== 0x0d && c !== 0x09) return false
  return true
}

/** One record per line; blank lines count as lines but are no records. */
export const lineSplitter = (maxBytes: number): Splitter => {
  const held = collector(maxBytes)
  let index = 0
  const finish = (record: RawRecord, out: RawRecord[]): void => {
    index++
    if (record.fault !== undefined || !isBlank(record.bytes)) out.push(record)
  }
  return {
    push(chunk) {
      const out: RawRecord[] = []
      let start = 0
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        finish(held.take(chunk.subarray(start, end), index), out)
        start = end + 1
      }
      held.add(chunk.subarray(start))
      return out
    },
    end() {
      const out: RawRecord[] = []
      if (held.length > 0) finish(held.take(EMPTY, index), out)
      return out
    },
  }
}

/**
 * The objects of a JSON list, or of the list called `Records` in a JSON object, found by counting brackets,
 * so that a list of gigabytes needs memory for one element. Several such values may follow each other.
 */
export const elementSplitter = (maxBytes: number): Splitter => {
  const held = collector(maxBytes)
  let index = 0
  let depth = 0
  /** Depth at which elements begin; -1 outside of a list that holds records. */
  let base = -1
  let inString = false
  let escaped = false
  let inElement = false
  let key: number[] = []
  const isRecords = (): boolean => String.fromCharCode(...key) === 'Records'

  return {
    push(chunk) {
      const out: RawRecord[] = []
      let start = 0
      for (let i = 0; i < chunk.length; i++) {
        const c = chunk[i] as number
        if (inString) {
          if (escaped) escaped = false
          else if (c === 0x5c) escaped = true
          else if (c === 0x22) inString = false
          else if (!inElement && key.length < 16) key.push(c)
        } else if (c === 0x22) {
          inString = true
          if (!inElement) key = []
        } else if (c === 0x7b || c === 0x5b) {
          if (base < 0 && c === 0x5b && (depth === 0 || (depth === 1 && isRecords()))) base = depth + 1
          else if (depth === base && c === 0x7b) {
            inElement = true
            start = i
          }
          depth++
        } else if (c === 0x7d || c === 0x5d) {
          depth = Math.max(0, depth - 1)
          if (inElement && depth === base) {
            inElement = false
            out.push(held.take(chunk.subarray(start, i + 1), index++))
          } else if (depth < base) base = -1
        }
      }
      if (inElement) held.add(chunk.subarray(start))
      return out
    },
    end() {
      if (depth === 0 && !inElement) return []
      return [{ index, bytes: EMPTY, fault: 'cut-off' }]
    },
  }
}
