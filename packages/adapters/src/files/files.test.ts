import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import cloudtrailGoldens from './goldens/cloudtrail.json' with { type: 'json' }
import neutralGoldens from './goldens/neutral.json' with { type: 'json' }
import { detect, type FileFormat, type FileRecord, readEvents } from './index.ts'
import { elementSplitter, lineSplitter } from './split.ts'

interface Golden {
  readonly title: string
  readonly line: unknown
  readonly event?: unknown
  readonly rejected?: { readonly code: string; readonly field: string }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')
async function* stream(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
const all = async (source: string | AsyncIterable<Uint8Array>, options: Parameters<typeof readEvents>[1] = {}): Promise<FileRecord[]> => {
  const out: FileRecord[] = []
  for await (const record of readEvents(source, options)) out.push(record)
  return out
}
const summary = (records: readonly FileRecord[]): string[] =>
  records.map((r) => `${r.line} ${r.ref} ${r.ok ? r.event.action : r.rejection.code}`)
const native = (id: string, extra: object = {}): string =>
  JSON.stringify({
    id,
    time: 1_770_000_000_000,
    identity: { id: 'bot', kind: 'agent' },
    action: 'read',
    resource: { class: 'crm' },
    ...extra,
  })

const suites: readonly (readonly [FileFormat, readonly Golden[]])[] = [
  ['neutral', neutralGoldens as readonly Golden[]],
  ['cloudtrail', cloudtrailGoldens as readonly Golden[]],
]
for (const [format, goldens] of suites) {
  for (const golden of goldens) {
    test(`${format}: ${golden.title}`, async () => {
      const [record] = await all(stream(bytes(JSON.stringify(golden.line))), { format })
      assert.ok(record)
      if (golden.rejected !== undefined) {
        assert.ok(!record.ok)
        assert.deepEqual({ code: record.rejection.code, field: record.rejection.field }, golden.rejected)
      } else {
        assert.ok(record.ok, record.ok ? '' : JSON.stringify(record.rejection))
        assert.deepEqual(JSON.parse(Buffer.from(record.canonical).toString()), golden.event)
      }
    })
  }
}

test('labels are never read: an event is the same with any label and with none', async () => {
  for (const golden of neutralGoldens as readonly Golden[]) {
    const { label: _label, label_note: _note, ...bare } = golden.line as Record<string, unknown>
    const [a] = await all(stream(bytes(JSON.stringify({ ...bare, label: 1, label_note: 'attack' }))), { format: 'neutral' })
    const [b] = await all(stream(bytes(JSON.stringify(bare))), { format: 'neutral' })
    assert.deepEqual(a?.ok === true ? a.canonical : a?.rejection, b?.ok === true ? b.canonical : b?.rejection)
  }
})

test('native lines: bad ones stand between good ones with their place and reason; blank lines count', async () => {
  const text = `${native('a')}\r\n\n{"id": oops}\n${native('b')}\n  \n${native('c', { time: 1 })}\n${native('d')}`
  assert.deepEqual(summary(await all(stream(bytes(text)))), ['0 a read', '2 2 JSON_SYNTAX', '3 b read', '5 5 TIME_INVALID', '6 d read'])
})

test('native lines without a tenant get the one that was named, those with one keep theirs', async () => {
  const records = await all(stream(bytes(`${native('a')}\n${native('b', { tenant: 'other' })}`)), { tenant: 'acme' })
  assert.deepEqual(
    records.map((r) => r.ok && [r.event.tenant, (JSON.parse(Buffer.from(r.canonical).toString()) as { tenant: string }).tenant]),
    [
      ['acme', 'acme'],
      ['other', 'other'],
    ],
  )
})

test('plain, gzip, several gzip members and a byte order mark read alike, from files and streams, in chunks of any size', async () => {
  const lines = Array.from({ length: 50 }, (_, i) => native(`e${i}`, { action: `täst-${i}` }))
  const text = `${lines.join('\n')}\n`
  const expected = summary(await all(stream(bytes(text))))
  assert.equal(expected.length, 50)
  const packed = [
    gzipSync(text),
    Buffer.concat([gzipSync(lines.slice(0, 20).join('\n') + '\n'), gzipSync(lines.slice(20).join('\n'))]),
    bytes(`\ufeff${text}`),
  ]
  for (const whole of packed) {
    for (const step of [1, 7, 100_000]) {
      const chunks = Array.from({ length: Math.ceil(whole.length / step) }, (_, i) => whole.subarray(i * step, (i + 1) * step))
      assert.deepEqual(summary(await all(stream(...chunks))), expected)
    }
  }
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-files-'))
  try {
    writeFileSync(join(dir, 'a.log'), packed[0] as Buffer)
    assert.deepEqual(summary(await all(join(dir, 'a.log'))), expected)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('CloudTrail comes as {"Records": […]}, as a list and as lines, and is recognised', async () => {
  const records = (cloudtrailGoldens as readonly Golden[]).filter((g) => g.event !== undefined).map((g) => g.line)
  const forms = [
    JSON.stringify({ Records: records }),
    JSON.stringify({ version: 1, Records: records, after: [1, { x: 1 }] }, null, 2),
    JSON.stringify(records),
    records.map((r) => JSON.stringify(r)).join('\n'),
  ]
  const expected = summary(await all(stream(bytes(forms[3] as string)), { format: 'cloudtrail' }))
  assert.equal(expected.length, records.length)
  for (const form of forms) {
    assert.deepEqual(summary(await all(stream(bytes(form)))), expected)
    assert.deepEqual(summary(await all(stream(...[...bytes(form)].map((b) => Uint8Array.of(b))))), expected)
  }
  assert.equal(detect(bytes(forms[0] as string))?.format, 'cloudtrail')
})

test('a file that ends inside a record gives the records before it and says so', async () => {
  const lines = `${native('a')}\n${native('b').slice(0, 40)}`
  assert.deepEqual(summary(await all(stream(bytes(lines)))), ['0 a read', '1 1 JSON_SYNTAX'])
  const list = JSON.stringify({ Records: [(cloudtrailGoldens as readonly Golden[])[0]?.line, { eventID: 'x' }] }).slice(0, -8)
  assert.deepEqual(summary(await all(stream(bytes(list)))), ['0 c-1 iam:GetUser', '1 1 JSON_SYNTAX'])
})

test('gzip bombs and broken gzip end the file with a code, after what could be read', async () => {
  const bomb = gzipSync(Buffer.alloc(3_000_000, 0x20))
  await assert.rejects(all(stream(bomb), { format: 'native', bombGraceBytes: 1_000_000 }), { code: 'FILE_BOMB' })
  const packed = gzipSync(Array.from({ length: 500 }, (_, i) => native(`e${i}`)).join('\n'))
  await assert.rejects(all(stream(packed.subarray(0, packed.length - 12))), { code: 'FILE_CORRUPT' })
  await assert.rejects(all(join(tmpdir(), 'plumbline-there-is-no-such-file')), { code: 'FILE_UNREADABLE' })
})

test('a line too large is refused without being held, and its neighbours are kept', async () => {
  const text = `${native('a')}\n${'x'.repeat(3_000_000)}\n${native('b')}\n`
  assert.deepEqual(summary(await all(stream(bytes(text)))), ['0 a read', '1 1 EVENT_TOO_LARGE', '2 b read'])
})

test('a format nobody knows is an error, an empty file is no event', async () => {
  await assert.rejects(all(stream(bytes('a,b,c\n1,2,3\n'))), { code: 'FORMAT_UNSUPPORTED' })
  assert.deepEqual(await all(stream()), [])
})

test('hostile foreign records: prototype keys, wrong types, lone surrogates, deep nesting', async () => {
  const base = { ts: '2026-02-01T09:00:00Z', identity: 'a', identity_kind: 'agent', action: 'x', resource_class: 'web', attrs: {} }
  const variants = [
    `${JSON.stringify(base).slice(0, -1)},"__proto__":{"outcome":"denied"}}`,
    JSON.stringify({ ...base, attrs: '{"a":1}', resource: 7, bytes_in: -1, bytes_out: 'x', source_ip: {}, session: [] }),
    JSON.stringify({ ...base, action: 'a\ud800b\u202ec' }),
    JSON.stringify({ ...base, attrs: { args: { url: [[[['http://x.example']]]], to: { email: 'a@b.example' } }, prov: { to: ['user'] } } }),
    `${JSON.stringify(base).slice(0, -1)},"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ]
  const records = await all(stream(bytes(variants.join('\n'))), { format: 'neutral' })
  assert.equal(records.length, variants.length)
  for (const record of records) assert.ok(record.ok, JSON.stringify(record))
  const deepTime = JSON.stringify({ ...base, ts: 0 }).replace('"ts":0', `"ts":${'['.repeat(50_000)}${']'.repeat(50_000)}`)
  assert.deepEqual(summary(await all(stream(bytes(deepTime)), { format: 'neutral' })), ['0 0 FIELD_MISSING'])
  assert.equal(records[0]?.ok === true && records[0].event.outcome, 'success')
})

test('splitters give the same records however the bytes are cut', () => {
  const element = fc.oneof(
    fc.constant('{}'),
    fc.jsonValue({ maxDepth: 3 }).map((v) => JSON.stringify({ v, 'k"}]': '\\"[{' })),
  )
  fc.assert(
    fc.property(fc.array(element, { maxLength: 8 }), fc.array(fc.nat(40), { maxLength: 30 }), fc.boolean(), (elements, cuts, list) => {
      const whole = bytes(list ? `{"a":{"b":[1]},"Records":[${elements.join(' ,\n')}],"z":[{}]}` : elements.join('\n'))
      const splitter = list ? elementSplitter(1_000_000) : lineSplitter(1_000_000)
      const out: string[] = []
      let at = 0
      for (const cut of [...cuts, whole.length]) {
        for (const raw of splitter.push(whole.subarray(at, at + cut))) out.push(Buffer.from(raw.bytes).toString())
        at = Math.min(whole.length, at + cut)
      }
      for (const raw of splitter.end()) out.push(raw.fault ?? Buffer.from(raw.bytes).toString())
      assert.deepEqual(out, elements)
    }),
    { seed: 11, numRuns: 300 },
  )
})

test('any bytes under any format end in events and reasons, never in another error', async () => {
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string().map((s) => bytes(s)),
    fc.jsonValue({ maxDepth: 4 }).map((v) => bytes(JSON.stringify(v))),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(input, { maxLength: 4 }),
      fc.constantFrom<FileFormat | undefined>('native', 'neutral', 'cloudtrail', undefined),
      async (chunks, format) => {
        try {
          for (const record of await all(stream(...chunks), { format })) assert.ok(record.ok || record.rejection.remedy !== '')
        } catch (error) {
          assert.ok(['FORMAT_UNSUPPORTED', 'FILE_CORRUPT'].includes((error as { code: string }).code), String(error))
        }
      },
    ),
    { seed: 12, numRuns: 400 },
  )
})

const shared = process.env['PLUMBLINE_SHARED_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data')
test('real files: every record becomes an event', { skip: existsSync(shared) ? false : 'shared data is not here' }, async () => {
  const files = globSync(['agentdyn/*_stream.jsonl.gz', 'tau_bench/*.gz', 'cloudtrail/*.gz', 'cloudtrail/**/*.json'], { cwd: shared })
  let count = 0
  for (const file of files) {
    for await (const record of readEvents(join(shared, file))) {
      count++
      assert.ok(record.ok, `${file}:${record.line} ${JSON.stringify(record)}`)
    }
  }
  assert.ok(count > 10_000, `${count}`)
})
