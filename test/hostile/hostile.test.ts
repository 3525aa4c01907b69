import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { HOSTILE } from './corpus.testkit.ts'
import { event, line, NOW, openDoor, type TestDoor, TOKEN } from './door.testkit.ts'

/** Classes B1 to B8 of hostile input, each in the middle of good events, through the real door into the real log. */

let door: TestDoor
before(async () => {
  door = await openDoor()
})
after(() => door.close())

const lines = (...parts: readonly (string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.flatMap((p) => [Buffer.from(p as string), Buffer.from('\n')]))
const list = (...parts: readonly (string | Uint8Array)[]): Uint8Array => {
  const joined = parts.flatMap((p, i) => (i === 0 ? [Buffer.from(p as string)] : [Buffer.from(','), Buffer.from(p as string)]))
  return Buffer.concat([Buffer.from('['), ...joined, Buffer.from(']')])
}

let serial = 0
for (const hostile of HOSTILE) {
  test(`${hostile.title}: refused with ${hostile.code}, its neighbours kept`, async () => {
    const forms: [Uint8Array, string][] = [[lines(line(`n${serial}a`), hostile.body, line(`n${serial}b`)), 'application/x-ndjson']]
    // In a list, brackets that never close take the rest of the list with them.
    if (hostile.title !== 'half an object' && !hostile.title.includes('open brackets')) {
      forms.push([list(line(`n${serial}c`), hostile.body, line(`n${serial}d`)), 'application/json'])
    }
    const before = (await door.deadLetters()).length
    for (const [body, type] of forms) {
      const { status, answer } = await door.post(gzipSync(body), { 'content-type': type, 'content-encoding': 'gzip' })
      assert.equal(status, 202)
      assert.equal(answer.accepted, 2, JSON.stringify(answer))
      assert.equal(answer.rejected, 1)
      const [error] = answer.errors
      assert.ok(error)
      assert.equal(error.index, 1)
      assert.equal(error.code, hostile.code)
      if (hostile.field !== undefined) assert.equal(error.field, hostile.field)
      assert.notEqual(error.remedy, '')
    }
    const ids = new Set((await door.events()).map((e) => e.id))
    for (const suffix of forms.length === 1 ? ['a', 'b'] : ['a', 'b', 'c', 'd']) assert.ok(ids.has(`n${serial}${suffix}`))
    assert.ok(!ids.has('hostile'))
    const letters = (await door.deadLetters()).slice(before)
    assert.deepEqual(
      letters.map((l) => [l.code, l.stage, l.topic, l.ingestTime]),
      forms.map(() => [hostile.code, 'door', 'http', NOW]),
    )
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    serial++
  })
}

test('B1 brackets that never close in a list: what stood before them is kept, the rest is one reason', async () => {
  const { status, answer } = await door.post(`[${line('open-a')},${line('open-b')},${'['.repeat(5000)}`)
  assert.equal(status, 202)
  assert.equal(answer.accepted, 2)
  assert.deepEqual(new Set(answer.errors.map((e) => e.code)), new Set(['JSON_TOO_DEEP', 'JSON_SYNTAX']))
})

test('B3 compression bombs are stopped at the limit, in little memory', async () => {
  const bomb = gzipSync(Buffer.alloc(128 * 1024 * 1024))
  assert.ok(bomb.length < 150_000)
  const rss = process.memoryUsage().rss
  const { status, answer } = await door.post(bomb, { 'content-encoding': 'gzip' })
  assert.equal(status, 413)
  assert.equal((answer as unknown as { code: string }).code, 'BODY_TOO_LARGE')
  assert.ok(process.memoryUsage().rss - rss < 200 * 1024 * 1024)
  const broken = await door.post('not gzip', { 'content-encoding': 'gzip' })
  assert.equal(broken.status, 400)
  const twice = await door.post('x', { 'content-encoding': 'br' })
  assert.equal(twice.status, 415)
})

test('a body over the limit is refused by its stated length and by its real one', async () => {
  const small = await openDoor({ limits: { bodyBytes: 1000 } })
  try {
    const stated = await small.post('x'.repeat(2000))
    assert.equal(stated.status, 413)
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('x'.repeat(2000)))
        controller.close()
      },
    })
    const chunked = await small.request('/v1/events', {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    } as RequestInit)
    assert.equal(chunked.status, 413)
    assert.deepEqual(await small.events(), [])
  } finally {
    await small.close()
  }
})

test('more events than a request may hold are refused as a whole; as many as it may hold are judged one by one', async () => {
  const own = await openDoor()
  try {
    const over = await own.post('{}\n'.repeat(10_001), { 'content-type': 'application/x-ndjson' })
    assert.equal(over.status, 413)
    assert.deepEqual([(await own.events()).length, (await own.deadLetters()).length], [0, 0])
    const full = await own.post(`${'{}\n'.repeat(9999)}${line('last')}`, { 'content-type': 'application/x-ndjson' })
    assert.deepEqual([full.status, full.answer.accepted, full.answer.rejected, full.answer.errors.length], [202, 1, 9999, 1000])
    assert.deepEqual([(await own.events()).length, (await own.deadLetters()).length], [1, 9999])
  } finally {
    await own.close()
  }
})

test('B7 late events are taken: the detector marks them; arrival never goes back', async () => {
  const own = await openDoor()
  try {
    await own.post(line('late', { time: NOW - 400 * 86_400_000 }))
    own.now = NOW - 3_600_000
    await own.post(line('clock-went-back'))
    own.now = NOW + 10
    await own.post(line('later'))
    const stored = await own.events()
    assert.deepEqual(
      stored.map((e) => [e.id, e.ingestTimeMs]),
      [
        ['clock-went-back', NOW],
        ['late', NOW],
        ['later', NOW + 10],
      ],
    )
  } finally {
    await own.close()
  }
})

test('B8 duplicate ids reach the log both times (the detector flags them); a repeated request with a key does not', async () => {
  const own = await openDoor()
  try {
    const first = await own.post(line('same'), { 'idempotency-key': 'k-1' })
    const again = await own.post(line('same'), { 'idempotency-key': 'k-1' })
    assert.deepEqual([first.status, again.status], [202, 202])
    assert.deepEqual(again.answer, first.answer)
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
    assert.equal((await own.events()).length, 1)
    await own.post(`[${line('same')},${line('same')}]`)
    assert.equal((await own.events()).length, 3)
    assert.equal((await own.post(line('x'), { 'idempotency-key': 'k'.repeat(201) })).status, 400)
  } finally {
    await own.close()
  }
})

test('B10 a bound token cannot speak for another tenant or identity, and proof is not self-made', async () => {
  const own = await openDoor({
    credentials: [
      { id: 'test', token: TOKEN },
      { id: 'bound', token: 'bound-token-0123456789', tenant: 'acme', identity: { id: 'bot', kind: 'agent' } },
      { id: 'relay', token: 'relay-token-0123456789', relays: true },
    ],
    reservedTenants: ['demo'],
  })
  try {
    const bound = { authorization: 'Bearer bound-token-0123456789' }
    const { answer } = await own.post(
      `[${line('1')},${line('2', { tenant: 'other' })},${line('3', { identity: { id: 'ceo', kind: 'agent' } })},${line('4', { identity: { id: 'bot', kind: 'user' } })}]`,
      bound,
    )
    assert.deepEqual(
      answer.errors.map((e) => [e.index, e.code, e.field]),
      [
        [1, 'CREDENTIAL_MISMATCH', 'tenant'],
        [2, 'CREDENTIAL_MISMATCH', 'identity.id'],
        [3, 'CREDENTIAL_MISMATCH', 'identity.kind'],
      ],
    )
    const claim = line('5', { identity: { id: 'bot', kind: 'agent', attested: 'spiffe' } })
    await own.post(claim)
    await own.post(claim.replace('"5"', '"6"'), { authorization: 'Bearer relay-token-0123456789' })
    const stored = new Map((await own.events()).map((e) => [e.id, e.event]))
    assert.deepEqual(stored.get('1')?.['tenant'], 'acme')
    assert.deepEqual(stored.get('1')?.['identity'], { id: 'bot', kind: 'agent', attested: 'token' })
    assert.deepEqual(stored.get('5')?.['identity'], { id: 'bot', kind: 'agent' })
    assert.deepEqual(stored.get('6')?.['identity'], { id: 'bot', kind: 'agent', attested: 'spiffe' })
    const reserved = await own.post(
      `${line('7', { tenant: 'demo' })}\n${line('8', { tenant: 'free' })}\n${line('9', { tenant: 'demo|x' })}`,
    )
    assert.deepEqual(
      reserved.answer.errors.map((e) => [e.index, e.code, e.field]),
      [
        [0, 'TENANT_RESERVED', 'tenant'],
        [2, 'TENANT_RESERVED', 'tenant'],
      ],
    )
    assert.match(reserved.answer.errors[0]?.message ?? '', /tenant demo is reserved/)
  } finally {
    await own.close()
  }
})

test('unknown fields never cost the event: kept as attributes where they fit, else counted', async () => {
  const own = await openDoor()
  try {
    const identity = { id: 'bot', kind: 'agent', badge: 7, claims: { team: 'cx' } }
    const { answer } = await own.post(
      `${line('later', { identity, tags: ['a'], prompt: 'x'.repeat(600), text: 'a\u0000b' })}\n${line('now')}`,
    )
    assert.deepEqual([answer.accepted, answer.rejected], [2, 0])
    const later = (await own.events()).find((e) => e.id === 'later')
    assert.deepEqual(later?.event['identity'], { id: 'bot', kind: 'agent' })
    assert.deepEqual(later?.event['attributes'], {
      'identity.badge': 7,
      'identity.claims': '{"team":"cx"}',
      'plumbline.leftOut': 2,
      tags: '["a"]',
    })
    const { values } = await own.metrics.plumbline_ingest_fields_left_out_total.get()
    assert.deepEqual(
      values.map((v) => v.value),
      [2],
    )
  } finally {
    await own.close()
  }
})

test('unknown scalar fields are kept as attributes; pretty-printed and mislabelled bodies are understood', async () => {
  const own = await openDoor()
  try {
    const told = (await own.post(JSON.stringify(event('pretty', { region: 'eu', attempt: 2 }), null, 2))).answer
    assert.deepEqual([told.accepted, told.warnings?.map((w) => w.field)], [1, ['region', 'attempt']])
    assert.equal((await own.post(`${line('l1')}\n${line('l2')}\n`)).answer.accepted, 2)
    assert.equal(
      (await own.post(`  [ ${line('c1')} , ${line('c2')} ]  `, { 'content-type': 'application/x-www-form-urlencoded' })).answer.accepted,
      2,
    )
    assert.equal((await own.post('[]')).answer.accepted, 0)
    assert.equal((await own.post(' \n ')).answer.accepted, 0)
    assert.equal((await own.post('')).status, 400)
    const pretty = (await own.events()).find((e) => e.id === 'pretty')
    assert.deepEqual(pretty?.event['attributes'], { attempt: 2, region: 'eu' })
  } finally {
    await own.close()
  }
})

test('what was kept as an attribute is told, each field once, with the name that may have been meant', async () => {
  const own = await openDoor()
  try {
    const typo = { bytesout: 5, region: 'eu' }
    const { status, answer } = await own.post(`${line('a')}\n${line('b', typo)}\n${line('c', { ...typo, action: 5 })}\n${line('d', typo)}`)
    assert.deepEqual([status, answer.accepted, answer.rejected], [202, 3, 1])
    assert.deepEqual(answer.warnings, [
      { index: 1, field: 'bytesout', message: 'is not a field of an event and was kept as an attribute; did you mean bytesOut?' },
      { index: 1, field: 'region', message: 'is not a field of an event and was kept as an attribute' },
    ])
    assert.equal('warnings' in (await own.post(line('e', { bytesOut: 5 }))).answer, false)
    const many = Array.from({ length: 40 }, (_, i) =>
      line(`m${i}`, Object.fromEntries(Array.from({ length: 30 }, (_, j) => [`field ${i} ${j}`, j]))),
    )
    assert.equal((await own.post(many.join('\n'))).answer.warnings?.length, 100)
  } finally {
    await own.close()
  }
})

test('without a good token nothing is read, and strangers are slowed down', async () => {
  const own = await openDoor({ limits: { strangersPerSecond: 5 } })
  try {
    const statuses: number[] = []
    for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, `bearer  ${TOKEN}`]) {
      const { status } = await own.post(line('t'), { authorization })
      statuses.push(status)
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 202])
    const flood = await Promise.all(Array.from({ length: 30 }, () => own.post(line('f'), { authorization: 'Bearer guess' })))
    const refused = flood.filter((r) => r.status === 429)
    assert.ok(refused.length > 10 && refused.every((r) => r.headers.get('retry-after') !== null))
    assert.equal((await own.events()).length, 1)
  } finally {
    await own.close()
  }
})

test('when the log fails, is full or too much is under way the sender is told to come back, and nothing is half taken', async () => {
  let reason: string | undefined
  const own = await openDoor({ limits: { inflightBytes: 4000 }, pressure: () => reason })
  const failing = await openDoor({ port: { ingest: () => Promise.reject(new Error('disk I/O error at /var/secret')) } })
  try {
    const tooMuch = await own.post(line('a', { attributes: { a: 'x'.repeat(500) } }).repeat(12))
    assert.deepEqual([tooMuch.status, tooMuch.headers.get('retry-after')], [503, '1'])
    reason = 'The disk is full.'
    const full = await own.post(line('b'))
    assert.equal(full.status, 503)
    reason = undefined
    assert.equal((await own.post(line('c'))).status, 202)
    assert.deepEqual(
      (await own.events()).map((e) => e.id),
      ['c'],
    )
    const down = await failing.post(line('d'))
    assert.deepEqual([down.status, down.headers.get('retry-after')], [503, '5'])
    assert.ok(!JSON.stringify(down.answer).includes('secret'))
  } finally {
    await own.close()
    await failing.close()
  }
})

test('B25 header floods and slow senders do not keep others out', async () => {
  const { port } = new URL(door.url)
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
      let seen = ''
      socket.on('data', (chunk) => {
        seen += chunk.toString()
        socket.end()
      })
      socket.on('close', () => resolve(seen))
      socket.on('error', reject)
    })
  assert.match(await raw(`POST /v1/events HTTP/1.1\r\nhost: x\r\n${`x-h: ${'y'.repeat(1000)}\r\n`.repeat(40)}\r\n`), /^HTTP\/1\.1 431/)
  const slow = connect(Number(port), '127.0.0.1', () =>
    slow.write(`POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: 1000\r\n\r\n{"id"`),
  )
  slow.on('error', () => undefined)
  const { answer } = await door.post(line('beside-slow'))
  assert.equal(answer.accepted, 1)
  slow.destroy()
})

test('the sums add up: every event of every answer is in the log or the dead letters, and counted', async () => {
  const [events, letters] = [(await door.events()).length, (await door.deadLetters()).length]
  const value = async (metric: { get(): Promise<{ values: readonly { value: number }[] }> }): Promise<number> =>
    (await metric.get()).values.reduce((sum, v) => sum + v.value, 0)
  assert.equal(await value(door.metrics.plumbline_ingest_events_total), events)
  assert.equal(await value(door.metrics.plumbline_ingest_rejected_total), letters)
  // The slow sender of the test before hung up; its socket closes on the next turns.
  for (let i = 0; i < 200 && (await value(door.metrics.plumbline_ingest_inflight_bytes)) > 0; i++) await delay(10)
  assert.equal(await value(door.metrics.plumbline_ingest_inflight_bytes), 0)
})
