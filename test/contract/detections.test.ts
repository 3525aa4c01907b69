import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { techniquesOf, WITHOUT_OWASP } from '@plumbline/detector'
import { type AlertText, CAUSE_KINDS, FEATURES, INCIDENT_KINDS, REASON_FAMILIES } from '@plumbline/schemas'
import { TECHNIQUES } from '../../services/correlator/src/core/words.ts'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const SECTIONS = ['Intent', 'How it works', 'What the alert says', 'False positives', 'Triage', 'Techniques', 'Tests', 'Known gaps']
const TECHNIQUE = /(AML\.T[\d.]+\d|\bT\d{4}(?:\.\d{3})?|\bASI\d{2}\b)/g
const goldens = JSON.parse(readFileSync(at('packages/detector/src/8-alert/words.golden.json'), 'utf8')) as {
  readonly name: string
  readonly text: AlertText
}[]

const sections = (page: string): ReadonlyMap<string, string> =>
  new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map((s) => [s.slice(0, s.indexOf('\n')), s.slice(s.indexOf('\n') + 1).trim()]),
  )

test('every reason family has its page, and every page a family', () => {
  const pages = readdirSync(at('docs/detections')).filter((f) => f !== 'README.md' && f !== 'incidents.md')
  assert.deepEqual(pages.toSorted(), REASON_FAMILIES.map((f) => `${f}.md`).toSorted())
  const index = readFileSync(at('docs/detections/README.md'), 'utf8')
  for (const family of REASON_FAMILIES) assert.ok(index.includes(`(${family}.md)`), family)
})

test('the page of incidents has every section, each kind and cause, and the techniques that incidents name', () => {
  const found = sections(readFileSync(at('docs/detections/incidents.md'), 'utf8'))
  assert.deepEqual(
    [...found.keys()],
    SECTIONS.map((name) => (name === 'What the alert says' ? 'What the incident says' : name)),
  )
  const kinds = [...(found.get('Intent') ?? '').matchAll(/^- `([a-z_]+)`/gm)].map((m) => m[1])
  assert.deepEqual(kinds, [...INCIDENT_KINDS])
  for (const cause of CAUSE_KINDS) assert.ok(found.get('How it works')?.includes(`\`${cause}\``), cause)
  const techniques = [...(found.get('Techniques') ?? '').matchAll(TECHNIQUE)].map((m) => m[1])
  assert.deepEqual(
    techniques,
    Object.values(TECHNIQUES).flatMap((list) => list.map(({ uid }) => uid)),
  )
  for (const [path] of (found.get('Tests') ?? '').matchAll(/(?:packages|test|services|bench)\/[\w./-]+/g))
    assert.ok(existsSync(at(path)), path)
})

for (const family of REASON_FAMILIES)
  test(`${family}: the page has every section and says what the code says`, () => {
    const found = sections(readFileSync(at(`docs/detections/${family}.md`), 'utf8'))
    assert.deepEqual([...found.keys()], SECTIONS)
    for (const [name, text] of found) assert.ok(text.length > 15, name)
    const named = [...(found.get('How it works') ?? '').matchAll(/^- `([a-z_]+)`/gm)].map((m) => m[1])
    assert.deepEqual(
      named,
      FEATURES.filter((f) => f.family === family).map((f) => f.name),
      'features',
    )
    const told = found.get('Techniques') ?? ''
    const techniques = [...told.matchAll(TECHNIQUE)].map((m) => m[1])
    const without = WITHOUT_OWASP[family]
    assert.ok(without === undefined || told.includes(without), 'why there is no entry of OWASP')
    const expected = new Set([...techniquesOf([family], 'agent'), ...techniquesOf([family], 'user')].map((t) => t.uid))
    assert.deepEqual(techniques.toSorted(), [...expected].toSorted(), 'techniques')
    const quoted = found.get('What the alert says') ?? ''
    assert.ok(
      goldens.some((g) => quoted.includes(g.text.headline) && quoted.includes(g.text.normal)),
      'the quoted alert is a golden',
    )
    for (const [path] of (found.get('Tests') ?? '').matchAll(/(?:packages|test|services|bench)\/[\w./-]+/g))
      assert.ok(existsSync(at(path)), path)
  })
