import { EVENT_LIMITS, IDENTITY_KINDS, OUTCOMES, PROVENANCES } from '@plumbline/schemas'
import { DecodedEvent, N, S } from '../record.ts'

/**
 * Single-pass, allocation-free reader of the event shapes that senders and the gateway really produce:
 * known keys once each, ASCII without escapes, plain numbers, one level of flat objects. It never decides that an
 * event is bad: anything it does not expect returns false and the full decoder takes over. What it accepts must
 * equal what the full decoder makes of the same bytes (property test in scan.test.ts).
 */

const OBJECT = { root: 0, identity: 1, version: 2, resource: 3, source: 4, content: 5 } as const
const KIND = {
  string: 0,
  number: 1,
  integer: 2,
  enumeration: 3,
  object: 4,
  boolean: 5,
  time: 6,
  attributes: 7,
  delegation: 8,
  version1: 9,
  hashes: 10,
} as const

interface Key {
  readonly bytes: Uint8Array
  readonly type: number
  /** Field index, object id or enumeration id. */
  readonly target: number
  readonly limit: number
  /** Bit in the seen-set of its object. */
  readonly bit: number
}

const L = EVENT_LIMITS
const key = (name: string, type: number, target = 0, limit = 0): Omit<Key, 'bit'> => ({
  bytes: new TextEncoder().encode(name),
  type,
  target,
  limit,
})
const ENUMS: readonly (readonly Uint8Array[])[] = [IDENTITY_KINDS, OUTCOMES, PROVENANCES].map((values) =>
  values.map((v) => new TextEncoder().encode(v)),
)
const SAFE = Number.MAX_SAFE_INTEGER

const SHAPES: readonly (readonly Omit<Key, 'bit'>[])[] = [
  [
    key('v', KIND.version1),
    key('id', KIND.string, S.id, L.idChars),
    key('time', KIND.time, N.time),
    key('tenant', KIND.string, S.tenant, L.nameChars),
    key('identity', KIND.object, OBJECT.identity),
    key('delegation', KIND.delegation),
    key('peerGroup', KIND.string, S.peerGroup, L.nameChars),
    key('session', KIND.string, S.session, L.idChars),
    key('rootSession', KIND.string, S.rootSession, L.idChars),
    key('trace', KIND.string, S.trace, L.idChars),
    key('action', KIND.string, S.action, L.nameChars),
    key('resource', KIND.object, OBJECT.resource),
    key('segment', KIND.string, S.segment, L.nameChars),
    key('destination', KIND.string, S.destination, L.destinationChars),
    key('destinationProvenance', KIND.enumeration, 2),
    key('outcome', KIND.enumeration, 1),
    key('bytesIn', KIND.integer, N.bytesIn, SAFE),
    key('bytesOut', KIND.integer, N.bytesOut, SAFE),
    key('tokensIn', KIND.integer, N.tokensIn, SAFE),
    key('tokensOut', KIND.integer, N.tokensOut, SAFE),
    key('durationMs', KIND.number, N.durationMs, SAFE),
    key('source', KIND.object, OBJECT.source),
    key('content', KIND.object, OBJECT.content),
    key('attributes', KIND.attributes),
  ],
  [
    key('id', KIND.string, S.identity, L.identityChars),
    key('kind', KIND.enumeration, 0),
    key('instance', KIND.string, S.instance, L.nameChars),
    key('attested', KIND.string, S.attested, L.nameChars),
    key('version', KIND.object, OBJECT.version),
  ],
  [
    key('release', KIND.string, S.versionRelease, L.nameChars),
    key('model', KIND.string, S.versionModel, L.nameChars),
    key('prompt', KIND.string, S.versionPrompt, L.nameChars),
    key('tools', KIND.string, S.versionTools, L.nameChars),
    key('code', KIND.string, S.versionCode, L.nameChars),
  ],
  [
    key('id', KIND.string, S.resource, L.resourceChars),
    key('class', KIND.string, S.resourceClass, L.nameChars),
    key('sensitivity', KIND.integer, N.sensitivity, 3),
    key('segment', KIND.string, S.resourceSegment, L.nameChars),
  ],
  [
    key('ip', KIND.string, S.ip, 15),
    key('userAgent', KIND.string, S.userAgent, L.userAgentChars),
    key('country', KIND.string, S.country, 2),
    key('asn', KIND.integer, N.asn, 4_294_967_295),
  ],
  [
    key('untrusted', KIND.boolean),
    key('instructionLikeness', KIND.number, N.instructionLikeness, 1),
    key('entropy', KIND.number, N.entropy, 8),
    key('argumentsFromUser', KIND.integer, N.argumentsFromUser, SAFE),
    key('argumentsFromTool', KIND.integer, N.argumentsFromTool, SAFE),
    key('argumentsNew', KIND.integer, N.argumentsNew, SAFE),
    key('destinationHashes', KIND.hashes),
  ],
]

const slotOf = (object: number, length: number, first: number, middle: number): number =>
  (object * 67 + length * 13 + first * 7 + middle * 3) & 1023

interface Slot extends Key {
  readonly object: number
}

/** Key table: a small hash of (object, length, two characters) leads to the only keys that can match. */
const TABLE: (Slot | undefined)[] = new Array(1024).fill(undefined)
SHAPES.forEach((keys, object) =>
  keys.forEach((k, bit) => {
    let at = slotOf(object, k.bytes.length, k.bytes[0]!, k.bytes[k.bytes.length >> 1]!)
    while (TABLE[at] !== undefined) at = (at + 1) & 1023
    TABLE[at] = { ...k, bit: 1 << bit, object }
  }),
)

const bitOf = (object: number, ...names: string[]): number =>
  names.reduce((bits, name) => bits | (1 << SHAPES[object]!.findIndex((k) => new TextDecoder().decode(k.bytes) === name)), 0)
const REQUIRED = [
  bitOf(OBJECT.root, 'id', 'time', 'identity', 'action', 'resource'),
  bitOf(OBJECT.identity, 'id', 'kind'),
  0,
  bitOf(OBJECT.resource, 'class'),
  0,
  0,
]

const POWERS = [1, 10, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]
const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
const DAYS_IN = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const TIME_MIN = Date.UTC(2000, 0, 1)
const TIME_MAX = Date.UTC(2100, 0, 1)

const QUOTE = 34
const COMMA = 44
const COLON = 58
const SPACE = 32

export class Scanner {
  #b: Uint8Array = new Uint8Array(0)
  #p = 0
  #out: DecodedEvent = new DecodedEvent()
  readonly #attributeKeys = new Int32Array(L.attributeCount)

  /** Reads bytes[start, end) into `out`. False: unknown shape, use the full decoder; `out` is then undefined. */
  scan(bytes: Uint8Array, start: number, end: number, out: DecodedEvent): boolean {
    if (end - start > L.eventBytes) return false
    out.reset(bytes)
    this.#b = bytes
    this.#p = start
    this.#out = out
    return this.#object(OBJECT.root) && this.#p === end
  }

  #object(object: number): boolean {
    const b = this.#b
    if (b[this.#p] !== 123) return false
    let p = this.#p + 1
    let seen = 0
    if (b[p] === 125) {
      this.#p = p + 1
      return REQUIRED[object] === 0
    }
    for (;;) {
      if (b[p] !== QUOTE) return false
      const start = ++p
      while (b[p] !== QUOTE) {
        if (p - start > 24) return false
        p++
      }
      const length = p - start
      const slot = length === 0 ? undefined : findKey(b, object, start, length)
      if (slot === undefined || (seen & slot.bit) !== 0) return false
      seen |= slot.bit
      p++
      if (b[p] !== COLON) return false
      p++
      if (b[p] === SPACE) p++
      this.#p = p
      if (!this.#value(slot)) return false
      p = this.#p
      const c = b[p]
      p++
      if (c === COMMA) {
        if (b[p] === SPACE) p++
        continue
      }
      if (c !== 125) return false
      this.#p = p
      return (seen & REQUIRED[object]!) === REQUIRED[object]
    }
  }

  #value(slot: Slot): boolean {
    switch (slot.type) {
      case KIND.string:
        return this.#string(slot.target, slot.limit)
      case KIND.integer:
        return this.#number(slot.target, slot.limit, false)
      case KIND.number:
        return this.#number(slot.target, slot.limit, true)
      case KIND.time:
        return this.#b[this.#p] === QUOTE ? this.#isoTime() : this.#number(N.time, TIME_MAX, false) && this.#out.number[N.time]! >= TIME_MIN
      case KIND.enumeration:
        return this.#enumeration(slot.target)
      case KIND.object:
        return this.#object(slot.target)
      case KIND.boolean:
        return this.#boolean()
      case KIND.delegation:
        return this.#delegation()
      case KIND.attributes:
        return this.#attributes()
      case KIND.hashes:
        return this.#hashes()
      default:
        return this.#b[this.#p++] === 49
    }
  }

  #string(field: number, limit: number): boolean {
    const b = this.#b
    let p = this.#p
    if (b[p] !== QUOTE) return false
    const start = ++p
    for (let c = b[p]!; c !== QUOTE; c = b[++p]!) {
      // Controls, escapes and anything beyond ASCII: the full decoder judges. Past the end `c` is undefined and fails too.
      if (!(c >= 32 && c <= 126) || c === 92) return false
    }
    const length = p - start
    if (length === 0 || length > limit) return false
    const out = this.#out
    out.start[field] = start
    out.end[field] = p
    this.#p = p + 1
    if (field === S.ip) return isIpv4(b, start, p)
    if (field === S.country) return length === 2 && b[start]! >= 65 && b[start]! <= 90 && b[start + 1]! >= 65 && b[start + 1]! <= 90
    return true
  }

  /** Up to 15 digits, optionally with a fraction: value = digits / 10^k is then correctly rounded. */
  #number(field: number, max: number, fraction: boolean): boolean {
    const value = this.#digits(fraction)
    if (!(value <= max)) return false
    this.#out.number[field] = value
    return true
  }

  #digits(fraction: boolean): number {
    const b = this.#b
    let p = this.#p
    const start = p
    let value = 0
    let c = b[p]!
    while (c >= 48 && c <= 57) {
      value = value * 10 + (c - 48)
      c = b[++p]!
    }
    let digits = p - start
    if (digits === 0 || (b[start] === 48 && digits > 1)) return Number.NaN
    if (c === 46) {
      if (!fraction) return Number.NaN
      const point = p
      c = b[++p]!
      while (c >= 48 && c <= 57) {
        value = value * 10 + (c - 48)
        c = b[++p]!
      }
      const places = p - point - 1
      digits += places
      if (places === 0 || digits > 15) return Number.NaN
      value /= POWERS[places]!
    }
    if (digits > 15 || c === 101 || c === 69) return Number.NaN
    this.#p = p
    return value
  }

  /** `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; other forms of RFC 3339 go to the full decoder. */
  #isoTime(): boolean {
    const b = this.#b
    const s = this.#p + 1
    const long = b[s + 19] === 46
    const z = s + (long ? 23 : 19)
    if (b[z] !== 90 || b[z + 1] !== QUOTE) return false
    if (b[s + 4] !== 45 || b[s + 7] !== 45 || b[s + 10] !== 84 || b[s + 13] !== COLON || b[s + 16] !== COLON) return false
    const year = two(b, s) * 100 + two(b, s + 2)
    const month = two(b, s + 5)
    const day = two(b, s + 8)
    const milli = long ? digit(b, s + 20) * 100 + two(b, s + 21) : 0
    const hour = two(b, s + 11)
    const minute = two(b, s + 14)
    const second = two(b, s + 17)
    const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
    if (!(year >= 2000 && year < 2100 && month >= 1 && month <= 12 && hour <= 23 && minute <= 59 && second <= 59 && milli >= 0))
      return false
    if (!(day >= 1 && day <= DAYS_IN[month - 1]! + (leap && month === 2 ? 1 : 0))) return false
    const years = year - 2000
    const days = years * 365 + Math.floor((years + 3) / 4) + DAYS_BEFORE[month - 1]! + (leap && month > 2 ? 1 : 0) + day - 1
    this.#out.number[N.time] = TIME_MIN + days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli
    this.#p = z + 2
    return true
  }

  #enumeration(which: number): boolean {
    const b = this.#b
    if (b[this.#p] !== QUOTE) return false
    const start = this.#p + 1
    const values = ENUMS[which]!
    for (let i = 0; i < values.length; i++) {
      const v = values[i]!
      if (b[start + v.length] !== QUOTE || !equal(b, start, v)) continue
      if (which === 0) this.#out.kind = i
      else if (which === 1) this.#out.outcome = i
      else this.#out.provenance = i
      this.#p = start + v.length + 1
      return true
    }
    return false
  }

  #boolean(): boolean {
    const b = this.#b
    if (equal(b, this.#p, TRUE)) {
      this.#out.untrusted = 1
      this.#p += 4
      return true
    }
    if (!equal(b, this.#p, FALSE)) return false
    this.#out.untrusted = 0
    this.#p += 5
    return true
  }

  #delegation(): boolean {
    const b = this.#b
    const out = this.#out
    if (b[this.#p] !== 91) return false
    this.#p++
    if (b[this.#p] === 93) {
      this.#p++
      return true
    }
    const kind = out.kind
    let first = true
    let start = 0
    let end = 0
    for (let depth = 0; depth < L.delegationDepth; depth++) {
      if (!equal(b, this.#p, DELEGATE_ID)) return false
      this.#p += DELEGATE_ID.length
      if (!this.#string(S.delegate, L.identityChars)) return false
      if (first) {
        start = out.start[S.delegate]!
        end = out.end[S.delegate]!
        first = false
      }
      if (!equal(b, this.#p, DELEGATE_KIND)) return false
      this.#p += DELEGATE_KIND.length
      if (!this.#enumeration(0) || b[this.#p] !== 125) return false
      const c = b[this.#p + 1]
      this.#p += 2
      if (c === COMMA) continue
      if (c !== 93) return false
      out.kind = kind
      out.start[S.delegate] = start
      out.end[S.delegate] = end
      return true
    }
    return false
  }

  /** Flat map of scalars; checked and passed over, since nothing in it is scored. */
  #attributes(): boolean {
    const b = this.#b
    if (b[this.#p] !== 123) return false
    this.#p++
    if (b[this.#p] === 125) {
      this.#p++
      return true
    }
    for (let n = 0; n < L.attributeCount; n++) {
      // Keys starting with an underscore or spelling a prototype member are left to the full decoder.
      const first = b[this.#p + 1]
      if (first === 95 || equal(b, this.#p + 1, CONSTRUCTOR) || equal(b, this.#p + 1, PROTOTYPE)) return false
      const start = this.#p
      if (!this.#plain(1, L.attributeKeyChars) || b[this.#p] !== COLON || this.#isRepeated(n, start)) return false
      this.#p++
      if (b[this.#p] === SPACE) this.#p++
      const c = b[this.#p]
      if (c === QUOTE) {
        if (!this.#plain(0, L.attributeValueChars)) return false
      } else if (equal(b, this.#p, TRUE)) this.#p += 4
      else if (equal(b, this.#p, FALSE)) this.#p += 5
      else if (!(this.#digits(true) >= 0)) return false
      const after = b[this.#p++]
      if (after === 125) return true
      if (after !== COMMA) return false
      if (b[this.#p] === SPACE) this.#p++
    }
    return false
  }

  /** Whether the quoted key that begins at `start` and ends here is one of the `n` before it; notes it for the next. */
  #isRepeated(n: number, start: number): boolean {
    const b = this.#b
    const length = this.#p - start
    for (let i = 0; i < n; i++) {
      let same = 0
      const other = this.#attributeKeys[i]!
      while (same < length && b[other + same] === b[start + same]) same++
      if (same === length) return true
    }
    this.#attributeKeys[n] = start
    return false
  }

  /** Array of lower-case hexadecimal strings; checked and passed over. */
  #hashes(): boolean {
    const b = this.#b
    if (b[this.#p] !== 91) return false
    let p = this.#p + 1
    if (b[p] === 93) {
      this.#p = p + 1
      return true
    }
    for (let n = 0; n < L.destinationHashes; n++) {
      if (b[p] !== QUOTE) return false
      const start = ++p
      for (let c = b[p]!; c !== QUOTE; c = b[++p]!) if (!((c >= 48 && c <= 57) || (c >= 97 && c <= 102))) return false
      if (p - start < 8 || p - start > 32) return false
      const after = b[p + 1]
      p += 2
      if (after === 93) {
        this.#p = p
        return true
      }
      if (after !== COMMA) return false
      if (b[p] === SPACE) p++
    }
    return false
  }

  #plain(min: number, max: number): boolean {
    const b = this.#b
    let p = this.#p
    if (b[p] !== QUOTE) return false
    const start = ++p
    for (let c = b[p]!; c !== QUOTE; c = b[++p]!) if (!(c >= 32 && c <= 126) || c === 92) return false
    this.#p = p + 1
    return p - start >= min && p - start <= max
  }
}

const encode = (s: string): Uint8Array => new TextEncoder().encode(s)
const TRUE = encode('true')
const FALSE = encode('false')
const CONSTRUCTOR = encode('constructor')
const PROTOTYPE = encode('prototype')
const DELEGATE_ID = encode('{"id":')
const DELEGATE_KIND = encode(',"kind":')

const equal = (b: Uint8Array, at: number, word: Uint8Array): boolean => {
  for (let i = 0; i < word.length; i++) if (b[at + i] !== word[i]) return false
  return true
}

const findKey = (b: Uint8Array, object: number, start: number, length: number): Slot | undefined => {
  let at = slotOf(object, length, b[start]!, b[start + (length >> 1)]!)
  for (;;) {
    const slot = TABLE[at]
    if (slot === undefined) return undefined
    if (slot.object === object && slot.bytes.length === length && equal(b, start, slot.bytes)) return slot
    at = (at + 1) & 1023
  }
}

/** One decimal digit, or NaN. */
const digit = (b: Uint8Array, at: number): number => {
  const c = b[at]! - 48
  return c >= 0 && c <= 9 ? c : Number.NaN
}
const two = (b: Uint8Array, at: number): number => digit(b, at) * 10 + digit(b, at + 1)

const isIpv4 = (b: Uint8Array, start: number, end: number): boolean => {
  let octets = 0
  let value = 0
  let digits = 0
  for (let p = start; p <= end; p++) {
    const c = p === end ? 46 : b[p]!
    if (c === 46) {
      if (digits === 0 || value > 255) return false
      octets++
      value = 0
      digits = 0
    } else {
      if (c < 48 || c > 57 || (digits > 0 && value === 0)) return false
      value = value * 10 + c - 48
      digits++
    }
  }
  return octets === 4
}
