import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node'
import { openDoor, type TestDoor, TOKEN } from '../hostile/door.testkit.ts'

/** The real OpenTelemetry SDK for JavaScript against the real door: what a stock agent sends becomes events. */

let door: TestDoor
before(async () => {
  door = await openDoor()
  door.now = Date.now()
})
after(() => door.close())

type Make = (url: string, headers: Record<string, string>) => SpanExporter

const EXPORTERS: readonly (readonly [string, Make])[] = [
  ['protobuf', (url, headers) => new ProtobufExporter({ url, headers })],
  ['protobuf, gzip', (url, headers) => new ProtobufExporter({ url, headers, compression: 'gzip' as never })],
  ['JSON', (url, headers) => new JsonExporter({ url, headers })],
]

/** @param name of the agent; empty for instrumentation that sends none */
const runAgent = async (exporter: SpanExporter, service: string, name = `${service}-bot`): Promise<void> => {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.version': '1.4.0' }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const tracer = provider.getTracer('test')
  const agent = tracer.startSpan('invoke_agent support', {
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      ...(name === '' ? {} : { 'gen_ai.agent.name': name }),
      'gen_ai.conversation.id': 'conv-7',
      'gen_ai.provider.name': 'openai',
    },
  })
  const inAgent = trace.setSpan(context.active(), agent)
  const chat = tracer.startSpan(
    'chat m-4',
    {
      kind: SpanKind.CLIENT,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'm-4',
        'gen_ai.usage.input_tokens': 900,
        'gen_ai.usage.output_tokens': 33,
        'gen_ai.response.finish_reasons': ['stop'],
      },
    },
    inAgent,
  )
  chat.end()
  const tool = tracer.startSpan(
    'execute_tool export',
    { attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'export' } },
    inAgent,
  )
  const inTool = trace.setSpan(inAgent, tool)
  const http = tracer.startSpan(
    'PUT',
    {
      kind: SpanKind.CLIENT,
      attributes: {
        'http.request.method': 'PUT',
        'url.full': 'https://drop.example.net/up?k=1',
        'server.address': 'drop.example.net',
        'http.response.status_code': 403,
        'http.request.body.size': 123_456,
      },
    },
    inTool,
  )
  http.setStatus({ code: SpanStatusCode.ERROR })
  http.end()
  tool.end()
  tracer.startSpan('plain internal step', {}, inAgent).end()
  agent.end()
  await provider.forceFlush()
  await provider.shutdown()
}

for (const [name, make] of EXPORTERS) {
  test(`spans of the SDK over ${name} become events of the agent`, async () => {
    const service = `svc-${name.replace(/\W+/g, '-').toLowerCase()}`
    await runAgent(make(`${door.url}/v1/traces`, { authorization: `Bearer ${TOKEN}` }), service)
    const events = (await door.events()).map((e) => e.event).filter((e) => (e['attributes'] as { service?: string }).service === service)
    assert.deepEqual(new Set(events.map((e) => e['action'])), new Set(['invoke_agent', 'chat', 'export', 'http.PUT']))
    for (const e of events) {
      assert.deepEqual([(e['identity'] as { id: string }).id, e['session']], [`${service}-bot`, 'conv-7'], String(e['action']))
      assert.deepEqual((e['identity'] as { version: { release: string } }).version.release, '1.4.0')
    }
    const put = events.find((e) => e['action'] === 'http.PUT')
    assert.deepEqual(
      [put?.['destination'], put?.['outcome'], put?.['bytesOut'], put?.['resource']],
      ['drop.example.net', 'denied', 123_456, { id: 'https://drop.example.net/up', class: 'http' }],
    )
    const chat = events.find((e) => e['action'] === 'chat')
    assert.deepEqual([chat?.['tokensIn'], chat?.['tokensOut']], [900, 33])
  })
}

test('stock settings are enough: endpoint and header from the environment variables', async () => {
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = door.url
  process.env['OTEL_EXPORTER_OTLP_HEADERS'] = `Authorization=Bearer%20${TOKEN}`
  try {
    await runAgent(new ProtobufExporter(), 'svc-env')
  } finally {
    delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
    delete process.env['OTEL_EXPORTER_OTLP_HEADERS']
  }
  const ids = (await door.events()).map((e) => (e.event['identity'] as { id: string }).id)
  assert.equal(ids.filter((id) => id === 'svc-env-bot').length, 4)
})

test('an agent that instrumentation does not name is its service, and an agent in all it does', async () => {
  await runAgent(new ProtobufExporter({ url: `${door.url}/v1/traces`, headers: { authorization: `Bearer ${TOKEN}` } }), 'svc-unnamed', '')
  const events = (await door.events()).map((e) => e.event).filter((e) => (e['identity'] as { id: string }).id === 'svc-unnamed')
  assert.deepEqual(new Set(events.map((e) => e['action'])), new Set(['invoke_agent', 'chat', 'export', 'http.PUT']))
  assert.deepEqual(new Set(events.map((e) => (e['identity'] as { kind: string }).kind)), new Set(['agent']))
})

test('refusals are OTLP refusals; a bad span among good ones is a partial success and a dead letter', async () => {
  const send = (body: string | Uint8Array, type: string, token = TOKEN): Promise<Response> =>
    door.request('/v1/traces', {
      method: 'POST',
      body: body as string,
      headers: { 'content-type': type, authorization: `Bearer ${token}` },
    })
  const denied = await send('{}', 'application/json', 'wrong')
  const said = (await denied.json()) as { code: number; message: string }
  assert.deepEqual([denied.status, said.code], [401, 16])
  assert.match(said.message, /: The token is wrong\. Send /)
  const notOtlp = (await (await send('[]', 'application/json')).json()) as { message: string }
  assert.match(notOtlp.message, /^OTLP_MALFORMED: The body is no OTLP trace request in JSON\. Send /)
  const broken = await send(Uint8Array.of(0x0a, 0xff), 'application/x-protobuf')
  assert.deepEqual([broken.status, broken.headers.get('content-type')], [400, 'application/x-protobuf'])
  assert.equal((await send('x', 'text/plain')).status, 415)
  for (const signal of ['logs', 'metrics']) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` }
    const taken = await door.request(`/v1/${signal}`, { method: 'POST', body: '{"resourceLogs":[]}', headers })
    assert.deepEqual([taken.status, await taken.text()], [200, '{}'])
    assert.equal(
      (await door.request(`/v1/${signal}`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })).status,
      401,
    )
  }
  const empty = await send(new Uint8Array(0), 'application/x-protobuf')
  assert.deepEqual([empty.status, (await empty.arrayBuffer()).byteLength], [200, 0])
  const tool = (spanId: string, start: number) => ({
    traceId: 'ab'.repeat(16),
    spanId,
    name: 'execute_tool t',
    startTimeUnixNano: `${start}000000`,
    endTimeUnixNano: `${start}000000`,
    attributes: [{ key: 'gen_ai.tool.name', value: { stringValue: 't' } }],
  })
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'partial' } }] }
  const spans = [tool('01'.repeat(8), door.now), tool('02'.repeat(8), 0), tool('03'.repeat(8), door.now)]
  const partial = await send(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }), 'application/json')
  assert.equal(partial.status, 200)
  const answer = (await partial.json()) as { partialSuccess: { rejectedSpans: string; errorMessage: string } }
  assert.equal(answer.partialSuccess.rejectedSpans, '1')
  assert.match(answer.partialSuccess.errorMessage, /span 1: TIME_INVALID time: must not be .*\?.* Send RFC 3339/)
  assert.equal((await door.deadLetters()).at(-1)?.code, 'TIME_INVALID')
  assert.equal((await door.events()).filter((e) => (e.event['identity'] as { id: string }).id === 'partial').length, 2)
})
