/** From here on bytes are sent as they are, where smaller ones are copied: a system call takes what it is given in pieces. */
const AS_THEY_ARE = 16 * 1024
const FIRST_ROOM = 4 * 1024
const MOST_ROOM = 256 * 1024

/** Zigzag: small numbers of either sign are short. */
const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1)

export const varintSize = (value: number): number => {
  let size = 1
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

/** A request's content as it is written, in pieces that follow each other. */
export interface Pieces {
  /** Bytes so far. */
  readonly size: number
  int8(value: number): void
  int16(value: number): void
  int32(value: number): void
  int64(value: bigint): void
  /** Whole numbers that a number holds exactly. */
  varint(value: number): void
  bytes(bytes: Buffer): void
  /** Room that is filled in later. */
  room(length: number): Buffer
  /** All pieces, and from here on there are new ones. */
  cut(): readonly Buffer[]
}

export const createPieces = (): Pieces => {
  const pieces: Buffer[] = []
  let room = Buffer.allocUnsafe(FIRST_ROOM)
  let from = 0
  let at = 0
  let cut = 0

  const end = (): void => {
    if (at === from) return
    pieces.push(room.subarray(from, at))
    cut += at - from
    from = at
  }

  /** Where in the room the next `length` bytes go, which may be another room than before. */
  const place = (length: number): number => {
    if (at + length > room.length) {
      end()
      room = Buffer.allocUnsafe(Math.max(length, Math.min(MOST_ROOM, room.length * 2)))
      from = at = 0
    }
    at += length
    return at - length
  }

  return {
    get size() {
      return cut + at - from
    },
    int8(value) {
      const first = place(1)
      room.writeInt8(value, first)
    },
    int16(value) {
      const first = place(2)
      room.writeInt16BE(value, first)
    },
    int32(value) {
      const first = place(4)
      room.writeInt32BE(value, first)
    },
    int64(value) {
      const first = place(8)
      room.writeBigInt64BE(value, first)
    },
    varint(value) {
      const last = varintSize(value) - 1
      const first = place(last + 1)
      let rest = zigzag(value)
      for (let i = 0; i < last; i++, rest = Math.floor(rest / 128)) room[first + i] = (rest % 128) + 128
      room[first + last] = rest
    },
    bytes(bytes) {
      if (bytes.length < AS_THEY_ARE) {
        const first = place(bytes.length)
        bytes.copy(room, first)
        return
      }
      end()
      pieces.push(bytes)
      cut += bytes.length
    },
    room(length) {
      const first = place(length)
      return room.subarray(first, first + length)
    },
    cut() {
      end()
      return pieces
    },
  }
}
