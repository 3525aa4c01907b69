import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFull } from '@plumbline/detector/decode'
import fc from 'fast-check'
import { fillFromEvent } from '../../packages/detector/src/1-decode/fill.ts'
import { DecodedEvent, NUMBER_FIELDS, S, STRING_FIELDS } from '../../packages/detector/src/record.ts'
import { Scanner } from '../../packages/detector/src/1-decode/scan.ts'
import { nearMiss, validInput } from '../support/event-arbitrary.ts'

/** The fast scanner may leave an event to the full decoder; whatever it takes must be the same event, or one could be let through. */

const RUNS = Number(process.env['PLUMBLINE_FUZZ_RUNS'] ?? 150) * 10
const scanner = new Scanner()
const scanned = new DecodedEvent()
const filled = new DecodedEvent()
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** An absent tenant is `default`, which the stage after filling in knows too. */
const textOf = (field: number): string => (field === S.tenant && !scanned.has(field) ? 'default' : scanned.text(field))

/** True when the scanner took the event, and then it took what the full decoder takes. */
const agrees = (bytes: Uint8Array): boolean => {
  // Not at the beginning of its buffer, and with something behind it that must not be read.
  const padded = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"}]')])
  if (!scanner.scan(padded, 2, 2 + bytes.length, scanned)) return false
  const full = decodeFull(bytes)
  const text = Buffer.from(bytes).toString()
  assert.ok(full.ok, full.ok ? '' : `let through: ${full.rejection.code} ${full.rejection.field} in ${text}`)
  fillFromEvent(full.event, filled)
  for (let f = 0; f < STRING_FIELDS; f++) assert.equal(textOf(f), filled.text(f), `string ${f} of ${text}`)
  for (let f = 0; f < NUMBER_FIELDS; f++) assert.ok(Object.is(scanned.number[f], filled.number[f]), `number ${f} of ${text}`)
  for (const f of ['kind', 'outcome', 'provenance', 'untrusted'] as const) assert.equal(scanned[f], filled[f], `${f} of ${text}`)
  return true
}

test('random events and their canonical forms', () => {
  fc.assert(
    fc.property(fc.oneof(validInput, nearMiss), (input) => {
      const bytes = encode(input)
      agrees(bytes)
      const full = decodeFull(bytes)
      if (full.ok) agrees(full.canonical)
    }),
    { seed: 51, numRuns: RUNS },
  )
})

const ORDINARY = [
  {
    id: 'evt-1',
    time: 1_770_000_000_000,
    tenant: 'acme',
    identity: { id: 'bot-17', kind: 'agent', instance: 'i', version: { release: '1.2.3', model: 'm-4' } },
    delegation: [{ id: 'u', kind: 'user' }],
    session: 's-123456',
    action: 'crm.read',
    resource: { id: 'c/1', class: 'crm', sensitivity: 2 },
    destination: 'api.example.com',
    destinationProvenance: 'user',
    outcome: 'success',
    bytesIn: 5231,
    bytesOut: 220,
    durationMs: 132.5,
    source: { ip: '10.1.2.3', userAgent: 'agent/1.0', country: 'DE', asn: 7 },
    content: { untrusted: true, entropy: 4.25, argumentsNew: 1, destinationHashes: ['deadbeef'] },
    attributes: { a: 'x', b: 1, c: true },
  },
  { v: 1, id: 'e', time: '2026-02-28T10:00:00.123Z', identity: { id: 'x', kind: 'user' }, action: 'a', resource: { class: 'c' } },
].map((e) => Buffer.from(encode(e)))

const edit = fc.record({
  at: fc.nat(),
  how: fc.nat(2),
  with: fc.constantFrom(...'{}[]",:0123456789.eE+-tfn\\ \t\n_ZTapx', 'é', '\u0000', '\u202e', '\u007f'),
})

test('ordinary events with up to three bytes changed, put in or taken out', () => {
  let taken = 0
  fc.assert(
    fc.property(fc.constantFrom(...ORDINARY), fc.array(edit, { maxLength: 3 }), (event, edits) => {
      let bytes = event
      for (const e of edits) {
        const at = e.at % bytes.length
        const put = e.how === 2 ? Buffer.alloc(0) : Buffer.from(e.with)
        bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(e.how === 1 ? at : at + 1)])
      }
      if (agrees(bytes)) taken++
    }),
    { seed: 52, numRuns: RUNS * 20 },
  )
  assert.ok(taken > RUNS, `the scanner took only ${taken}`)
})

test('bounds that a scanner is likely to forget', () => {
  const base = JSON.stringify({
    id: 'e',
    time: 1_770_000_000_000,
    identity: { id: 'x', kind: 'user' },
    action: 'a',
    resource: { class: 'c' },
  }).slice(0, -1)
  const attributes = (n: number): string => `"attributes":{${Array.from({ length: n }, (_, i) => `"k${i}":${i}`).join(',')}}`
  const hashes = (n: number): string => `"content":{"destinationHashes":[${Array.from({ length: n }, () => '"deadbeef"').join(',')}]}`
  const people = (n: number): string => `"delegation":[${Array.from({ length: n }, (_, i) => `{"id":"p${i}","kind":"user"}`).join(',')}]`
  const extras = [
    ...[
      '{"a":1,"a":2}',
      '{"constructor":1}',
      '{"__proto__":1}',
      '{"":1}',
      '{"a":null}',
      '{"a":{}}',
      '{"a":1e999}',
      '{"a":9007199254740993}',
      '{"a":-0}',
      '{"a":01}',
      '{"a":1.}',
    ].map((v) => `"attributes":${v}`),
    `"attributes":{"${'k'.repeat(64)}":1}`,
    `"attributes":{"${'k'.repeat(65)}":1}`,
    `"attributes":{"k":"${'v'.repeat(512)}"}`,
    `"attributes":{"k":"${'v'.repeat(513)}"}`,
    ...[0, 32, 33, 300].map(attributes),
    ...[0, 64, 65].map(hashes),
    ...[0, 8, 9].map(people),
    ...['{"id":"p","kind":"user","x":1}', '{"id":"p"}', '{"id":"p","id":"q","kind":"user"}', '{"kind":"user","id":""}'].map(
      (p) => `"delegation":[${p}]`,
    ),
    ...['01', '1.', '.5', '1e5', '-0', '-1', '1.5', '9007199254740991', '9007199254740992', '1e999', '"1"', 'true', '00', '0'].map(
      (n) => `"bytesOut":${n}`,
    ),
    ...[
      '0',
      '0.1',
      '1e-7',
      '123.456',
      '1.7976931348623157e308',
      '0.30000000000000004',
      '12345678901234567',
      '9007199254740990.5',
      '100000000000000000000',
    ].map((n) => `"durationMs":${n}`),
    ...[
      '1.2.3.4',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3',
      '1.2.3.4.5',
      '::1',
      '1.2.3.4 ',
      'fe80::1%eth0',
      '0.0.0.0',
      '255.255.255.255',
      '1..2.3',
      'AWS',
    ].map((ip) => `"source":{"ip":"${ip}"}`),
    ...[
      '"asn":4294967295',
      '"asn":4294967296',
      '"country":"DE"',
      '"country":"de"',
      '"country":"DEU"',
      '"country":""',
      '"userAgent":""',
    ].map((v) => `"source":{${v}}`),
    ...['"untrusted":1', '"untrusted":false', '"entropy":8', '"entropy":8.1', '"instructionLikeness":1.01', '"instructionLikeness":1'].map(
      (v) => `"content":{${v}}`,
    ),
    ...[
      '2026-02-30T00:00:00Z',
      '2024-02-29T00:00:00Z',
      '2023-02-29T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
      '2026-01-01T00:00:60Z',
      '2026-01-01T00:00:00',
      '2026-01-01T00:00:00.1Z',
      '2026-01-01T00:00:00.1234567Z',
      '2026-01-01t00:00:00z',
      '2026-01-01T00:00:00+02:00',
      '2026-01-01T00:00:00-23:59',
      '2026-01-01T00:00:00+24:00',
      '1999-12-31T23:59:59Z',
      '2100-01-01T00:00:00.001Z',
      '2026-13-01T00:00:00Z',
      '2026-00-01T00:00:00Z',
      '2026-01-00T00:00:00Z',
    ].map((t) => `"time":"${t}"`),
    ...['1', '2', '"1"', '1.0', '1e0'].map((v) => `"v":${v}`),
    '"x":1',
    '"x":"y"',
    '"session":""',
    '"session":null',
    '"outcome":"Success"',
    '"outcome":""',
    '"destinationProvenance":"users"',
    '"peerGroup":"\u0041"',
    '"peerGroup":"a\u0000"',
    '"peerGroup":"\u007f"',
  ]
  for (const extra of extras) {
    const key = /^"(\w+)"/.exec(extra)?.[1] ?? ''
    const without = key === 'time' ? base.replace(/"time":\d+,/, '') : base
    agrees(Buffer.from(`${without},${extra}}`))
    agrees(Buffer.from(`{${extra},${without.slice(1)}}`))
  }
  for (const text of ['', '{}', '{', base, `${base}}}`, `${base}} `, ` ${base}}`, `[${base}}]`, `${base},}`, 'null'])
    agrees(Buffer.from(text))
  for (const chars of [1, 128, 129]) agrees(Buffer.from(base.replace('"action":"a"', `"action":"${'a'.repeat(chars)}"`) + '}'))
  agrees(Buffer.from(base.replace('"class":"c"', '"class":"c","sensitivity":4') + '}'))
  agrees(Buffer.from(`${base},"attributes":{${Array.from({ length: 32 }, (_, i) => `"k${i}":"${'v'.repeat(512)}"`).join(',')}},"x":1}`))
})
