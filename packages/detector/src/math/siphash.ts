/**
 * SipHash-1-3 with a 128-bit key and a 64-bit result, on 32-bit halves.
 * Aumasson & Bernstein, "SipHash: a fast short-input PRF" (2012); 1-3 is the variant used for hash tables.
 * Keyed per tenant, so that nobody outside can choose colliding names (contracts C5).
 */
export class SipHash {
  /** Halves of the two words of the key, for the kernel that hashes the names of an event. */
  readonly k0l: number
  readonly k0h: number
  readonly k1l: number
  readonly k1h: number
  /** Low and high half of the last result, unsigned. */
  lo = 0
  hi = 0

  /** @param key 16 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError('a SipHash key has 16 bytes')
    const view = new DataView(key.buffer, key.byteOffset, 16)
    this.k0l = view.getInt32(0, true)
    this.k0h = view.getInt32(4, true)
    this.k1l = view.getInt32(8, true)
    this.k1h = view.getInt32(12, true)
  }

  /** Hashes bytes[start, end) into `lo` and `hi`. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    const whole = start + (length & ~7)
    let v0l = this.k0l ^ 0x70736575,
      v0h = this.k0h ^ 0x736f6d65
    let v1l = this.k1l ^ 0x6e646f6d,
      v1h = this.k1h ^ 0x646f7261
    let v2l = this.k0l ^ 0x6e657261,
      v2h = this.k0h ^ 0x6c796765
    let v3l = this.k1l ^ 0x79746573,
      v3h = this.k1h ^ 0x74656462
    let p = start
    let last = 0
    // One compression round per 8-byte word, one more for the tail with the length, three to finish.
    for (let rounds = ((length >>> 3) + 1) | 0; rounds > -3; rounds--) {
      let ml = 0,
        mh = 0
      if (rounds > 0) {
        if (p < whole) {
          ml = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24)
          mh = bytes[p + 4]! | (bytes[p + 5]! << 8) | (bytes[p + 6]! << 16) | (bytes[p + 7]! << 24)
          p += 8
        } else {
          mh = (length & 0xff) << 24
          for (let i = 0; p < end; p++, i++) {
            last = bytes[p]!
            if (i < 4) ml |= last << (i << 3)
            else mh |= last << ((i - 4) << 3)
          }
        }
        v3l ^= ml
        v3h ^= mh
      } else if (rounds === 0) v2l ^= 0xff
      // SipRound
      let s = (v0l >>> 0) + (v1l >>> 0)
      v0h = (v0h + v1h + (s > 0xffffffff ? 1 : 0)) | 0
      v0l = s | 0
      let t = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = t ^ v0l
      t = v0l
      v0l = v0h
      v0h = t
      s = (v2l >>> 0) + (v3l >>> 0)
      v2h = (v2h + v3h + (s > 0xffffffff ? 1 : 0)) | 0
      v2l = s | 0
      t = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = t ^ v2l
      s = (v0l >>> 0) + (v3l >>> 0)
      v0h = (v0h + v3h + (s > 0xffffffff ? 1 : 0)) | 0
      v0l = s | 0
      t = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = t ^ v0l
      s = (v2l >>> 0) + (v1l >>> 0)
      v2h = (v2h + v1h + (s > 0xffffffff ? 1 : 0)) | 0
      v2l = s | 0
      t = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = t ^ v2l
      t = v2l
      v2l = v2h
      v2h = t
      if (rounds > 0) {
        v0l ^= ml
        v0h ^= mh
      }
    }
    this.lo = (v0l ^ v1l ^ v2l ^ v3l) >>> 0
    this.hi = (v0h ^ v1h ^ v2h ^ v3h) >>> 0
  }
}

const scratch = new TextEncoder()

/** SipHash of a text as 16 bytes (two hashes with different suffixes): derives one key from another. */
export const deriveKey = (master: Uint8Array, label: string): Uint8Array => {
  const sip = new SipHash(master)
  const out = new Uint8Array(16)
  const view = new DataView(out.buffer)
  for (let half = 0; half < 2; half++) {
    const bytes = scratch.encode(`${half}:${label}`)
    sip.hash(bytes, 0, bytes.length)
    view.setUint32(half * 8, sip.lo, true)
    view.setUint32(half * 8 + 4, sip.hi, true)
  }
  return out
}
