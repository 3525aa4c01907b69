import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')

test('each requirement names a test that is there', () => {
  const doc = readFileSync(join(root, 'docs', 'conformance.md'), 'utf8')
  const rows = doc.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| asked') && !line.startsWith('| ---'))
  assert.ok(rows.length >= 10)
  for (const row of rows) {
    const cell = row.split(' | ').at(-1)!
    const [, file, title] = /^`([^`]+)`: (.+) \|$/.exec(cell) ?? []
    assert.ok(file !== undefined && title !== undefined, `no test named: ${row}`)
    const source = readFileSync(join(root, file), 'utf8')
    assert.ok(
      ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`)),
      `${file} has no test with the title: ${title}`,
    )
  }
})
