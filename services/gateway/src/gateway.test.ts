import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHealth, createMetrics } from '@plumbline/runtime'
import { createAuthenticator, createGateway, createIngestClock, openApiDocument, PROBLEMS } from './index.ts'
import { toProblem } from './problems.ts'

test('tokens: only a whole bearer token of a known credential, whichever it is', () => {
  const authenticate = createAuthenticator([
    { id: 'a', token: 'token-a' },
    { id: 'b', token: 'token-b', tenant: 'acme' },
  ])
  assert.equal(authenticate('Bearer token-a')?.id, 'a')
  assert.equal(authenticate('bearer   token-b ')?.tenant, 'acme')
  for (const bad of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'token-a',
    'Bearer token',
    'Bearer token-aa',
    'Basic token-a',
    `Bearer ${'x'.repeat(5000)}`,
    'Bearer token-a token-b',
  ]) {
    assert.equal(authenticate(bad), undefined, bad)
  }
  assert.equal(createAuthenticator([])('Bearer x'), undefined)
})

test('arrival times never go back', () => {
  const times = [5.7, 3, 9, 8, 10]
  const clock = createIngestClock(() => times.shift() as number)
  assert.deepEqual([clock(), clock(), clock(), clock(), clock()], [5, 5, 9, 9, 10])
})

test('every problem has a status, a remedy and a place in the OpenAPI document; retryable ones say when', () => {
  const text = JSON.stringify(openApiDocument('1.2.3'))
  for (const [code, known] of Object.entries(PROBLEMS)) {
    assert.ok(known.status >= 400 && known.remedy !== '')
    assert.equal(known.status === 429 || known.status === 503, known.retryAfterS !== undefined, code)
    if (code !== 'INTERNAL') assert.ok(text.includes(`${code}: `), code)
  }
  assert.equal(toProblem(new Error('secret path')).body.message.includes('secret'), false)
})

test('the OpenAPI document stands on its own: every reference is there, every path parameter declared', () => {
  const document = openApiDocument('1.2.3') as {
    openapi: string
    components: { schemas: Record<string, unknown> }
    paths: Record<string, Record<string, { parameters: { name: string; in: string }[]; responses: object }>>
  }
  assert.equal(document.openapi, '3.1.0')
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g))
    assert.ok(document.components.schemas[name as string], name)
  assert.ok(!JSON.stringify(document).includes('#/$defs'), 'no reference into a document of its own')
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations)) {
      const declared = operation.parameters.filter((p) => p.in === 'path').map((p) => p.name)
      assert.deepEqual(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]),
      )
      assert.ok(Object.keys(operation.responses).length > 0)
    }
  }
})

test('operations routes are open, headers are set, unknown addresses answer in JSON', async () => {
  const health = createHealth()
  let ready = false
  health.register('store', () => ({ ok: ready }))
  const app = createGateway({
    port: { ingest: () => Promise.resolve({ offsets: [] }) },
    shards: 4,
    credentials: [],
    clock: createIngestClock(),
    metrics: createMetrics(),
    health,
    version: '1.2.3',
  })
  try {
    assert.equal((await app.inject('/healthz')).statusCode, 200)
    assert.equal((await app.inject('/readyz')).statusCode, 503)
    ready = true
    assert.equal((await app.inject('/readyz')).statusCode, 200)
    assert.match((await app.inject('/metrics')).body, /plumbline_ingest_requests_total/)
    assert.equal((await app.inject('/v1/openapi.json')).json<{ info: { version: string } }>().info.version, '1.2.3')
    const missing = await app.inject('/v1/none')
    assert.deepEqual([missing.statusCode, missing.json<{ code: string }>().code], [404, 'NOT_FOUND'])
    const refused = await app.inject({ method: 'POST', url: '/v1/events', payload: '{}' })
    assert.equal(refused.statusCode, 401)
    assert.equal(refused.headers['www-authenticate'], 'Bearer')
    for (const [authorization, words] of [
      ['', /needs a token/],
      ['Bearer abc', /token is wrong/],
      ['Basic abc', /not "Bearer"/],
    ] as const) {
      const { body } = await app.inject({ method: 'POST', url: '/v1/events', payload: '{}', headers: { authorization } })
      assert.match(JSON.parse(body).message as string, words)
    }
    assert.equal(refused.headers['x-content-type-options'], 'nosniff')
  } finally {
    await app.close()
  }
})
