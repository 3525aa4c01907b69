import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSource } from './check-detector.mjs'

const faults = (text) => checkSource('x.ts', text).length

test('what depends on engine, clock or chance is refused', () => {
  const refused = [
    'Math.exp(1)',
    'Math.random()',
    'const { exp } = Math',
    'Math["pow"](2, 3)',
    '2 ** 3',
    'let x = 2; x **= 3',
    'Date.now()',
    'new Date()',
    'Date()',
    'performance.now()',
    'setTimeout(f, 1)',
    '"a".localeCompare("b")',
    'globalThis.Math',
  ]
  for (const text of refused) assert.equal(faults(text) > 0, true, text)
})

test('exact arithmetic, dates from numbers, comments and strings pass', () => {
  const allowed = [
    'Math.sqrt(2) * Math.fround(3) + Math.imul(2, 3)',
    'const { fround, abs: a } = Math',
    'new Date(0).getUTCDay()',
    'Date.UTC(2000, 0, 1)',
    '// Math.exp(1)',
    '"Math.random()"',
    'const o = { process: 1 }; o.process',
    'interface P { process(shard: number): void }',
  ]
  for (const text of allowed) assert.equal(faults(text), 0, text)
})
