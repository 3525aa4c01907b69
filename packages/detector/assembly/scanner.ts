/**
 * Reads one event from its bytes and hashes its names; built by scripts/build-wasm.mjs. src/1-decode/layout.ts lays out the
 * memory and writes the tables of keys, src/1-decode/scan.ts says what this reader takes and what it leaves alone.
 *
 * Functions take the address at which to read and return the address behind what they read; 0 means "leave it to the full
 * decoder". Behind the event stands a zero byte, which nothing here takes, so no loop runs past the end. The blocks are
 * longer than any event, so reading sixteen bytes at once stays inside.
 */

// Addresses of src/1-decode/layout.ts.
const STARTS: usize = 1024
const ENDS: usize = 1120
const LOWS: usize = 1216
const HIGHS: usize = 1312
const NUMBERS: usize = 1408
const KIND_AT: usize = 1512
const OUTCOME_AT: usize = 1516
const PROVENANCE_AT: usize = 1520
const UNTRUSTED_AT: usize = 1524
const REQUIRED: usize = 1536
const ENUMERATIONS: usize = 1600
const ATTRIBUTES: usize = 1792
const TABLE: usize = 2048
const KEYS: usize = 3072
const INPUT: usize = 16384

// Fields and kinds of values that are treated in a way of their own; src/record.ts and src/1-decode/shapes.ts.
const FIELDS: i32 = 24
const DELEGATE: i32 = 10
const IP: i32 = 19
const COUNTRY: i32 = 21
const TIME: i32 = 0
const ABSENT: i32 = 255

const TIME_MIN: i64 = 946684800000
const TIME_MAX: f64 = 4102444800000

const QUOTE: u32 = 34
const COMMA: u32 = 44
const POINT: u32 = 46
const COLON: u32 = 58
const SPACE: u32 = 32

/** Reads the event of `length` bytes at INPUT. 1 when it was read whole. */
export function scan(length: i32): i32 {
  const zero = i32x4.splat(0)
  for (let at: usize = STARTS; at < LOWS; at += 16) v128.store(at, zero)
  for (let at: usize = NUMBERS; at < KIND_AT; at += 8) store<f64>(at, NaN)
  store<i32>(KIND_AT, 0)
  store<i32>(OUTCOME_AT, 0)
  store<i32>(PROVENANCE_AT, ABSENT)
  store<i32>(UNTRUSTED_AT, ABSENT)
  const end = INPUT + <usize>length
  store<u8>(end, 0)
  return object(0, INPUT) == end ? 1 : 0
}

// @ts-ignore: decorator
@inline
function afterSpace(p: usize): usize {
  return load<u8>(p) == SPACE ? p + 1 : p
}

function object(id: u32, at: usize): usize {
  if (load<u8>(at) != 123) return 0
  const required = load<u32>(REQUIRED + (<usize>id << 2))
  let p = at + 1
  if (load<u8>(p) == 125) return required == 0 ? p + 1 : 0
  let seen: u32 = 0
  for (;;) {
    if (load<u8>(p) != QUOTE) return 0
    const start = p + 1
    const length = quoteWithin32(start)
    if (length == 0) return 0
    const key = findKey(id, start, length)
    if (key == 0) return 0
    const bit = load<u32>(key, 4)
    if ((seen & bit) != 0) return 0
    seen |= bit
    p = start + <usize>length + 1
    if (load<u8>(p) != COLON) return 0
    p = value(key, afterSpace(p + 1))
    if (p == 0) return 0
    const c = load<u8>(p)
    p++
    if (c == COMMA) {
      p = afterSpace(p)
      continue
    }
    return c == 125 && (seen & required) == required ? p : 0
  }
}

/** Bytes up to the next quote; 0 when there is none within 32. */
// @ts-ignore: decorator
@inline
function quoteWithin32(p: usize): u32 {
  const quote = i8x16.splat(<i8>QUOTE)
  const near = i8x16.bitmask(i8x16.eq(v128.load(p), quote))
  if (near != 0) return ctz(near)
  const far = i8x16.bitmask(i8x16.eq(v128.load(p, 16), quote))
  return far != 0 ? 16 + ctz(far) : 0
}

/** Address of the entry of a key of this object, or 0. */
// @ts-ignore: decorator
@inline
function findKey(id: u32, start: usize, length: u32): usize {
  const middle: u32 = load<u8>(start + <usize>(length >> 1))
  let at: u32 = (id * 67 + length * 13 + <u32>load<u8>(start) * 7 + middle * 3) & 1023
  for (let n: usize = load<u8>(TABLE + <usize>at); n != 0; n = load<u8>(TABLE + <usize>at)) {
    const key = KEYS + (n << 6)
    if (load<u8>(key) == id && load<u8>(key, 1) == length && sameName(key + 16, start, length)) return key
    at = (at + 1) & 1023
  }
  return 0
}

// @ts-ignore: decorator
@inline
function sameName(name: usize, start: usize, length: u32): bool {
  const differ = ~i8x16.bitmask(i8x16.eq(v128.load(name), v128.load(start)))
  if (length < 16) return (differ & ((1 << length) - 1)) == 0
  if ((differ & 0xffff) != 0) return false
  return (~i8x16.bitmask(i8x16.eq(v128.load(name, 16), v128.load(start, 16))) & ((1 << (length - 16)) - 1)) == 0
}

function value(key: usize, p: usize): usize {
  const target: i32 = load<u8>(key, 3)
  switch (load<u8>(key, 2)) {
    case 0:
      return text(target, <u32>load<f64>(key, 8), p)
    case 1:
      return number(target, load<f64>(key, 8), true, p)
    case 2:
      return number(target, load<f64>(key, 8), false, p)
    case 3:
      return enumeration(target, p)
    case 4:
      return object(target, p)
    case 5:
      return boolean(p)
    case 6:
      return time(p)
    case 7:
      return attributes(p)
    case 8:
      return delegation(p)
    case 9:
      return load<u8>(p) == 49 ? p + 1 : 0
    default:
      return hashList(p)
  }
}

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

function text(field: i32, limit: u32, p: usize): usize {
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

/** What `digits` read last. */
let digitsValue: f64 = 0

function number(field: i32, max: f64, fraction: bool, p: usize): usize {
  const end = digits(fraction, p)
  if (end == 0 || !(digitsValue <= max)) return 0
  store<f64>(NUMBERS + (<usize>field << 3), digitsValue)
  return end
}

/** Up to 15 digits, optionally with a fraction: value = digits / 10^k is then correctly rounded. */
function digits(fraction: bool, start: usize): usize {
  let p = start
  let whole: i64 = 0
  let c: u32 = load<u8>(p)
  while (c - 48 <= 9) {
    whole = whole * 10 + (c - 48)
    c = load<u8>(++p)
  }
  let count = <i32>(p - start)
  if (count == 0 || count > 15 || (load<u8>(start) == 48 && count > 1)) return 0
  digitsValue = <f64>whole
  if (c == POINT) {
    if (!fraction) return 0
    const point = p
    let power: i64 = 1
    c = load<u8>(++p)
    while (c - 48 <= 9) {
      if (++count > 15) return 0
      whole = whole * 10 + (c - 48)
      power *= 10
      c = load<u8>(++p)
    }
    if (p - point == 1) return 0
    digitsValue = <f64>whole / <f64>power
  }
  return c == 101 || c == 69 ? 0 : p
}

function time(p: usize): usize {
  if (load<u8>(p) == QUOTE) return isoTime(p + 1)
  const end = number(TIME, TIME_MAX, false, p)
  return end != 0 && load<f64>(NUMBERS + (TIME << 3)) >= <f64>TIME_MIN ? end : 0
}

/** One and two decimal digits; far below 0 when they are none. */
// @ts-ignore: decorator
@inline
function one(p: usize): i32 {
  const d = <i32>load<u8>(p) - 48
  return d >= 0 && d <= 9 ? d : -1000000
}
// @ts-ignore: decorator
@inline
function two(p: usize): i32 {
  return one(p) * 10 + one(p + 1)
}

/** `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; other forms of RFC 3339 go to the full decoder. */
function isoTime(s: usize): usize {
  const long = load<u8>(s, 19) == POINT
  const z = s + (long ? 23 : 19)
  if (load<u8>(z) != 90 || load<u8>(z, 1) != QUOTE) return 0
  if (load<u8>(s, 4) != 45 || load<u8>(s, 7) != 45 || load<u8>(s, 10) != 84 || load<u8>(s, 13) != COLON || load<u8>(s, 16) != COLON) return 0
  const year = two(s) * 100 + two(s + 2)
  const month = two(s + 5)
  const day = two(s + 8)
  const hour = two(s + 11)
  const minute = two(s + 14)
  const second = two(s + 17)
  const milli = long ? one(s + 20) * 100 + two(s + 21) : 0
  if (year < 2000 || year >= 2100 || month < 1 || month > 12 || day < 1 || milli < 0) return 0
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return 0
  // 2000 to 2099: every fourth year is a leap year.
  const leap = (year & 3) == 0
  if (day > daysIn(month, leap)) return 0
  const years = year - 2000
  let days = years * 365 + ((years + 3) >> 2) + day - 1
  for (let m = 1; m < month; m++) days += daysIn(m, leap)
  store<f64>(NUMBERS + (TIME << 3), <f64>(TIME_MIN + <i64>days * 86400000 + <i64>(hour * 3600000 + minute * 60000 + second * 1000 + milli)))
  return z + 2
}

function daysIn(month: i32, leap: bool): i32 {
  if (month == 2) return leap ? 29 : 28
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
}

function enumeration(which: i32, p: usize): usize {
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

function sameBytes(a: usize, b: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

// Words as little-endian integers.
const TRUE_: u32 = 0x65757274 // true
const FALS: u32 = 0x736c6166 // fals
const CONSTRUC: u64 = 0x63757274736e6f63 // construc
const PROTOTYP: u64 = 0x7079746f746f7270 // prototyp
const ID_KEY: u32 = 0x6469227b // {"id
const KEY_END: u32 = 0x3a22 // ":
const KIND_KEY: u64 = 0x3a22646e696b222c // ,"kind":

/** Address behind `true` or `false`, or 0. */
function afterBoolean(p: usize): usize {
  const word = load<u32>(p)
  if (word == TRUE_) return p + 4
  return word == FALS && load<u8>(p, 4) == 101 ? p + 5 : 0
}

function boolean(p: usize): usize {
  const end = afterBoolean(p)
  if (end != 0) store<i32>(UNTRUSTED_AT, end - p == 4 ? 1 : 0)
  return end
}

/** Only the first principal counts; the others are checked and passed over. */
function delegation(at: usize): usize {
  if (load<u8>(at) != 91) return 0
  let p = at + 1
  if (load<u8>(p) == 93) return p + 1
  const kind = load<i32>(KIND_AT)
  let start = 0
  let end = 0
  for (let depth = 0; depth < 8; depth++) {
    if (load<u32>(p) != ID_KEY || load<u16>(p, 4) != KEY_END) return 0
    p = text(DELEGATE, 256, p + 6)
    if (p == 0 || load<u64>(p) != KIND_KEY) return 0
    if (depth == 0) {
      start = load<i32>(STARTS + (DELEGATE << 2))
      end = load<i32>(ENDS + (DELEGATE << 2))
    }
    p = enumeration(0, p + 8)
    if (p == 0 || load<u8>(p) != 125) return 0
    const c = load<u8>(p, 1)
    p += 2
    if (c == COMMA) continue
    if (c != 93) return 0
    store<i32>(KIND_AT, kind)
    store<i32>(STARTS + (DELEGATE << 2), start)
    store<i32>(ENDS + (DELEGATE << 2), end)
    return p
  }
  return 0
}

/** Flat map of scalars; checked and passed over, since nothing in it is scored. */
function attributes(at: usize): usize {
  if (load<u8>(at) != 123) return 0
  let p = at + 1
  if (load<u8>(p) == 125) return p + 1
  for (let n = 0; n < 32; n++) {
    // Keys starting with an underscore or spelling a prototype member are left to the full decoder.
    const word = load<u64>(p, 1)
    if (load<u8>(p, 1) == 95 || word == CONSTRUC || word == PROTOTYP) return 0
    const start = p
    p = passString(1, 64, p)
    if (p == 0 || load<u8>(p) != COLON || isRepeated(n, start, p - start)) return 0
    p = afterSpace(p + 1)
    const c = load<u8>(p)
    if (c == QUOTE) p = passString(0, 512, p)
    else {
      const flag = afterBoolean(p)
      p = flag != 0 ? flag : digits(true, p)
    }
    if (p == 0) return 0
    const after = load<u8>(p)
    p++
    if (after == 125) return p
    if (after != COMMA) return 0
    p = afterSpace(p)
  }
  return 0
}

/** Whether the quoted key at `start` is one of the `n` before it; notes it for the next. */
function isRepeated(n: i32, start: usize, length: usize): bool {
  for (let i = 0; i < n; i++) if (sameBytes(load<u32>(ATTRIBUTES + (<usize>i << 2)), start, length)) return true
  store<u32>(ATTRIBUTES + (<usize>n << 2), <u32>start)
  return false
}

function passString(min: u32, max: u32, p: usize): usize {
  if (load<u8>(p) != QUOTE) return 0
  const end = closing(p + 1)
  if (end == 0) return 0
  const length = <u32>(end - p - 1)
  return length >= min && length <= max ? end + 1 : 0
}

/** Array of lower-case hexadecimal strings; checked and passed over. */
function hashList(at: usize): usize {
  if (load<u8>(at) != 91) return 0
  let p = at + 1
  if (load<u8>(p) == 93) return p + 1
  for (let n = 0; n < 64; n++) {
    if (load<u8>(p) != QUOTE) return 0
    const start = ++p
    for (let c: u32 = load<u8>(p); c != QUOTE; c = load<u8>(++p)) if (!(c - 48 <= 9 || c - 97 <= 5)) return 0
    if (p - start < 8 || p - start > 32) return 0
    const after = load<u8>(p, 1)
    p += 2
    if (after == 93) return p
    if (after != COMMA) return 0
    p = afterSpace(p)
  }
  return 0
}

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
