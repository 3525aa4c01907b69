/** Keyed hashes of the names of an event. */
import { COLON, ENDS, FIELDS, HIGHS, IP, LOWS, POINT, STARTS } from './layout'

/**
 * SipHash-1-3 of every present field named in `fields` (a bit each) into LOWS and HIGHS, 0 where absent; the same as
 * src/math/siphash.ts. Strings lie at `origin` + their start. Of an address only the network is hashed: the /24 of IPv4,
 * three groups of IPv6.
 */
export function hash(fields: u32, origin: usize, k0l: u32, k0h: u32, k1l: u32, k1h: u32): void {
  const k0 = (<u64>k0h << 32) | <u64>k0l
  const k1 = (<u64>k1h << 32) | <u64>k1l
  for (let field = 0; field < FIELDS; field++) {
    const at = <usize>field << 2
    let h: u64 = 0
    if (((fields >> field) & 1) != 0) {
      const start = origin + load<u32>(STARTS + at)
      let end = origin + load<u32>(ENDS + at)
      if (field == IP) end = networkEnd(start, end)
      if (end > start) h = sip(k0, k1, start, end)
    }
    store<u32>(LOWS + at, <u32>h)
    store<u32>(HIGHS + at, <u32>(h >> 32))
  }
}

function networkEnd(start: usize, end: usize): usize {
  let separators = 0
  for (let p = start; p < end; p++) {
    const c: u32 = load<u8>(p)
    if ((c == POINT || c == COLON) && ++separators == 3) return p
  }
  return end
}

function sip(k0: u64, k1: u64, start: usize, end: usize): u64 {
  let v0 = k0 ^ 0x736f6d6570736575
  let v1 = k1 ^ 0x646f72616e646f6d
  let v2 = k0 ^ 0x6c7967656e657261
  let v3 = k1 ^ 0x7465646279746573
  const length = end - start
  const whole = start + (length & ~7)
  // One compression round per 8-byte word, one more for the tail with the length, three to finish.
  let p = start
  let rest = 2
  for (;;) {
    let m: u64 = 0
    if (p < whole) {
      m = load<u64>(p)
      p += 8
    } else if (rest == 2) {
      m = (load<u64>(p) & ((<u64>1 << ((length & 7) << 3)) - 1)) | (<u64>length << 56)
      rest = 1
    } else break
    v3 ^= m
    v0 += v1
    v2 += v3
    v1 = rotl(v1, 13) ^ v0
    v3 = rotl(v3, 16) ^ v2
    v0 = rotl(v0, 32) + v3
    v2 += v1
    v3 = rotl(v3, 21) ^ v0
    v1 = rotl(v1, 17) ^ v2
    v2 = rotl(v2, 32)
    v0 ^= m
  }
  v2 ^= 0xff
  for (let round = 0; round < 3; round++) {
    v0 += v1
    v2 += v3
    v1 = rotl(v1, 13) ^ v0
    v3 = rotl(v3, 16) ^ v2
    v0 = rotl(v0, 32) + v3
    v2 += v1
    v3 = rotl(v3, 21) ^ v0
    v1 = rotl(v1, 17) ^ v2
    v2 = rotl(v2, 32)
  }
  return v0 ^ v1 ^ v2 ^ v3
}
