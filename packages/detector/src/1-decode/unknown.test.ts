import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Event, EVENT_FIELDS, EVENT_LIMITS } from '@plumbline/schemas'
import fc from 'fast-check'
import { validInput } from '../../../../test/support/event-arbitrary.ts'
import { decodeFull } from './full.ts'
import { decodeEvent } from './quick.ts'
import { Scanner } from './scan.ts'

/** Events of a later version 1 (C15): what this build does not know of never costs the event, and nothing bounded grows. */

const base = { id: 'e1', time: 1_767_225_600_000, identity: { id: 'bot', kind: 'agent' }, action: 'read', resource: { class: 'crm' } }
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const taken = (value: unknown): { readonly event: Event; readonly leftOut?: number } => {
  const out = decodeFull(encode(value))
  if (!out.ok) throw new Error(`${out.rejection.code} ${out.rejection.field}`)
  return out
}
const attributesOf = (value: unknown): Event['attributes'] => taken(value).event.attributes
const codeOf = (text: string): string => {
  const out = decodeFull(new TextEncoder().encode(text))
  return out.ok ? 'taken' : out.rejection.code
}

test('each object of an event may bring an unknown field, which is kept under its path', () => {
  const full: Record<string, unknown> = {
    ...base,
    identity: { ...base.identity, version: { release: 'r' } },
    delegation: [{ id: 'u', kind: 'user' }],
    source: { asn: 1 },
    content: { entropy: 1 },
  }
  const scanner = new Scanner()
  for (const place of EVENT_FIELDS.keys()) {
    const event = structuredClone(full)
    const steps = place === '' ? [] : place === 'delegation' ? ['delegation', '0'] : place.split('.')
    const object = steps.reduce((o, step) => o[step] as Record<string, unknown>, event)
    object['later'] = 'x'
    const bytes = encode(event)
    assert.equal(scanner.scan(bytes, 0, bytes.length, scanner.event), false, `the scanner leaves ${place} alone`)
    const out = decodeEvent(bytes)
    assert.ok(out.ok, place)
    assert.deepEqual(out.event.attributes, { [[...steps, 'later'].join('.')]: 'x' })
    assert.deepEqual({ ...out.event, attributes: undefined }, { ...taken(full).event, attributes: undefined })
  }
})

test('what is no scalar becomes JSON text', () => {
  assert.deepEqual(attributesOf({ ...base, list: [1, { a: 'b' }], object: { deep: { er: true } }, nothing: null, yes: false, zero: 0 }), {
    list: '[1,{"a":"b"}]',
    object: '{"deep":{"er":true}}',
    nothing: 'null',
    yes: false,
    zero: 0,
  })
})

test('what keeps no bound of attributes is left out and counted; what the sender put there stays', () => {
  const many = Object.fromEntries(Array.from({ length: EVENT_LIMITS.attributeCount }, (_, i) => [`k${i}`, i]))
  assert.deepEqual(attributesOf({ ...base, attributes: many, one: 1, two: [2] }), { ...many, 'plumbline.leftOut': 2 })
  const crowd = taken({ ...base, ...many, more: 1 })
  assert.equal(crowd.leftOut, 1)
  assert.equal(Object.keys(crowd.event.attributes ?? {}).length, EVENT_LIMITS.attributeCount + 1)
  const misfits = [
    { long: 'x'.repeat(513) },
    { big: Array.from({ length: 200 }, () => 100) },
    { ['k'.repeat(65)]: 1 },
    { '': 1 },
    { 'new\u0000key': 1 },
    { text: 'a\nb' },
    { text: '\ud800' },
    { list: ['\u202e'] },
  ]
  for (const misfit of misfits) assert.deepEqual(attributesOf({ ...base, ...misfit }), { 'plumbline.leftOut': 1 }, Object.keys(misfit)[0])
  assert.deepEqual(attributesOf({ ...base, extra: 1, attributes: { extra: 2 } }), { extra: 2, 'plumbline.leftOut': 1 })
  assert.deepEqual(attributesOf({ ...base, identity: { ...base.identity, a: 2 }, 'identity.a': 1 }), {
    'identity.a': 2,
    'plumbline.leftOut': 1,
  })
})

test('the guarantees over the whole text hold inside unknown fields too', () => {
  const withField = (raw: string): string => JSON.stringify(base).replace('"kind":"agent"', `"kind":"agent","later":${raw}`)
  assert.equal(codeOf(withField('{"a":[1]}')), 'taken')
  assert.equal(codeOf(withField('[1,[2,[3,[4,[5,[6,[7]]]]]]]')), 'JSON_TOO_DEEP')
  assert.equal(codeOf(withField(`{${Array.from({ length: 260 }, (_, i) => `"k${i}":1`).join(',')}}`)), 'JSON_TOO_WIDE')
  assert.equal(codeOf(withField('{"__proto__":1}')), 'JSON_FORBIDDEN_KEY')
  assert.equal(codeOf(withField('{"\\u0063onstructor":1}')), 'JSON_FORBIDDEN_KEY')
  assert.equal(codeOf(withField('{"a":1,"a":2}')), 'JSON_DUPLICATE_KEY')
  assert.equal(codeOf(withField('[1e999]')), 'NUMBER_NOT_FINITE')
  assert.equal(codeOf(withField('[9007199254740993]')), 'NUMBER_NOT_FINITE')
  assert.equal(codeOf(withField(JSON.stringify('x'.repeat(EVENT_LIMITS.eventBytes)))), 'EVENT_TOO_LARGE')
})

test('a valid event stays valid whatever unknown fields come with it, and its canonical form is a fixed point', () => {
  const later = fc.jsonValue({ maxDepth: 2 })
  let leftOut = 0
  fc.assert(
    fc.property(validInput, later, later, fc.integer({ min: 1, max: 40 }), (input, a, b, times) => {
      const extra = Object.fromEntries(Array.from({ length: times }, (_, i) => [`later${i}`, a]))
      const bytes = encode({ ...input, ...extra, identity: { ...(input['identity'] as object), later: b } })
      const out = decodeFull(bytes)
      // What is judged over the whole text: a nested value many times over is too wide, some numbers are not exact.
      if (!out.ok) return assert.match(out.rejection.code, /^(JSON_TOO_WIDE|JSON_FORBIDDEN_KEY|NUMBER_NOT_FINITE)$/)
      leftOut += out.leftOut ?? 0
      const again = decodeFull(out.canonical)
      assert.ok(again.ok && again.leftOut === undefined)
      assert.deepEqual(again.canonical, out.canonical)
      assert.deepStrictEqual(decodeEvent(bytes), out)
    }),
    { seed: 11, numRuns: 500 },
  )
  assert.ok(leftOut > 100, `${leftOut} left out`)
})
