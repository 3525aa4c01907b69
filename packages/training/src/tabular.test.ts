import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createRandom } from './random.ts'
import { alignTable, readTable } from './table.ts'
import { scoreTabular } from './tabular.ts'

const folder = await mkdtemp(join(tmpdir(), 'plumbline-table-'))
after(() => rm(folder, { recursive: true }))
const file = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

test('plain, gzip, with header, with Windows line ends: the same table', async () => {
  const text = '1,2.5,-3e2\n4,5,6\n'
  const expected = { width: 3, rows: Float32Array.of(1, 2.5, -300, 4, 5, 6) }
  for (const [name, content] of [
    ['a.csv', text],
    ['b.csv.gz', gzipSync(text)],
    ['c.csv', `x,y,z\n${text}`],
    ['d.csv', text.replaceAll('\n', '\r\n')],
    ['e.csv', text.trimEnd()],
  ] as const) {
    assert.deepEqual(await readTable(await file(name, content)), expected, name)
  }
})

test('what is no table is refused with line and column', async () => {
  const cases: [string, RegExp][] = [
    ['1,2\n3\n', /line 2: 1 columns, the first row has 2/],
    ['1,2\n3,x\n', /line 2, column 2/],
    ['1,2\n3,\n', /line 2, column 2/],
    ['1,2\n3,1e999\n', /line 2, column 2/],
    ['', /no rows/],
    ['a,b\n', /no rows/],
  ]
  for (const [text, message] of cases) await assert.rejects(readTable(await file('bad.csv', text)), { code: 'TABLE_INVALID', message })
  await assert.rejects(readTable(await file('bad.csv.gz', gzipSync('1,2\n').subarray(0, 12))), { code: 'TABLE_INVALID' })
})

test('one extra column is ignored, any other width is named', () => {
  const table = { width: 3, rows: Float32Array.of(1, 2, 0, 3, 4, 1) }
  assert.deepEqual(alignTable(table, 2), { width: 2, rows: Float32Array.of(1, 2, 3, 4) })
  assert.equal(alignTable(table, 3), table)
  for (const width of [1, 4])
    assert.throws(() => alignTable(table, width), { code: 'TABLE_WIDTH', message: new RegExp(`3 columns, the training rows ${width}`) })
})

test('odd rows score above usual ones, the label column is never looked at, the same seed gives the same scores', async () => {
  const r = createRandom(1)
  const row = () => {
    const [a, b] = [r.normal(), r.normal()]
    return [a, b, a + b, a - b, a * b]
  }
  const train = Array.from({ length: 300 }, row)
  const usual = Array.from({ length: 100 }, row)
  const odd = Array.from({ length: 100 }, row).map((x) => [x[0]!, x[1]!, -x[2]!, x[3]!, x[4]!])
  const tests = [...usual, ...odd]
  const csv = (rows: number[][]) => `${rows.map((x) => x.join(',')).join('\n')}\n`
  const trainPath = await file('train.csv.gz', gzipSync(csv(train)))
  const bare = await scoreTabular(trainPath, await file('bare.csv', csv(tests)), { seed: 0 })
  const labelled = await scoreTabular(trainPath, await file('labelled.csv', csv(tests.map((x, i) => [...x, i < 100 ? 1 : 0]))), {
    seed: 0,
    threads: 1,
  })
  assert.deepEqual(labelled, bare)
  let above = 0
  for (const u of bare.subarray(0, 100)) for (const o of bare.subarray(100)) above += o > u ? 1 : 0
  assert.ok(above / 10_000 > 0.9, `AUROC ${above / 10_000}`)
})
