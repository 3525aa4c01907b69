/** CRC-32C (Castagnoli), reflected. */
const POLYNOMIAL = 0x82f63b78

const entryOf = (byte: number): number => {
  let entry = byte
  for (let bit = 0; bit < 8; bit++) entry = (entry & 1) === 0 ? entry >>> 1 : (entry >>> 1) ^ POLYNOMIAL
  return entry
}

/** What a byte does to the sum that is followed by 0, 1, … 7 others: eight bytes are taken in at once. */
const tables: readonly Int32Array[] = Array.from({ length: 8 }, () => new Int32Array(256))
const [T0, T1, T2, T3, T4, T5, T6, T7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]
for (let byte = 0; byte < 256; byte++) T0[byte] = entryOf(byte)
for (let n = 1; n < 8; n++) tables[n]!.set(tables[n - 1]!.map((entry) => (entry >>> 8) ^ T0[entry & 255]!))

const byByte = (sum: number, bytes: Uint8Array, from: number, to: number): number => {
  let crc = sum
  for (let i = from; i < to; i++) crc = T0[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return crc
}

/** Words of eight bytes as this machine, like every one that Node runs on but mainframes, has them in memory: lowest byte first. */
const byWords = (sum: number, words: Int32Array): number => {
  let crc = sum
  for (let i = 0; i < words.length; i += 2) {
    const low = crc ^ words[i]!
    const high = words[i + 1]!
    crc =
      T7[low & 255]! ^
      T6[(low >>> 8) & 255]! ^
      T5[(low >>> 16) & 255]! ^
      T4[low >>> 24]! ^
      T3[high & 255]! ^
      T2[(high >>> 8) & 255]! ^
      T1[(high >>> 16) & 255]! ^
      T0[high >>> 24]!
  }
  return crc
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

const add = (sum: number, bytes: Uint8Array): number => {
  const { buffer, byteOffset, length } = bytes
  const lead = (4 - (byteOffset & 3)) & 3
  const inWords = (length - lead) & ~7
  if (!LITTLE_ENDIAN || inWords <= 0) return byByte(sum, bytes, 0, length)
  const crc = byWords(byByte(sum, bytes, 0, lead), new Int32Array(buffer, byteOffset + lead, inWords >> 2))
  return byByte(crc, bytes, lead + inWords, length)
}

/** Checksum of bytes that lie in pieces. Several times as fast as the client's own, which takes them one by one. */
export const crc32c = (pieces: readonly Uint8Array[]): number => (pieces.reduce(add, -1) ^ -1) >>> 0
