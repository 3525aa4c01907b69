/**
 * Reads one event from its bytes and hashes its names; built by scripts/build-wasm.mjs. src/1-decode/shapes.ts lays out the
 * memory and writes the tables of keys, src/1-decode/scan.ts says what this reader takes and what it leaves alone.
 *
 * Functions take the address at which to read and return the address behind what they read; 0 means "leave it to the full
 * decoder". Behind the event stands a zero byte, which nothing here takes, so no loop runs past the end. The blocks are
 * longer than any event, so reading sixteen bytes at once stays inside.
 */

import { ABSENT, COLON, COMMA, INPUT, KEYS, KIND_AT, LOWS, NUMBERS, OUTCOME_AT, PROVENANCE_AT, QUOTE, REQUIRED, STARTS, TABLE, UNTRUSTED_AT } from './layout'
import { number, time } from './numbers'
import { attributes, boolean, delegation, hashList } from './passed'
import { afterSpace, enumeration, text } from './strings'

export { hash } from './names'

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
