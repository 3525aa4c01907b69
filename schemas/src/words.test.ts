import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { Event } from './event.ts'
import { inWords, nearestName } from './words.ts'

const said = (schema: z.ZodType, value: unknown): string | undefined =>
  schema.safeParse(value, { error: inWords }).error?.issues[0]?.message

const event = { id: 'a', time: 1_790_000_000_000, identity: { id: 'x', kind: 'agent' }, action: 'a', resource: { class: 'c' } }

test('what a value should have been, with the whole range, whichever end was missed', () => {
  const port = z.number().int().min(0).max(65_535)
  for (const value of [-1, 70_000, 1.5, 'x', Number.NaN, null]) assert.equal(said(port, value), 'must be a whole number from 0 to 65,535')
  assert.equal(said(z.number().min(0), -1), 'must be a number of at least 0')
  assert.equal(said(z.number().max(-1000), 1), 'must be a number of at most -1,000')
  assert.equal(said(z.number(), 'x'), 'must be a number')
  assert.equal(said(z.string().min(16).max(512), 'x'), 'must be text of 16 to 512 characters')
  assert.equal(said(z.string(), 1), 'must be text')
  assert.equal(said(z.boolean(), 'x'), 'must be true or false')
  assert.equal(said(z.enum(['a', 'b']), 'x'), 'must be one of a, b')
  assert.equal(said(z.literal(1), 2), 'must be 1')
  assert.equal(said(z.array(z.string()).max(1), ['a', 'b']), 'must be a list of at most 1 entry')
  assert.equal(said(z.array(z.string()), 'x'), 'must be a list')
  assert.equal(said(z.strictObject({}), 'x'), 'must be an object')
  assert.equal(said(z.strictObject({}), { a: 1, b: 2 }), 'has names that nobody knows: a, b')
  assert.equal(said(z.strictObject({ a: z.string() }), {}), 'is missing; it must be text')
  assert.equal(said(z.union([z.string(), z.number()]), true), 'must be text or a number')
  assert.equal(said(z.url(), 'x'), 'must be an address like https://host/path')
  assert.equal(said(z.string().regex(/^a+$/), 'x'), 'must match /^a+$/')
  assert.equal(said(z.string().regex(/^a+$/, 'must be of a'), 'x'), 'must be of a')
})

test('no field of an event is spoken of in the words of a validator', () => {
  const wrong = [
    ...Object.keys(event).flatMap((key) => [{ [key]: null }, { [key]: 5.5 }, { [key]: [] }]),
    ...['bytesIn', 'durationMs', 'content', 'source', 'delegation', 'outcome', 'v'].map((key) => ({ [key]: 'x' })),
    { source: { asn: -1 } },
    { content: { entropy: 9, destinationHashes: ['X'] } },
    { attributes: { a: null } },
  ]
  for (const more of wrong) {
    const { error } = Event.safeParse({ ...event, ...more }, { error: inWords })
    assert.ok(error !== undefined, JSON.stringify(more))
    const messages = JSON.stringify(error.issues)
    assert.doesNotMatch(messages, /"message":"(Invalid|Too|Unrec)|expected \w+, received|>=|<=/, JSON.stringify(more))
  }
})

test('the nearest name is one that may have been meant', () => {
  assert.equal(nearestName('bytesout', ['bytesIn', 'bytesOut']), 'bytesOut')
  assert.equal(nearestName('wrongField', ['bytesIn', 'action']), undefined)
})
