import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { FEATURES } from '@plumbline/schemas'
import type { DatasetReport } from '@plumbline/training'
import { isFeatureTable, readDataset } from './read.ts'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'plumbline-dataset-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}
const check = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'dataset', 'check', ...args], { cwd: dir, encoding: 'utf8' })
  return { status, stdout, stderr }
}
const read = (path: string, more = {}) => readDataset(path, { ignore: [], ...more })

/** A number below 4 that looks drawn and is always the same. */
const drawn = (i: number, k: number): number => {
  let h = Math.imul(i * 31 + k + 1, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 30
}
const csv = (rows: number, shift = 0): string =>
  [
    'account,time,a,b,"note, long"',
    ...Array.from({ length: rows }, (_, i) => `u${i % 9},${1_790_000_000 + i * 60},${drawn(i, 1)},${drawn(i, 2) + shift},"x ""y"", ${i}"`),
  ].join('\n')

test('CSV: quoted cells, identity and time by their usual names, text is left out', async () => {
  const { data, identities, ignored } = await read(file('a.csv', csv(300)))
  assert.deepEqual(data.names, ['a', 'b'])
  assert.deepEqual([identities.length, ignored], [9, ['account', 'time', 'note, long']])
  assert.equal(data.times?.[1], (1_790_000_000 + 60) * 1000)
  assert.equal(data.rows[3], Math.fround(drawn(1, 2)))
})

test('TSV without a header, gzip, and NDJSON of objects and of arrays give the same numbers', async () => {
  const rows = [
    [1, 2.5],
    [3, -4],
  ]
  const tsv = await read(file('b.tsv.gz', gzipSync(rows.map((row) => row.join('\t')).join('\n'))))
  const objects = await read(file('b.ndjson', rows.map(([x, y]) => JSON.stringify({ x, inner: { y }, ok: true, who: 'me' })).join('\n')))
  const arrays = await read(file('b.arrays', rows.map((row) => JSON.stringify(row)).join('\n')))
  assert.deepEqual([...tsv.data.rows], [1, 2.5, 3, -4])
  assert.deepEqual([...arrays.data.rows], [1, 2.5, 3, -4])
  assert.deepEqual(objects.data.names, ['x', 'inner.y', 'ok'])
  assert.deepEqual([...objects.data.rows], [1, 2.5, 1, 3, -4, 1])
})

test('rows of the store: the feature vector, and what alerted by its flags', async () => {
  const row = (flags: number, time: string) =>
    JSON.stringify({ identity: 'bot', event_time: time, flags, offset: 7, features: FEATURES.map((_, i) => i) })
  const { data } = await read(
    file('c.ndjson', [row(4, '2026-10-05 08:00:00.000'), row(32, '2026-10-05 09:00:00'), row(260, '')].join('\n')),
  )
  assert.ok(isFeatureTable(data))
  assert.deepEqual([...data.withheld!], [0, 1, 1])
  assert.deepEqual([data.times![0], data.times![1]], [Date.UTC(2026, 9, 5, 8), Date.UTC(2026, 9, 5, 9)])
})

test('what is not there is taken as 0 and told of; what is there and no number fails', async () => {
  const absent = await read(file('d.ndjson', '{"a":1,"b":2}\n{"a":3}\n'))
  assert.deepEqual([...absent.data.rows], [1, 2, 3, 0])
  assert.deepEqual(absent.findings[0]?.columns, ['b'])
  const broken = await read(file('e.csv', 'a,b\n1,2\n3,NaN\n4,5\n'))
  assert.ok(Number.isNaN(broken.data.rows[3]))
  await assert.rejects(read(file('f.csv', 'a,b\n1,2\n3\n')), /line 3: 1 columns, the first row has 2/)
  await assert.rejects(read(file('g.ndjson', '{"a":1}\n{"a"\n')), /line 2: neither a JSON object nor an array/)
  await assert.rejects(read(file('h.csv', csv(3)), { identity: 'owner' }), /no row has a column owner; give another with --identity/)
})

test('a good table passes with 0 and says what the checks cannot find; with --json one document', () => {
  const good = file('good.csv', csv(300))
  const words = check(good)
  assert.equal(words.status, 0, words.stderr)
  assert.match(words.stdout, /good\.csv: 300 rows of 2 columns passed\.\n/)
  assert.match(words.stdout, /They cannot find: poison that keeps within what is usual/)
  const report = JSON.parse(check(good, '--json').stdout) as DatasetReport & { file: string }
  assert.deepEqual([report.verdict, report.rows, report.columns], ['passed', 300, 2])
})

test('--against names what drifted; a table that must not teach fails with 1', () => {
  const before = file('before.csv', csv(600))
  const drifted = check(file('after.csv', csv(600, 4)), '--against', before)
  assert.equal(drifted.status, 0, drifted.stderr)
  assert.match(drifted.stdout, /warning {2}drift: 1 of 2 columns are spread otherwise than before .*: b \d/)
  const broken = check(file('broken.csv', csv(300).replace(`,${drawn(5, 1)},`, ',NaN,')))
  assert.equal(broken.status, 1)
  assert.match(broken.stdout, /failed: a model trained on it would not be put into use/)
  assert.match(broken.stdout, /FAILED {3}numbers: 1 values are missing or not finite/)
  assert.equal(check('absent.csv').status, 2)
})
