import { EVENT_LIMITS, IDENTITY_KINDS, OUTCOMES, PROVENANCES } from '@plumbline/schemas'
import { N, S } from '../record.ts'

/**
 * Where things lie in the memory of assembly/scanner.ts, and the tables it reads keys by. assembly/layout.ts repeats the addresses.
 */
export const EVENT = 1024
export const INPUT = 16_384
const REQUIRED = 1536
const ENUMERATIONS = 1600
const TABLE = 2048
const KEYS = 3072
const KEY_BYTES = 64
const ENUMERATION_BYTES = 64
const WORD_BYTES = 16

const OBJECT = { root: 0, identity: 1, version: 2, resource: 3, source: 4, content: 5 } as const
/** Kinds of values; assembly/scanner.ts knows them by number. */
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

/** A key of an object; its place in the list is its bit in the object's seen-set. */
interface Key {
  readonly bytes: Uint8Array
  readonly type: number
  /** Field index, object id or enumeration id. */
  readonly target: number
  readonly limit: number
}

const L = EVENT_LIMITS
const key = (name: string, type: number, target = 0, limit = 0): Key => ({
  bytes: new TextEncoder().encode(name),
  type,
  target,
  limit,
})
const ENUMS: readonly (readonly Uint8Array[])[] = [IDENTITY_KINDS, OUTCOMES, PROVENANCES].map((values) =>
  values.map((v) => new TextEncoder().encode(v)),
)
const SAFE = Number.MAX_SAFE_INTEGER

const SHAPES: readonly (readonly Key[])[] = [
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

const bitOf = (object: number, ...names: string[]): number =>
  names.reduce((bits, name) => bits | (1 << SHAPES[object]!.findIndex((k) => new TextDecoder().decode(k.bytes) === name)), 0)
const REQUIRED_KEYS = [
  bitOf(OBJECT.root, 'id', 'time', 'identity', 'action', 'resource'),
  bitOf(OBJECT.identity, 'id', 'kind'),
  0,
  bitOf(OBJECT.resource, 'class'),
  0,
  0,
]

/** A small hash of (object, length, two characters) leads to the only keys that can match. */
const placeOf = (object: number, bytes: Uint8Array): number =>
  (object * 67 + bytes.length * 13 + bytes[0]! * 7 + bytes[bytes.length >> 1]! * 3) & 1023

/** Writes all tables into a fresh kernel's memory. */
export const writeTables = (memory: Uint8Array): void => {
  const view = new DataView(memory.buffer)
  REQUIRED_KEYS.forEach((bits, object) => view.setUint32(REQUIRED + object * 4, bits, true))
  ENUMS.forEach((words, which) =>
    words.forEach((word, i) => {
      const at = ENUMERATIONS + which * ENUMERATION_BYTES + i * WORD_BYTES
      memory[at] = word.length
      memory.set(word, at + 1)
    }),
  )
  let number = 0
  SHAPES.forEach((keys, object) =>
    keys.forEach((k, bit) => {
      let place = placeOf(object, k.bytes)
      while (memory[TABLE + place] !== 0) place = (place + 1) & 1023
      memory[TABLE + place] = ++number
      const at = KEYS + number * KEY_BYTES
      memory.set([object, k.bytes.length, k.type, k.target], at)
      view.setUint32(at + 4, 1 << bit, true)
      view.setFloat64(at + 8, k.limit, true)
      memory.set(k.bytes, at + 16)
    }),
  )
}
