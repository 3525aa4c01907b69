import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { notJson, syntaxFault } from './syntax.ts'

test('the place of the first thing that cannot stand there', () => {
  for (const [text, at] of [
    ['{"id": oops}', 7],
    ['{"id": "a",}', 11],
    ['{"id" "a"}', 6],
    ["{'id': 1}", 1],
    ['{"id": 01}', 8],
    ['{"a": 1]', 7],
    ['[1, 2,]', 6],
    ['[1 2]', 3],
    ['{"a": "x\ny"}', 8],
    ['{"a": "\\x"}', 8],
    ['{"a": NaN}', 6],
    ['{"a": 1} {"b": 2}', 9],
    ['\ufeff{}', 0],
    ['{"id": ', 7],
    ['{"id": "a', 9],
    ['', 0],
  ] as const)
    assert.equal(syntaxFault(text), at, text)
})

test('it is found exactly where the engine finds that something is wrong', () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:0123-+.eEtrufalsn\\ \n', '')), { maxLength: 3 }),
      (json, edits) => {
        let text = json
        for (const [where, what] of edits) {
          const at = where % (text.length + 1)
          text = text.slice(0, at) + what + text.slice(at + 1)
        }
        const at = syntaxFault(text)
        assert.equal(at === -1, isJson(text), text)
        if (at >= 0) assert.ok(at <= text.length, text)
      },
    ),
    { seed: 5, numRuns: 3000 },
  )
})

test('the refusal gives the byte and never what was sent', () => {
  assert.equal(notJson('{"näme": oops}').message, 'is no JSON from byte 10 on')
  assert.equal(notJson('{"a": 1,\n "b": oops}').message, 'is no JSON from byte 15 on (line 2)')
  assert.equal(notJson('{"secret": ').message, 'ends before it is complete, after 11 bytes')
  assert.equal(notJson('').message, 'The bytes are not JSON.')
})
