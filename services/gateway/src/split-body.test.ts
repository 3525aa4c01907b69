import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitBody } from './split-body.ts'

const split = (body: string, lines = false, limit = 1000): string[] =>
  splitBody(Buffer.from(body), lines, limit).map((b) => Buffer.from(b).toString())

test('forms of a body', () => {
  assert.deepEqual(split(''), [])
  assert.deepEqual(split(' \n\t '), [])
  assert.deepEqual(split('{"a":1}'), ['{"a":1}'])
  assert.deepEqual(split('{\n  "a": "}{",\n  "b": [1]\n}'), ['{\n  "a": "}{",\n  "b": [1]\n}'])
  assert.deepEqual(split('{"a":1}\n{"b":2}{"c":3}'), ['{"a":1}', '{"b":2}', '{"c":3}'])
  assert.deepEqual(split('{"a":1}\r\n\r\nnonsense here\n{"b":2}'), ['{"a":1}', 'nonsense here', '{"b":2}'])
  assert.deepEqual(split('[]'), [])
  assert.deepEqual(split('[ {"a":[1,2]} , "x,y]" ,3 ]'), ['{"a":[1,2]}', '"x,y]"', '3'])
  assert.deepEqual(split('{"a":1}\nbroken {\n{"b":2}', true), ['{"a":1}', 'broken {', '{"b":2}'])
})

test('what is missing, left over or broken off is a part that cannot decode', () => {
  assert.deepEqual(split('[1,,2]'), ['1', '', '2'])
  assert.deepEqual(split('[1,]'), ['1', ''])
  assert.deepEqual(split('[1] tail'), ['1', 'tail'])
  assert.deepEqual(split('[{"a":1},{"b"'), ['{"a":1}', '{"b"', ''])
  assert.deepEqual(split('[{"a":1}'), ['{"a":1}', ''])
  assert.deepEqual(split('['), [''])
})

test('stops soon after the limit', () => {
  const many = '1,'.repeat(100_000)
  assert.equal(split(`[${many}1]`, false, 10).length, 11)
  assert.equal(split(many.replaceAll(',', '\n'), true, 10).length, 11)
  assert.equal(split('{}'.repeat(1000), false, 10).length, 11)
})

test('well-formed values come out as they went in, as a list, in sequence and as lines', () => {
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true }), { minLength: 1, maxLength: 8 }),
      (values) => {
        const texts = values.map((v) => JSON.stringify(v))
        assert.deepEqual(split(`[${texts.join(' , ')}]`), texts)
        assert.deepEqual(split(texts.join('')), texts)
        assert.deepEqual(split(texts.join('\n'), true), texts)
        assert.deepEqual(
          split(values.map((v) => JSON.stringify(v, null, 2)).join('\n')).map((t) => JSON.parse(t) as unknown),
          texts.map((t) => JSON.parse(t) as unknown),
        )
      },
    ),
    { seed: 41, numRuns: 400 },
  )
})
