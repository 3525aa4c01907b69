import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IDENTITY_KINDS, REASON_FAMILIES, Technique } from '@plumbline/schemas'
import { techniquesOf } from './techniques.ts'

test('every family names well-formed techniques, or none on purpose', () => {
  for (const family of REASON_FAMILIES)
    for (const kind of IDENTITY_KINDS) {
      const found = techniquesOf([family], kind)
      assert.equal(found.length > 0, family !== 'combination', family)
      for (const t of found) {
        Technique.parse(t)
        assert.match(t.uid, t.framework === 'ATLAS' ? /^AML\.T\d{4}(\.\d{3})?$/ : /^T\d{4}(\.\d{3})?$/)
      }
    }
})

test('techniques of several families are joined without repeats', () => {
  const found = techniquesOf(['toxic_flow', 'new_destination', 'volume'], 'agent')
  assert.equal(new Set(found.map((t) => t.uid)).size, found.length)
  assert.equal(found[0]?.uid, 'AML.T0051.001')
})
