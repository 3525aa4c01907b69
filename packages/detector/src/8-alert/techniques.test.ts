import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IDENTITY_KINDS, REASON_FAMILIES, Technique } from '@plumbline/schemas'
import { techniquesOf, WITHOUT_OWASP } from './techniques.ts'

const FORMS = { ATLAS: /^AML\.T\d{4}(\.\d{3})?$/, 'ATT&CK': /^T\d{4}(\.\d{3})?$/, OWASP: /^ASI(0[1-9]|10)$/ } as const

test('every family names well-formed techniques, or none on purpose', () => {
  for (const family of REASON_FAMILIES)
    for (const kind of IDENTITY_KINDS) {
      const found = techniquesOf([family], kind)
      assert.equal(found.length > 0, family !== 'combination', family)
      for (const t of found) {
        Technique.parse(t)
        assert.match(t.uid, FORMS[t.framework])
      }
    }
})

test('an agent’s alert of any family has its entry of the OWASP list, or the family says why there is none', () => {
  for (const family of REASON_FAMILIES) {
    const entries = techniquesOf([family], 'agent').filter(({ framework }) => framework === 'OWASP')
    assert.equal(entries.length > 0, WITHOUT_OWASP[family] === undefined, family)
    for (const kind of ['user', 'service']) assert.ok(techniquesOf([family], kind).every(({ framework }) => framework !== 'OWASP'))
  }
})

test('techniques of several families are joined without repeats', () => {
  const found = techniquesOf(['toxic_flow', 'new_destination', 'volume'], 'agent')
  assert.equal(new Set(found.map((t) => t.uid)).size, found.length)
  assert.equal(found[0]?.uid, 'AML.T0051.001')
})
