import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type Spool, spool, type SpoolOptions } from './spool.ts'

const NOW = 1_790_000_000_000
const line = (id: string, time: number, tenant?: string): string =>
  JSON.stringify({ id, time: NOW + time, identity: { id: 'bot', kind: 'agent' }, action: 'read', resource: { class: 'crm' }, tenant })

const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-spool-test-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const put = (dir: string, name: string, lines: readonly string[]): string => {
  const path = join(dir, name)
  const text = lines.map((of) => `${of}\n`).join('')
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}
const read = async (paths: readonly string[], options: Partial<SpoolOptions> = {}): Promise<{ history: Spool; order: string[] }> => {
  const history = await spool(paths, { format: undefined, tenant: 'default', ...options })
  const order: string[] = []
  for await (const event of history.read())
    order.push(`${event.file}:${(JSON.parse(Buffer.from(event.bytes).toString()) as { id: string }).id}`)
  history.close()
  return { history, order }
}

test('files in any order come out by event time, with what was refused counted', async (t) => {
  const dir = folder(t)
  const a = put(dir, 'a.jsonl', [line('late', 30), '{"id": oops}', line('early', 10)])
  const b = put(dir, 'b.jsonl.gz', [line('middle', 20, 'acme'), line('also-early', 10)])
  const { history, order } = await read([a, b])
  assert.deepEqual(order, ['0:early', '1:also-early', '1:middle', '0:late'])
  assert.deepEqual([history.events, history.rejected, history.codes], [4, 1, { JSON_SYNTAX: 1 }])
  assert.deepEqual([history.fromTime - NOW, history.toTime - NOW], [10, 30])
  assert.deepEqual([...history.tenants].sort(), ['acme', 'default'])
  assert.deepEqual(
    history.files.map(({ events }) => events),
    [2, 2],
  )
})

test('a file that cannot be read is named', async (t) => {
  const dir = folder(t)
  const good = put(dir, 'a.jsonl', [line('x', 1)])
  const bad = put(dir, 'b.txt', ['what is this'])
  await assert.rejects(read([good, bad]), { code: 'FORMAT_UNSUPPORTED', message: /b\.txt: / })
})

test('a file is known again by tenant, name and content; the same one given twice is two', async (t) => {
  const dir = folder(t)
  const a = put(dir, 'a.jsonl', [line('x', 1)])
  const ids = async (paths: readonly string[], tenant = 'default') => (await read(paths, { tenant })).history.files.map(({ id }) => id)
  const [first] = await ids([a])
  assert.deepEqual(await ids([a]), [first])
  const twice = await ids([a, a])
  assert.equal(twice[0], first)
  assert.notEqual(twice[1], first)
  assert.notDeepEqual(await ids([a], 'acme'), [first])
  put(dir, 'a.jsonl', [line('y', 1)])
  assert.notDeepEqual(await ids([a]), [first])
})

test('what does not fit into memory is sorted through files, the same, and nothing of it stays behind', async (t) => {
  const dir = folder(t)
  const work = folder(t)
  process.env['TMPDIR'] = work
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 200, max: 3000 }),
      async (times, runBytes) => {
        const paths = times.map((of, f) =>
          put(
            dir,
            `f${f}.jsonl`,
            of.map((time, i) => line(`${f}-${i}`, time)),
          ),
        )
        const [small, whole] = [await read(paths, { runBytes }), await read(paths)]
        assert.deepEqual(small.order, whole.order)
        const all = times.flatMap((of, f) => of.map((time, i) => ({ time, name: `${f}:${f}-${i}` })))
        assert.deepEqual(
          whole.order,
          all.sort((x, y) => x.time - y.time).map(({ name }) => name),
        )
      },
    ),
    { numRuns: 40, seed: 3 },
  )
  assert.deepEqual(readdirSync(work), [])
})
