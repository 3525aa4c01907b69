import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCS = join(ROOT, 'docs')

test('the pages made from declarations are in step with them', () => {
  const { status, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(DOCS, 'generate.ts'), '--check'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})

test('every file that a page of the docs links to or names as a test is there', () => {
  const pages = [...readdirSync(DOCS, { recursive: true, encoding: 'utf8' }).map((name) => join(DOCS, name)), join(ROOT, 'SECURITY.md')]
  const missing: string[] = []
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(page, 'utf8')
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((m) => m[1] ?? '').filter((to) => !/^[a-z]+:/.test(to))
    const named = [...text.matchAll(/`((?:packages|services|schemas|test|bench|scripts)\/[\w./-]+\.(?:ts|mjs|md|sql))`/g)].map(
      (m) => m[1] ?? '',
    )
    for (const to of links) if (!existsSync(join(dirname(page), to))) missing.push(`${page}: ${to}`)
    for (const path of named) if (!existsSync(join(ROOT, path))) missing.push(`${page}: ${path}`)
  }
  assert.deepEqual(missing, [])
})
