import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeFull } from '@plumbline/detector/decode'
import { REJECT_CODES } from '@plumbline/schemas'

/** The goldens of version 1 seen by the decoder itself: bytes in, event or code and field out. */
interface Accepted {
  readonly name: string
  readonly input: unknown
  readonly output: unknown
}
interface Refused {
  readonly name: string
  /** One of these: an object, text, text in parts (`[text, times]` repeats), bytes in base64. */
  readonly input?: unknown
  readonly raw?: string
  readonly parts?: readonly (string | readonly [string, number])[]
  readonly base64?: string
  readonly code: string
  readonly field: string
}
const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../../schemas/fixtures/v1/${name}`, import.meta.url), 'utf8')) as T

const bytesOf = (r: Refused): Uint8Array => {
  if (r.base64 !== undefined) return Buffer.from(r.base64, 'base64')
  if (r.parts !== undefined) return Buffer.from(r.parts.map((p) => (typeof p === 'string' ? p : p[0].repeat(p[1]))).join(''))
  return Buffer.from(r.raw ?? JSON.stringify(r.input))
}

test('accepted events come out as they did when version 1 was settled', () => {
  for (const { name, input, output } of read<readonly Accepted[]>('events.accepted.json')) {
    const decoded = decodeFull(Buffer.from(JSON.stringify(input)))
    assert.ok(decoded.ok, name)
    assert.partialDeepStrictEqual(decoded.event, output, name)
    const again = decodeFull(decoded.canonical)
    assert.ok(again.ok && Buffer.from(again.canonical).equals(decoded.canonical), `${name}: canonical form`)
  }
})

test('refused events are refused with the same code at the same field, and each code has a remedy', () => {
  const refused = read<readonly Refused[]>('events.refused.json')
  assert.ok(refused.length >= 40)
  for (const r of refused) {
    const decoded = decodeFull(bytesOf(r))
    assert.ok(!decoded.ok, r.name)
    assert.deepEqual([decoded.rejection.code, decoded.rejection.field], [r.code, r.field], r.name)
    assert.ok(decoded.rejection.code in REJECT_CODES && decoded.rejection.remedy.length > 10, r.name)
  }
})
