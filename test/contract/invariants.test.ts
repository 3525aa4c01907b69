import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { INVARIANTS } from '@plumbline/detector'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Sources of this workspace as [path, text]. */
const sources = ['packages', 'schemas', 'services', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => [join(folder, name), readFileSync(join(ROOT, folder, name), 'utf8')] as const),
)

test('every invariant that is named anywhere is declared, each in one sentence', () => {
  const named = new Set(sources.flatMap(([, text]) => text.match(/INV-\d+/g) ?? []))
  assert.deepEqual([...named].sort(), Object.keys(INVARIANTS))
  for (const sentence of Object.values(INVARIANTS)) assert.match(sentence, /^[A-Z][^.]+\.$/)
})

test('every invariant is held by a test that names it', () => {
  const names = sources
    .filter(([path]) => path.endsWith('.test.ts'))
    .flatMap(([, text]) => [...text.matchAll(/^\s*test\((?:holds\()?(['`"].*)$/gm)].map((m) => m[1] ?? ''))
  for (const id of Object.keys(INVARIANTS))
    assert.ok(
      names.some((name) => name.includes(id)),
      id,
    )
})
