import assert from 'node:assert/strict'
import { request as rawRequest } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createTenantLedger, tenantOfValue, tenantValueName } from '@plumbline/gateway'
import { createLogger } from '@plumbline/runtime'
import { IngestRefusal, REJECT_CODES, rejection, type RejectCode } from '@plumbline/schemas'
import { line, NOW, openDoor, type TestDoor, TOKEN } from './door.testkit.ts'

/** What a holder of the token, or somebody without one, can try beyond the content of events. */

const opened = async (t: TestContext, options: Parameters<typeof openDoor>[0] = {}): Promise<TestDoor> => {
  const door = await openDoor(options)
  t.after(() => door.close())
  return door
}
const batch = (...lines: readonly string[]): string => `[${lines.join(',')}]`
const of = (id: string, tenant: string): string => line(id, { tenant })
const codes = (answer: { errors: readonly { index: number; code: string; field: string }[] }) =>
  answer.errors.map(({ index, code, field }) => [index, code, field])

test('tenants are bounded per token and per instance: one more is refused, its neighbours and the known ones are kept', async (t) => {
  const door = await opened(t, {
    credentials: [
      { id: 'test', token: TOKEN },
      { id: 'second', token: 'second-token-0123456789' },
    ],
    tenants: createTenantLedger({ perInstance: 4, perToken: 3 }),
  })
  const first = await door.post(
    batch(of('1', 'a'), of('2', 'b'), of('3', 'c'), of('4', 'd'), of('5', 'a'), of('6', 'e'), line('in-default')),
  )
  assert.equal(first.status, 202)
  assert.deepEqual(codes(first.answer), [
    [3, 'TENANT_LIMIT', 'tenant'],
    [5, 'TENANT_LIMIT', 'tenant'],
  ])
  assert.match(first.answer.errors[0]?.message ?? '', /this token has opened 3 tenants/)
  assert.match(first.answer.errors[0]?.remedy ?? '', /maxTenantsPerToken/)
  const second = { authorization: 'Bearer second-token-0123456789' }
  const other = await door.post(batch(of('7', 'a'), of('8', 'f'), of('9', 'g')), second)
  assert.deepEqual(codes(other.answer), [[2, 'TENANT_LIMIT', 'tenant']])
  assert.match(other.answer.errors[0]?.message ?? '', /there are 4 tenants/)
  assert.equal((await door.post(of('10', 'f'))).answer.accepted, 1, 'a tenant that another token opened is known')
  assert.deepEqual((await door.events()).map((e) => e.id).sort(), ['1', '10', '2', '3', '5', '7', '8', 'in-default'])
  assert.deepEqual(
    (await door.deadLetters()).map((l) => [l.code, Buffer.from(l.payload, 'base64').toString().includes('"tenant"')]),
    [
      ['TENANT_LIMIT', true],
      ['TENANT_LIMIT', true],
      ['TENANT_LIMIT', true],
    ],
  )
  // Who opened what is stored with the events, so that a restart counts on.
  const stored = door.log.kv
    .list(tenantValueName(''))
    .map((name) => [tenantOfValue(name), Buffer.from(door.log.kv.get(name) ?? '').toString()])
  assert.deepEqual(stored.sort(), [
    ['a', 'test'],
    ['b', 'test'],
    ['c', 'test'],
    ['f', 'second'],
  ])
})

test('a tenant whose first request failed takes no place; one that was removed gives its place back', async (t) => {
  let fail = true
  const tenants = createTenantLedger({ perInstance: 10, perToken: 1 })
  const door = await opened(t, {
    tenants,
    port: { ingest: (b) => (fail ? Promise.reject(new Error('full')) : Promise.resolve({ offsets: b.records.map(() => 0) })) },
  })
  assert.equal((await door.post(of('1', 'a'))).status, 503)
  fail = false
  assert.equal((await door.post(of('2', 'b'))).answer.accepted, 1)
  assert.equal((await door.post(of('3', 'a'))).status, 422)
  tenants.close('b')
  assert.equal((await door.post(of('4', 'a'))).answer.accepted, 1)

  const [one, two] = [tenants.claim('x'), tenants.claim('y')]
  assert.equal(one.admit('new'), null)
  assert.equal(two.admit('new'), null)
  one.settle(false)
  assert.deepEqual(Object.keys(two.values), [tenantValueName('new')], 'who relies on it stores it too')
  two.settle(true)
  const third = tenants.claim('x')
  assert.equal(third.admit('more')?.code, 'TENANT_LIMIT')
  third.settle(true)
  assert.throws(() => third.settle(true), { code: 'CLAIM_SETTLED' })
})

test('an Idempotency-Key with another body is refused and loses nothing; the body may be packed another way', async (t) => {
  const door = await opened(t)
  const key = { 'idempotency-key': 'k' }
  assert.equal((await door.post(line('1'), key)).status, 202)
  const reused = await door.post(line('2'), key)
  assert.equal(reused.status, 422)
  assert.equal((reused.answer as unknown as { code: string }).code, 'IDEMPOTENCY_KEY_REUSED')
  assert.equal(reused.headers.get('idempotency-replayed'), null)
  const again = await door.post(line('1'), key)
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [202, 'true'])
  const packed = await door.post(gzipSync(line('1')), { ...key, 'content-encoding': 'gzip' })
  assert.deepEqual([packed.status, packed.headers.get('idempotency-replayed')], [202, 'true'])
  assert.equal((await door.post(line('2'), { 'idempotency-key': 'k2' })).answer.accepted, 1)
  assert.deepEqual(
    (await door.events()).map((e) => e.id),
    ['1', '2'],
  )
})

test('a batch of which nothing got in says so by its status, also when repeated; part of one is a success', async (t) => {
  const door = await opened(t)
  const key = { 'idempotency-key': 'k' }
  const bad = batch('{}', line('late', { time: NOW + 3_600_000 }))
  for (const replayed of [null, 'true']) {
    const { status, answer, headers } = await door.post(bad, key)
    assert.equal(status, 422)
    const refusal = IngestRefusal.parse(answer)
    assert.deepEqual([refusal.code, refusal.accepted, refusal.rejected], ['EVENTS_REFUSED', 0, 2])
    assert.deepEqual(
      refusal.errors.map(({ code }) => code),
      ['FIELD_MISSING', 'TIME_FUTURE'],
    )
    assert.equal(headers.get('idempotency-replayed'), replayed)
  }
  assert.equal((await door.deadLetters()).length, 2, 'in the dead letters, once')
  assert.equal((await door.post(batch('{}', line('1')))).status, 202)
  assert.equal((await door.post('[]')).status, 202)
})

test('B23 a small packed request of much garbage leaves little: a dead letter each, with the beginning of what arrived', async (t) => {
  const door = await opened(t)
  const body = `[${Array.from({ length: 5000 }, () => `"${'x'.repeat(3000)}"`).join()}]`
  const packed = gzipSync(body)
  assert.ok(packed.length < 50_000)
  assert.equal((await door.post(packed, { 'content-encoding': 'gzip' })).answer.rejected, 5000)
  const sizes = (await door.deadLetters()).map((letter) => Buffer.from(letter.payload, 'base64').length)
  assert.equal(sizes.length, 5000)
  assert.ok(sizes.every((size) => size >= 128) && sizes[0] === 3002)
  assert.ok(sizes.reduce((sum, size) => sum + size) < 2 * 1024 * 1024)
})

const LOOK_ALIKES: readonly (readonly [title: string, text: string])[] = [
  ['zero-width space', 'bot\u200b'],
  ['zero-width joiner', 'b\u200dot'],
  ['word joiner', 'b\u2060ot'],
  ['byte order mark', '\ufeffbot'],
  ['soft hyphen', 'b\u00adot'],
  ['combining grapheme joiner', 'b\u034fot'],
  ['variation selector', 'bot\ufe0f'],
  ['variation selector supplement', 'bot\u{e0100}'],
  ['tag letters', 'bot\u{e0061}\u{e007f}'],
  ['Hangul filler', 'bot\u3164'],
  ['Mongolian vowel separator', 'b\u180eot'],
  ['Arabic letter mark', 'b\u061cot'],
  ['invisible times', 'b\u2062ot'],
  ['blank braille', 'bot\u2800'],
  ['no-break space', 'support\u00a0bot'],
  ['ideographic space', 'support\u3000bot'],
  ['musical control', 'bot\u{1d173}'],
  ['interlinear annotation', 'bot\ufff9'],
  ['decomposed letter', 'bo\u0302t'],
]

test('names that only look like another are refused by field, their neighbours kept', async (t) => {
  const door = await opened(t)
  for (const [title, text] of LOOK_ALIKES) {
    const { status, answer } = await door.post(
      batch(
        line('a'),
        line('x', { identity: { id: text, kind: 'agent' } }),
        line('y', { tenant: text }),
        line('z', { delegation: [{ id: text, kind: 'user' }] }),
        line('w', { peerGroup: text }),
        line('b'),
      ),
    )
    assert.equal(status, 202)
    assert.deepEqual(
      codes(answer),
      [
        [1, 'FIELD_INVALID', 'identity.id'],
        [2, 'FIELD_INVALID', 'tenant'],
        [3, 'FIELD_INVALID', 'delegation.0.id'],
        [4, 'FIELD_INVALID', 'peerGroup'],
      ],
      title,
    )
    assert.ok(!JSON.stringify(answer).includes(text), 'what was sent is not repeated')
  }
  // Names in any alphabet, and what people write elsewhere, stay welcome.
  const fine = await door.post(
    batch(
      line('c', { identity: { id: 'агент-7', kind: 'agent' } }),
      line('d', { identity: { id: 'b\u00f4t', kind: 'agent' } }),
      line('e', { identity: { id: '읽기 ボット', kind: 'agent' } }),
      line('f', { action: '\u{1f6e0}\ufe0f fix', resource: { class: 'files', id: 'Screenshot 10.00\u202fAM.png' } }),
      line('g', { attributes: { note: 'نمی\u200cخواهم' } }),
    ),
  )
  assert.equal(fine.answer.accepted, 5, JSON.stringify(fine.answer))
})

test('a tenant is plain ASCII without odd spaces', async (t) => {
  const door = await opened(t)
  for (const tenant of ['аcme', 'acme ', ' acme', 'ac  me', 'acme\u007f', '']) {
    const { answer } = await door.post(batch(line('n'), of('x', tenant)))
    assert.deepEqual(codes(answer), [[1, 'FIELD_INVALID', 'tenant']], JSON.stringify(tenant))
  }
  assert.equal((await door.post(of('y', 'Acme Corp. (EU) / demo|x'))).answer.accepted, 1)
})

const asked = (url: string, host: string, path = '/healthz'): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    rawRequest(url + path, { headers: { host, authorization: `Bearer ${TOKEN}` } }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
      .on('error', reject)
      .end()
  })

/** What comes back for bytes on a connection. */
const spoken = (url: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes))
    let seen = ''
    socket.on('data', (chunk) => (seen += chunk.toString()))
    socket.on('close', () => resolve(seen))
    socket.on('error', reject)
  })

test('DNS rebinding: only local names, addresses and configured names are answered to, on every route', async (t) => {
  const door = await opened(t, { hosts: ['Plumbline.internal'] })
  for (const host of [
    'localhost',
    'LOCALHOST:7070',
    'a.localhost',
    '127.0.0.1:80',
    '[::1]:7070',
    '10.0.0.7',
    'plumbline.internal.',
    'plumbline.internal:7070',
  ])
    assert.equal((await asked(door.url, host)).status, 200, host)
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'notlocalhost', 'plumbline.internal.evil', '1'])
    for (const path of ['/healthz', '/metrics', '/v1/none', '/v1/events', '/']) {
      const { status, body } = await asked(door.url, host, path)
      assert.equal(status, 421, `${host} ${path}`)
      assert.match(body, /HOST_UNKNOWN.*PLUMBLINE_ALLOWED_HOSTS/)
      assert.ok(host.length < 2 || !body.includes(host))
    }
})

test('an address with a broken percent escape, and a request that is none, are refused in the shape of all refusals', async (t) => {
  const door = await opened(t)
  for (const path of ['/v1/%', '/%ff', '/v1/alerts/%E0%A4%A']) {
    const response = await door.request(path, {})
    assert.equal(response.status, 400)
    assert.deepEqual(Object.keys((await response.json()) as object), ['code', 'message', 'remedy'])
  }
  for (const [sent, status] of [
    ['\u0016\u0003\u0001 hello', 400],
    [`GET / HTTP/1.1\r\nhost: localhost\r\n${`x: ${'y'.repeat(1000)}\r\n`.repeat(40)}\r\n`, 431],
  ] as const) {
    const answer = await spoken(door.url, sent)
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.deepEqual(Object.keys(JSON.parse(answer.split('\r\n\r\n')[1] ?? '') as object), ['code', 'message', 'remedy'])
  }
})

test('overload is logged once per burst and without a stack; a failure of ours with it', async (t) => {
  const lines: string[] = []
  const log = createLogger({ name: 'test', level: 'info', destination: { write: (text: string) => void lines.push(text) } })
  let reason: string | undefined = '9 events wait.'
  const door = await opened(t, { log, pressure: () => reason, port: { ingest: () => Promise.reject(new Error('disk I/O error')) } })
  for (let i = 0; i < 20; i++) assert.equal((await door.post(line('a'))).status, 503)
  reason = undefined
  for (let i = 0; i < 20; i++) assert.equal((await door.post(line('a'))).status, 503)
  const told = lines
    .map((text) => JSON.parse(text) as { code?: string; reason?: string; cause?: string })
    .filter((l) => l.code !== undefined)
  assert.deepEqual(
    told.map((l) => [l.code, l.reason, l.cause]),
    [
      ['OVERLOADED', '9 events wait.', undefined],
      ['STORE_UNAVAILABLE', 'The log cannot take events right now.', 'disk I/O error'],
    ],
  )
  assert.ok(!/"stack"|\\n +at /.test(lines.join('')))
})

test('what is wrong and what to do about it are said once each, for every code', () => {
  for (const code of Object.keys(REJECT_CODES) as RejectCode[]) {
    const { message, remedy } = rejection(code)
    assert.ok(message.length > 10 && remedy.length > 10, code)
    assert.ok(!message.includes(remedy) && !remedy.includes(message), code)
    assert.equal(`${message} ${remedy}`, REJECT_CODES[code])
  }
})
