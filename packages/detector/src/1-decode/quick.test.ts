import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearMiss, validInput } from '../../../../test/support/event-arbitrary.ts'
import { decodeFull } from './full.ts'
import { decodeEvent } from './quick.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

test('the quick way gives the very answer of the full one: event, canonical bytes or rejection', () => {
  const seen = { taken: 0, refused: 0 }
  fc.assert(
    fc.property(fc.oneof(validInput, nearMiss), (input) => {
      const full = decodeFull(encode(input))
      assert.deepStrictEqual(decodeEvent(encode(input)), full)
      if (full.ok) assert.deepStrictEqual(decodeEvent(full.canonical), { ok: true, event: full.event, canonical: full.canonical })
      seen[full.ok ? 'taken' : 'refused']++
    }),
    { seed: 9, numRuns: 2000 },
  )
  assert.ok(seen.taken > 500 && seen.refused > 200, JSON.stringify(seen))
})

test('ordinary events get their defaults and their place in time', () => {
  const plain = { id: 'e', time: '2026-02-28T10:00:00.123Z', identity: { id: 'x', kind: 'user' }, action: 'a', resource: { class: 'c' } }
  for (const extra of [{}, { attributes: { b: 1, '10': true, a: 'x' } }, { attributes: { b: 1, a: 'x' } }, { v: 1, durationMs: 0 }])
    assert.deepStrictEqual(decodeEvent(encode({ ...plain, ...extra })), decodeFull(encode({ ...plain, ...extra })))
})
