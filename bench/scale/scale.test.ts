import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SCALE_PAGE, scalePage } from './scale.ts'

test('docs/scale.md says what the stored results say', () => {
  assert.equal(readFileSync(SCALE_PAGE, 'utf8'), scalePage(), 'run npm run bench -- scale')
})
