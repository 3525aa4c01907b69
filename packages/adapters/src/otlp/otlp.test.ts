import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import goldens from './goldens/spans.json' with { type: 'json' }
import { type Bound, createSpanJoiner, decodeTraces, encodeAnswer, encodeFailure, mapSpans, OTLP_LIMITS } from './index.ts'

interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly KeyValue[]
  readonly status: { readonly code?: number }
}
interface KeyValue {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly boolValue?: boolean; readonly intValue?: string; readonly doubleValue?: number }
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] }
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[]
  }[]
}
interface Golden {
  readonly title: string
  readonly bound?: Bound
  readonly request: Request
  readonly events: readonly unknown[]
  readonly ignored: Readonly<Record<string, number>>
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

/** A second, independent writing of the protobuf form, with a field from the future in every message. */
const message = (fill: (w: BinaryWriter) => void): Uint8Array => {
  const w = new BinaryWriter()
  fill(w)
  w.tag(1999, WireType.LengthDelimited).string('from the future')
  return w.finish()
}
const sub = (w: BinaryWriter, no: number, bytes: Uint8Array): unknown => w.tag(no, WireType.LengthDelimited).bytes(bytes)
const keyValue = (kv: KeyValue): Uint8Array =>
  message((w) => {
    w.tag(1, WireType.LengthDelimited).string(kv.key)
    const v = kv.value
    sub(
      w,
      2,
      message((a) => {
        if (v.stringValue !== undefined) a.tag(1, WireType.LengthDelimited).string(v.stringValue)
        else if (v.boolValue !== undefined) a.tag(2, WireType.Varint).bool(v.boolValue)
        else if (v.intValue !== undefined) a.tag(3, WireType.Varint).int64(v.intValue)
        else if (v.doubleValue !== undefined) a.tag(4, WireType.Bit64).double(v.doubleValue)
      }),
    )
  })
const protobuf = (request: Request): Uint8Array =>
  message((w) => {
    for (const rs of request.resourceSpans) {
      sub(
        w,
        1,
        message((r) => {
          sub(
            r,
            1,
            message((x) => rs.resource.attributes.forEach((kv) => sub(x, 1, keyValue(kv)))),
          )
          for (const ss of rs.scopeSpans)
            sub(
              r,
              2,
              message((x) => ss.spans.forEach((s) => sub(x, 2, span(s)))),
            )
        }),
      )
    }
  })
const span = (s: JsonSpan): Uint8Array =>
  message((w) => {
    sub(w, 1, Buffer.from(s.traceId, 'hex'))
    sub(w, 2, Buffer.from(s.spanId, 'hex'))
    if (s.parentSpanId !== '') sub(w, 4, Buffer.from(s.parentSpanId, 'hex'))
    w.tag(5, WireType.LengthDelimited).string(s.name)
    w.tag(6, WireType.Varint).int32(s.kind)
    w.tag(7, WireType.Bit64).fixed64(s.startTimeUnixNano)
    w.tag(8, WireType.Bit64).fixed64(s.endTimeUnixNano)
    for (const kv of s.attributes) sub(w, 9, keyValue(kv))
    sub(
      w,
      15,
      message((x) => x.tag(3, WireType.Varint).int32(s.status.code ?? 0)),
    )
  })

for (const golden of goldens as unknown as readonly Golden[]) {
  test(`spans: ${golden.title}`, () => {
    for (const [encoding, body] of [
      ['json', json(golden.request)],
      ['protobuf', protobuf(golden.request)],
    ] as const) {
      const mapped = mapSpans(decodeTraces(body, encoding), createSpanJoiner(), golden.bound)
      const events = mapped.events.map((e) =>
        e.ok ? (JSON.parse(Buffer.from(e.canonical).toString()) as unknown) : { rejected: e.rejection.code, field: e.rejection.field },
      )
      assert.deepEqual(events, golden.events, encoding)
      assert.deepEqual(Object.fromEntries(mapped.ignored), golden.ignored)
      assert.ok(!JSON.stringify(events).includes('never kept') && !JSON.stringify(events).includes('secret'))
    }
  })
}

const first = (goldens as unknown as readonly Golden[])[0] as Golden

test('a parent that comes in a later batch: the trace, then the only agent of the service, names the identity; never across tenants', () => {
  const [root, chat, tool] = decodeTraces(json(first.request), 'json')
  assert.ok(root && chat && tool)
  const joiner = createSpanJoiner()
  const who = (spans: readonly (typeof root)[], tenant?: string): (string | undefined)[] =>
    mapSpans(spans, joiner, { tenant }).events.map((e) => (e.ok ? e.event.identity.id : undefined))
  assert.deepEqual(who([tool]), ['shop-agents'], 'nothing is known yet')
  assert.deepEqual(who([root]), ['support-bot'])
  assert.deepEqual(who([chat, tool]), ['support-bot', 'support-bot'], 'the trace is known')
  assert.deepEqual(who([{ ...tool, traceId: 'ff'.repeat(16) }]), ['support-bot'], 'the service has one agent')
  assert.deepEqual(who([tool], 'other'), ['shop-agents'])
  assert.deepEqual(
    who([{ ...root, traceId: 'ee'.repeat(16), attributes: new Map([...root.attributes, ['gen_ai.agent.name', 'second']]) }]),
    ['second'],
  )
  assert.deepEqual(who([{ ...tool, traceId: 'dd'.repeat(16) }]), ['shop-agents'], 'two agents share the service')
})

test('a service is an agent in the traces that speak of GenAI, and in no others', () => {
  const [, , tool] = decodeTraces(json(first.request), 'json')
  assert.ok(tool)
  const client = new Map<string, string>([['http.request.method', 'GET']])
  const resource = (name: string): ReadonlyMap<string, string> => new Map([['service.name', name]])
  const call = { ...tool, kind: 3, parentSpanId: '', attributes: client, resource: resource('stock') }
  const spans = [
    call,
    { ...tool, resource: resource('stock') },
    { ...call, traceId: 'aa'.repeat(16) },
    { ...call, resource: resource('shop-front') },
  ]
  const kinds = mapSpans(spans, createSpanJoiner()).events.map((e) => (e.ok ? e.event.identity.kind : undefined))
  assert.deepEqual(kinds, ['agent', 'agent', 'service', 'service'])
})

test('parents in a circle end', () => {
  const [root] = decodeTraces(json(first.request), 'json')
  assert.ok(root)
  const a = { ...root, spanId: 'aa', parentSpanId: 'bb', attributes: new Map([['gen_ai.tool.name', 't']]) }
  const mapped = mapSpans([a, { ...a, spanId: 'bb', parentSpanId: 'aa' }], createSpanJoiner())
  assert.equal(mapped.events.length, 2)
})

test('too many spans, no request at all, and bytes of another kind are one coded error', () => {
  const one = first.request.resourceSpans[0]
  assert.ok(one)
  const many = {
    resourceSpans: [
      {
        ...one,
        scopeSpans: [{ spans: Array.from({ length: OTLP_LIMITS.spansPerRequest + 1 }, () => one.scopeSpans[0]?.spans[0] as JsonSpan) }],
      },
    ],
  }
  assert.throws(() => decodeTraces(json(many), 'json'), { code: 'OTLP_MALFORMED', message: /more than 10000 spans/ })
  assert.throws(() => decodeTraces(protobuf(many), 'protobuf'), { code: 'OTLP_MALFORMED', message: /more than 10000 spans/ })
  for (const body of ['[]', '{"resourceSpans":7}', '{', 'null'])
    assert.throws(() => decodeTraces(Buffer.from(body), 'json'), { code: 'OTLP_MALFORMED' })
  assert.throws(() => decodeTraces(Buffer.from(`{"resourceSpans":${'['.repeat(200_000)}`), 'json'), { code: 'OTLP_MALFORMED' })
  assert.throws(() => decodeTraces(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), 'protobuf'), { code: 'OTLP_MALFORMED' })
  assert.deepEqual(decodeTraces(new Uint8Array(0), 'protobuf'), [])
})

test('broken bytes give spans or the coded error, nothing else', () => {
  const good = protobuf(first.request)
  const text = json(first.request)
  fc.assert(
    fc.property(
      fc.constantFrom<'protobuf' | 'json'>('protobuf', 'json'),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      (encoding, edits, cut) => {
        const body = Uint8Array.from(encoding === 'protobuf' ? good : text)
        for (const [where, what] of edits) body[where % body.length] = what
        try {
          const spans = decodeTraces(cut % 3 === 0 ? body.subarray(0, cut % body.length) : body, encoding)
          for (const e of mapSpans(spans, createSpanJoiner()).events) assert.ok(e.ok || e.rejection.remedy !== '')
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'OTLP_MALFORMED', String(error))
        }
      },
    ),
    { seed: 21, numRuns: 1500 },
  )
})

test('answers: empty when all is well, counts and words when not, as protobuf and JSON', () => {
  assert.equal(encodeAnswer('protobuf', 0, '').length, 0)
  assert.equal(Buffer.from(encodeAnswer('json', 0, '')).toString(), '{}')
  assert.equal(Buffer.from(encodeAnswer('json', 2, 'why')).toString(), '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"why"}}')
  const outer = new BinaryReader(encodeAnswer('protobuf', 2, 'why'))
  assert.deepEqual(outer.tag(), [1, WireType.LengthDelimited])
  const inner = new BinaryReader(outer.bytes())
  assert.deepEqual([inner.tag(), String(inner.int64()), inner.tag(), inner.string()], [[1, 0], '2', [2, 2], 'why'])
  assert.equal(Buffer.from(encodeFailure('json', 3, 'no')).toString(), '{"code":3,"message":"no"}')
  assert.ok(encodeFailure('protobuf', 3, 'no').length > 0)
})
