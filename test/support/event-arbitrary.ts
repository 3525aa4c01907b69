import { IDENTITY_KINDS, OUTCOMES, PROVENANCES } from '@plumbline/schemas'
import fc from 'fast-check'

/** Random valid events and near misses, for the tests of every decoder. */

const FORBIDDEN = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]', 'u')

export const plainText = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.stringMatching(/^[a-zA-Z0-9_.:/@-]{1,20}$/),
      fc.string({ minLength: 1, maxLength: Math.min(maxLength, 24), unit: 'binary' }),
      fc.string({ minLength: 1, maxLength: Math.min(maxLength, 24), unit: 'grapheme' }),
    )
    .filter((s) => s.length > 0 && s.length <= maxLength && s.isWellFormed() && !FORBIDDEN.test(s))

/** As names of somebody must be, said another way than the schema says it. */
const nameText = (maxLength: number): fc.Arbitrary<string> =>
  plainText(maxLength).filter(
    (s) => s.normalize('NFC') === s && !/[\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffc]|(?! )\p{Zs}/u.test(s),
  )
const tenantText = fc.string({ minLength: 1, maxLength: 24, unit: 'grapheme-ascii' })

const count = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
const optional = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
const principal = fc.record({ id: nameText(256), kind: fc.constantFrom(...IDENTITY_KINDS) })
const ms = fc.integer({ min: Date.UTC(2000, 0, 2), max: Date.UTC(2100, 0, 1) })

export const eventTime = fc.oneof(
  ms,
  ms.map((t) => new Date(t).toISOString()),
  ms.map((t) => new Date(t).toISOString().replace('Z', '+02:00')),
)

const attributeKey = plainText(64).filter((k) => !['__proto__', 'constructor', 'prototype'].includes(k))
const attributeValue = fc.oneof(
  plainText(512),
  fc.constant(''),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
  fc.integer(),
)

/** What a sender may write: valid by construction, keys in random order. */
export const validInput: fc.Arbitrary<Record<string, unknown>> = fc
  .record(
    {
      v: fc.constant(1),
      id: plainText(128),
      time: eventTime,
      tenant: tenantText,
      identity: fc.record(
        {
          id: nameText(256),
          kind: fc.constantFrom(...IDENTITY_KINDS),
          instance: plainText(128),
          attested: nameText(128),
          version: optional({
            release: plainText(128),
            model: plainText(128),
            prompt: plainText(128),
            tools: plainText(128),
            code: plainText(128),
          }),
        },
        { requiredKeys: ['id', 'kind'] },
      ),
      delegation: fc.array(principal, { maxLength: 8 }),
      peerGroup: nameText(128),
      session: plainText(128),
      rootSession: plainText(128),
      trace: plainText(128),
      action: plainText(128),
      resource: fc.record(
        { id: plainText(512), class: plainText(128), sensitivity: fc.nat(3), segment: plainText(128) },
        { requiredKeys: ['class'] },
      ),
      segment: plainText(128),
      destination: plainText(256),
      destinationProvenance: fc.constantFrom(...PROVENANCES),
      outcome: fc.constantFrom(...OUTCOMES),
      bytesIn: count,
      bytesOut: count,
      tokensIn: count,
      tokensOut: count,
      durationMs: fc.oneof(count, fc.double({ min: 0, max: 1e9, noNaN: true })),
      source: optional({
        ip: fc.oneof(fc.ipV4(), fc.constantFrom('::1', '2001:db8::7', 'fe80::1')),
        userAgent: plainText(256),
        country: fc.constantFrom('DE', 'US', 'JP'),
        asn: fc.nat(4_294_967_295),
      }),
      content: optional({
        untrusted: fc.boolean(),
        instructionLikeness: fc.double({ min: 0, max: 1, noNaN: true }),
        entropy: fc.double({ min: 0, max: 8, noNaN: true }),
        argumentsFromUser: count,
        argumentsFromTool: count,
        argumentsNew: count,
        destinationHashes: fc.array(fc.stringMatching(/^[0-9a-f]{8,32}$/), { maxLength: 4 }),
      }),
      attributes: fc.dictionary(attributeKey, attributeValue, { maxKeys: 6 }),
    },
    { requiredKeys: ['id', 'time', 'identity', 'action', 'resource'] },
  )
  .chain((event) =>
    fc
      .shuffledSubarray(Object.keys(event), { minLength: Object.keys(event).length })
      .map((keys) => Object.fromEntries(keys.map((k) => [k, (event as Record<string, unknown>)[k]]))),
  )

/** A valid event with one thing about it changed: a field gone, of another type, renamed, nested or overlong. */
export const nearMiss: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(
    validInput,
    fc.nat(),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(1e300, -1, 0.5, '', 'x'.repeat(600), '\u0000', '\ud800', '\u202e')),
    fc.nat(4),
  )
  .map(([event, pick, value, how]) => {
    const keys = Object.keys(event)
    const key = keys[pick % keys.length] as string
    if (how === 0) return Object.fromEntries(Object.entries(event).filter(([k]) => k !== key))
    if (how === 1) return { ...event, [key]: value }
    if (how === 2) return { ...event, [`x${pick % 7}`]: value }
    if (how === 3) return { ...event, identity: { ...(event['identity'] as object), [`k${pick % 3}`]: value } }
    return { ...event, attributes: { ...(event['attributes'] as object), [String(pick % 40)]: value } }
  })
