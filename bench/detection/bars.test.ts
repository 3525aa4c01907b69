import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numberIn } from './bars.ts'

test('the figure of a cell is the number that it begins with', () => {
  assert.equal(numberIn(0.5), 0.5)
  assert.equal(numberIn('83 % (50–100)'), 0.83)
  assert.equal(numberIn('0.989 (0.97–1.00)'), 0.989)
  assert.equal(numberIn('1 of 72'), 1 / 72)
  assert.equal(numberIn('87.8'), 87.8)
  for (const none of ['–', '', null, undefined]) assert.equal(numberIn(none), null)
})
