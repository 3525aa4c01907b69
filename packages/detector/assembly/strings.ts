/** Strings and words of an event. */
import { COUNTRY, ENDS, ENUMERATIONS, IP, KIND_AT, POINT, QUOTE, SPACE, STARTS } from './layout'

/**
 * Address of the closing quote of the string whose first character is at `p`, or 0. Controls, escapes and anything
 * beyond ASCII are left to the full decoder.
 */
function closing(p: usize): usize {
  const quote = i8x16.splat(<i8>QUOTE)
  const least = i8x16.splat(32)
  const backslash = i8x16.splat(92)
  const last = i8x16.splat(127)
  let bad = 0
  while (bad == 0) {
    const v = v128.load(p)
    // Signed: bytes from 128 on are below 32 too.
    bad = i8x16.bitmask(v128.or(i8x16.lt_s(v, least), v128.or(i8x16.eq(v, backslash), i8x16.eq(v, last))))
    const ends = i8x16.bitmask(i8x16.eq(v, quote))
    if (ends != 0) {
      const n = ctz(ends)
      return (bad & ((1 << n) - 1)) == 0 ? p + <usize>n : 0
    }
    p += 16
  }
  return 0
}

export function text(field: i32, limit: u32, p: usize): usize {
  if (load<u8>(p) != QUOTE) return 0
  const start = p + 1
  const end = closing(start)
  if (end <= start || <u32>(end - start) > limit) return 0
  store<i32>(STARTS + (<usize>field << 2), <i32>start)
  store<i32>(ENDS + (<usize>field << 2), <i32>end)
  if (field == IP && !isIpv4(start, end)) return 0
  if (field == COUNTRY && (end - start != 2 || !isUpper(load<u8>(start)) || !isUpper(load<u8>(start, 1)))) return 0
  return end + 1
}

// @ts-ignore: decorator
@inline
function isUpper(c: u32): bool {
  return c >= 65 && c <= 90
}

function isIpv4(start: usize, end: usize): bool {
  let octets = 0
  let octet: u32 = 0
  let digits = 0
  for (let p = start; p <= end; p++) {
    const c: u32 = p == end ? POINT : load<u8>(p)
    if (c == POINT) {
      if (digits == 0 || octet > 255) return false
      octets++
      octet = 0
      digits = 0
    } else {
      if (c < 48 || c > 57 || (digits > 0 && octet == 0) || digits > 3) return false
      octet = octet * 10 + c - 48
      digits++
    }
  }
  return octets == 4
}

export function enumeration(which: i32, p: usize): usize {
  if (load<u8>(p) != QUOTE) return 0
  const start = p + 1
  const values = ENUMERATIONS + (<usize>which << 6)
  for (let i = 0; i < 3; i++) {
    const word = values + (<usize>i << 4)
    const length: usize = load<u8>(word)
    if (load<u8>(start + length) != QUOTE || !sameBytes(start, word + 1, length)) continue
    store<i32>(KIND_AT + (<usize>which << 2), i)
    return start + length + 1
  }
  return 0
}

export function sameBytes(a: usize, b: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

export function passString(min: u32, max: u32, p: usize): usize {
  if (load<u8>(p) != QUOTE) return 0
  const end = closing(p + 1)
  if (end == 0) return 0
  const length = <u32>(end - p - 1)
  return length >= min && length <= max ? end + 1 : 0
}

// @ts-ignore: decorator
@inline
export function afterSpace(p: usize): usize {
  return load<u8>(p) == SPACE ? p + 1 : p
}
