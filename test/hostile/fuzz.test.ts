import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { decodeFull } from '@plumbline/detector/decode'
import fc from 'fast-check'
import { event, line, openDoor, type TestDoor, TOKEN } from './door.testkit.ts'

/** Seeded noise through the real door: no crash, no hang, nothing bad let through, every good event beside it kept. */

const RUNS = Number(process.env['PLUMBLINE_FUZZ_RUNS'] ?? 150)

let door: TestDoor
before(async () => {
  door = await openDoor()
})
after(() => door.close())

const hostileText = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.jsonValue({ maxDepth: 12 }).map((v) => JSON.stringify(v)),
  fc.constantFrom('{', '}', '[', ']', '"', '\\', '{"', '{"a":"\\', 'null', '{}', '[{}]', ',', '{"__proto__":{}}', '\u0000', '[[[[[[[[[[[['),
)
/** A valid event with bytes overwritten, cut or doubled. */
const mangled = fc
  .tuple(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(), fc.boolean())
  .map(([edits, cut, shorten]) => {
    const b = Buffer.from(line('mangled', { session: 's', attributes: { k: 'v', n: 1.5 }, source: { ip: '10.0.0.1' } }))
    for (const [where, what] of edits) b[where % b.length] = what
    return shorten ? b.subarray(0, cut % b.length) : b
  })
/** No line break inside, or one input would be several lines. */
const badLine = fc
  .oneof(
    mangled,
    hostileText.map((s) => Buffer.from(s)),
  )
  .map((b) => Buffer.from(b.filter((c) => c !== 0x0a)))

let serial = 0

test(`lines: ${RUNS} requests of good and hostile lines`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: badLine }), { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      async (parts, packed) => {
        const good: string[] = []
        const lines = parts.map((part) => {
          if (part !== null) return part
          const id = `good-${serial++}`
          good.push(id)
          return Buffer.from(line(id))
        })
        // A body that opens with a bracket is read as a list, whatever it calls itself: lines are only tried as lines.
        const first = Buffer.from(line(`first-${serial++}`))
        const body = Buffer.concat([first, ...lines].flatMap((l) => [l, Buffer.from('\n')]))
        const { status, answer } = await door.post(packed ? gzipSync(body) : body, {
          'content-type': 'application/x-ndjson',
          ...(packed ? { 'content-encoding': 'gzip' } : {}),
        })
        assert.equal(status, 202)
        const expected = [first, ...lines].filter((l) => l.some((c) => c !== 0x20 && c !== 0x09 && c !== 0x0d))
        assert.equal(answer.accepted + answer.rejected, expected.length)
        assert.ok(answer.accepted >= good.length + 1)
        const refused = new Set(answer.errors.map((e) => e.index))
        expected.forEach((l, i) => assert.equal(refused.has(i), !decodeFull(l).ok, Buffer.from(l).toString()))
      },
    ),
    { seed: 31, numRuns: RUNS },
  )
})

test(`bodies: ${RUNS} requests of anything under any type`, async () => {
  const anything = fc.oneof(
    fc
      .array(fc.oneof(badLine, fc.constant(Buffer.from(','))), { maxLength: 6 })
      .map((parts) => Buffer.concat([Buffer.from('['), ...parts])),
    fc.array(badLine, { minLength: 1, maxLength: 6 }).map((parts) => Buffer.concat(parts)),
    fc.uint8Array({ minLength: 1, maxLength: 400 }).map((b) => Buffer.from(b)),
    mangled.map((b) => Buffer.from(gzipSync(b).map((c, i) => (i === 12 ? c ^ 1 : c)))),
  )
  const types = fc.constantFrom(
    'application/json',
    'application/x-ndjson',
    'text/plain',
    'application/x-protobuf',
    'multipart/form-data',
    'x',
  )
  await fc.assert(
    fc.asyncProperty(
      anything,
      types,
      fc.constantFrom('/v1/events', '/v1/traces'),
      fc.constantFrom<string | undefined>(undefined, 'gzip', 'identity'),
      async (body, type, path, encoding) => {
        const started = performance.now()
        const response = await door.request(path, {
          method: 'POST',
          body: body as unknown as string,
          headers: {
            authorization: `Bearer ${TOKEN}`,
            'content-type': type,
            ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
          },
        })
        await response.arrayBuffer()
        assert.ok([200, 202, 400, 413, 415, 422].includes(response.status), `${response.status} for ${path} ${type}`)
        assert.ok(performance.now() - started < 5000)
      },
    ),
    { seed: 32, numRuns: RUNS },
  )
})

test(`lists: good events before, between and after well-formed but hostile values are kept, ${RUNS} requests`, async () => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.string().map((s) => event('odd', { [s]: s })),
    fc.constantFrom('],[', '}{', '\\"', '\u0000'),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 6 }), async (values) => {
      const parts = values.flatMap((v) => [line(`list-${serial++}`), JSON.stringify(v)])
      parts.push(line(`list-${serial++}`))
      const { status, answer } = await door.post(`[${parts.join(',')}]`)
      assert.equal(status, 202)
      assert.equal(answer.accepted + answer.rejected, parts.length)
      const refused = new Set(answer.errors.map((e) => e.index))
      for (let i = 0; i < parts.length; i += 2) assert.ok(!refused.has(i), parts[i - 1])
    }),
    { seed: 33, numRuns: RUNS },
  )
})

test('what got in is canonical, and the good are all there', async () => {
  const ids = new Set<string>()
  for (let shard = 0; shard < door.log.shards; shard++) {
    for (const record of await door.log.read(shard, 0, 1_000_000)) {
      const out = decodeFull(record.value)
      assert.ok(out.ok)
      assert.deepEqual(Buffer.from(out.canonical), Buffer.from(record.value))
      ids.add(out.event.id)
    }
  }
  const sent = [...ids].filter((id) => /^(good|first|list)-\d+$/.test(id)).length
  assert.equal(sent, serial)
})
