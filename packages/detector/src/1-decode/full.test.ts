import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENT_LIMITS, type RejectCode } from '@plumbline/schemas'
import fc from 'fast-check'
import { nearMiss, validInput } from '../../../../test/support/event-arbitrary.ts'
import { canonicalEvent, decodeFull } from './full.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (b: Uint8Array): string => new TextDecoder().decode(b)
const base = { id: 'e1', time: 1_767_225_600_000, identity: { id: 'bot', kind: 'agent' }, action: 'read', resource: { class: 'crm' } }
const encode = (value: unknown): Uint8Array => bytes(JSON.stringify(value))

const refused = (input: Uint8Array | string, code: RejectCode, field?: string): string => {
  const out = decodeFull(typeof input === 'string' ? bytes(input) : input)
  assert.equal(out.ok, false)
  if (out.ok) throw new Error('unreachable')
  assert.equal(out.rejection.code, code)
  if (field !== undefined) assert.equal(out.rejection.field, field)
  assert.notEqual(out.rejection.remedy, '')
  return out.rejection.message
}

test('the canonical form has a fixed order, defaults filled in and no v', () => {
  const out = decodeFull(
    encode({
      attributes: { b: 1, '10': true, a: 'x' },
      ...base,
      time: '2026-01-01T00:00:00Z',
      v: 1,
      source: { asn: 7, ip: '10.0.0.1' },
      future: 'field',
    }),
  )
  assert.ok(out.ok)
  assert.equal(
    text(out.canonical),
    '{"id":"e1","time":1767225600000,"tenant":"default","identity":{"id":"bot","kind":"agent"},"action":"read","resource":{"class":"crm"},' +
      '"outcome":"success","source":{"ip":"10.0.0.1","asn":7},"attributes":{"10":true,"a":"x","b":1,"future":"field"}}',
  )
  assert.deepEqual(out.moved, ['future'])
})

test('every valid event decodes, and its canonical form is a fixed point', () => {
  fc.assert(
    fc.property(validInput, (input) => {
      const first = decodeFull(encode(input))
      assert.ok(first.ok, first.ok ? '' : JSON.stringify(first.rejection))
      const again = decodeFull(first.canonical)
      assert.ok(again.ok)
      assert.deepEqual(again.canonical, first.canonical)
      assert.deepStrictEqual(again.event, first.event)
      assert.deepEqual(canonicalEvent(again.event), first.canonical)
    }),
    { seed: 3, numRuns: 1500 },
  )
})

test('near misses either stay a fixed point or are refused with a code, a field and no value', () => {
  let kept = 0
  let refusals = 0
  fc.assert(
    fc.property(nearMiss, (input) => {
      const out = decodeFull(encode(input))
      if (out.ok) {
        kept++
        const again = decodeFull(out.canonical)
        assert.ok(again.ok)
        assert.deepEqual(again.canonical, out.canonical)
      } else {
        refusals++
        assert.ok(out.rejection.field.length <= 400)
      }
    }),
    { seed: 4, numRuns: 1500 },
  )
  assert.ok(kept > 50 && refusals > 200, `${kept} kept, ${refusals} refused`)
})

test('any bytes give an answer, and bytes close to JSON too', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(validInput, fc.nat(), fc.nat(255)).map(([event, where, what]) => {
      const b = encode(event)
      b[where % b.length] = what
      return b
    }),
  )
  fc.assert(
    fc.property(noise, (input) => {
      const out = decodeFull(input)
      if (out.ok) assert.ok(decodeFull(out.canonical).ok)
    }),
    { seed: 5, numRuns: 1500 },
  )
})

test('B1 and B2: nesting, width and size are refused before parsing', () => {
  refused('['.repeat(60_000), 'JSON_TOO_DEEP')
  refused(`{"a":${'{"a":'.repeat(20)}1${'}'.repeat(21)}`, 'JSON_TOO_DEEP')
  refused(`{${Array.from({ length: 300 }, (_, i) => `"k${i}":1`).join(',')}}`, 'JSON_TOO_WIDE')
  refused(`"${'x'.repeat(70_000)}"`, 'EVENT_TOO_LARGE')
  refused(
    encode({ ...base, attributes: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 1])) }),
    'FIELD_INVALID',
    'attributes',
  )
  refused(encode({ ...base, action: 'x'.repeat(129) }), 'FIELD_INVALID', 'action')
})

test('brackets and colons inside strings do not count', () => {
  assert.ok(decodeFull(encode({ ...base, action: '[[[[[[[[[[::::"\\' })).ok)
})

test('B4: prototype keys are refused wherever they stand, however they are spelled', () => {
  const tail = JSON.stringify(base).slice(1)
  refused(`{"__proto__":{"admin":true},${tail}`, 'JSON_FORBIDDEN_KEY', '__proto__')
  refused(`{"\\u005f_proto__":1,${tail}`, 'JSON_FORBIDDEN_KEY', '__proto__')
  refused(encode({ ...base, attributes: { constructor: 'x' } }), 'JSON_FORBIDDEN_KEY', 'attributes.constructor')
  refused(encode({ ...base, prototype: 1 }), 'JSON_FORBIDDEN_KEY', 'prototype')
  assert.equal(({} as { admin?: boolean }).admin, undefined)
})

test('B5: invalid UTF-8, lone surrogates, NUL and bidirectional controls are refused', () => {
  const bad = encode({ ...base, action: 'A' })
  bad[bad.indexOf(0x41)] = 0xff
  refused(bad, 'UTF8_INVALID')
  for (const s of ['\ud800', '\u0000', '\u202e', 'a\nb', '\u2028']) refused(encode({ ...base, action: `x${s}` }), 'FIELD_INVALID', 'action')
  refused(encode({ ...base, attributes: { 'a\ud800': 1 } }), 'FIELD_INVALID')
  refused('\ufeff{}', 'JSON_SYNTAX')
})

test('B6: numbers that are not finite or not exact are refused by field', () => {
  const withBytes = (n: string): string => JSON.stringify({ ...base, bytesOut: 7 }).replace('"bytesOut":7', `"bytesOut":${n}`)
  for (const n of ['1e999', '-1e999', '9007199254740993', '1e300']) refused(withBytes(n), 'NUMBER_NOT_FINITE', 'bytesOut')
  refused(withBytes('NaN'), 'JSON_SYNTAX')
  refused(withBytes('-1'), 'FIELD_INVALID', 'bytesOut')
  assert.ok(decodeFull(bytes(withBytes('-0'))).ok)
})

test('B7: times that cannot be meant are refused with the likely reason', () => {
  assert.match(refused(encode({ ...base, time: 1_767_225_600 }), 'TIME_INVALID', 'time'), /seconds/)
  assert.match(refused(encode({ ...base, time: 1_767_225_600_000_000 }), 'TIME_INVALID', 'time'), /microseconds/)
  for (const time of ['2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00', 'yesterday', 1.5, null, {}]) {
    refused(encode({ ...base, time }), 'TIME_INVALID', 'time')
  }
})

test('missing, wrong and doubled fields are named', () => {
  for (const key of Object.keys(base))
    refused(encode(Object.fromEntries(Object.entries(base).filter(([k]) => k !== key))), 'FIELD_MISSING', key)
  refused(encode({ ...base, identity: { kind: 'agent' } }), 'FIELD_MISSING', 'identity.id')
  refused(encode({ ...base, identity: ['bot'] }), 'FIELD_INVALID', 'identity')
  refused(encode({ ...base, attributes: { deep: { a: 1 } } }), 'FIELD_INVALID', 'attributes.deep')
  refused(encode({ ...base, extra: 1, attributes: [] }), 'FIELD_INVALID', 'attributes')
  refused(encode({ ...base, v: 2 }), 'VERSION_UNSUPPORTED', 'v')
  refused(encode({ ...base, source: { ip: 'AWS Internal' } }), 'FIELD_INVALID', 'source.ip')
  refused(JSON.stringify(base).replace('{', '{"id":"other",'), 'JSON_DUPLICATE_KEY')
  for (const s of ['null', '[]', '1', '"x"']) refused(s, 'JSON_NOT_OBJECT')
  for (const s of ['', '{', '{"a"}', 'undefined']) refused(s, 'JSON_SYNTAX')
})

test('a refusal never repeats the value, and a hostile key cannot forge a line', () => {
  const secret = 'hunter2-hunter2'
  for (const bad of [
    { ...base, id: 1, action: secret, time: secret },
    { ...base, identity: { id: 'a', kind: secret } },
    { ...base, outcome: secret },
  ]) {
    const out = decodeFull(encode(bad))
    assert.ok(!out.ok && !JSON.stringify(out.rejection).includes(secret))
  }
  const out = decodeFull(encode({ ...base, attributes: { [`a\nb\u202e${'k'.repeat(500)}`]: 1 } }))
  assert.ok(!out.ok && /^attributes\.[\w?…]{1,80}$/.test(out.rejection.field))
})

test('an event that fits but whose defaults push it over the size limit is refused, not cut', () => {
  const wide = (n: number): string => '界'.repeat(n)
  const attributes: Record<string, string> = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`${wide(62)}${i + 10}`, wide(512)]))
  const names = Object.fromEntries(['session', 'rootSession', 'trace', 'peerGroup', 'segment'].map((k) => [k, wide(128)]))
  const full = {
    ...base,
    ...names,
    delegation: Array.from({ length: 8 }, () => ({ id: wide(256), kind: 'user' })),
    resource: { class: 'crm', id: wide(512) },
    source: { userAgent: wide(256) },
    content: { destinationHashes: Array.from({ length: 22 }, () => 'a'.repeat(32)) },
    attributes,
  }
  const sized = (bytes: number): Uint8Array => {
    attributes['fill'] = ''
    const room = bytes - encode(full).length
    assert.ok(room >= 0 && room <= 512, `${room}`)
    attributes['fill'] = 'x'.repeat(room)
    return encode(full)
  }
  const defaults = ',"tenant":"default","outcome":"success"'.length
  assert.ok(decodeFull(sized(EVENT_LIMITS.eventBytes - defaults)).ok)
  refused(sized(EVENT_LIMITS.eventBytes - defaults + 1), 'EVENT_TOO_LARGE')
  refused(sized(EVENT_LIMITS.eventBytes), 'EVENT_TOO_LARGE')
})
