/** Parts of an event that are checked and mostly passed over. */
import { ATTRIBUTES, COLON, COMMA, DELEGATE, ENDS, KIND_AT, QUOTE, STARTS, UNTRUSTED_AT } from './layout'
import { digits } from './numbers'
import { afterSpace, enumeration, passString, sameBytes, text } from './strings'

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

export function boolean(p: usize): usize {
  const end = afterBoolean(p)
  if (end != 0) store<i32>(UNTRUSTED_AT, end - p == 4 ? 1 : 0)
  return end
}

/** Only the first principal counts; the others are checked and passed over. */
export function delegation(at: usize): usize {
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
export function attributes(at: usize): usize {
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

/** Array of lower-case hexadecimal strings; checked and passed over. */
export function hashList(at: usize): usize {
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
