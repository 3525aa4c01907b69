import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  AlertDetail,
  AlertPage,
  type AlertView,
  type ConnectView,
  type EventView,
  type IngestNotice,
  PlumblineError,
} from '@plumbline/schemas'
import { AUTH, start, TOKEN, view, watch } from './console.testkit.ts'
import { compareKeys, decodeCursor, encodeCursor } from './cursor.ts'
import { sampleAlert } from './sample-alert.testkit.ts'

test('an alert is scored again on request; a build that cannot says which one can', async (t) => {
  const alert = view(sampleAlert({ id: 'a' }))
  const { app, stored } = await start(t)
  stored.push(alert)
  const answer = await app.inject({ url: `/v1/alerts/${alert.id}/replay`, headers: AUTH })
  assert.deepEqual([answer.statusCode, answer.json().identical, answer.json().score], [200, true, alert.score])
  assert.equal((await app.inject({ url: '/v1/alerts/nobody/replay', headers: AUTH })).statusCode, 404)
  const older = await start(t, {
    replays: {
      replay: async () => {
        throw new PlumblineError('REPLAY_VERSION_UNSUPPORTED', 'this build is detector 2.0.0; the alert was made by 1.0.0')
      },
    },
  })
  older.stored.push(alert)
  const refused = await older.app.inject({ url: `/v1/alerts/${alert.id}/replay`, headers: AUTH })
  assert.equal(refused.statusCode, 409)
  assert.equal(refused.json().code, 'REPLAY_VERSION_UNSUPPORTED')
  assert.match(refused.json().message, /made by 1\.0\.0/)
})

test('every address of the API refuses without the token, and says what to do', async (t) => {
  const { app } = await start(t)
  const calls = [
    ['GET', '/v1/alerts'],
    ['GET', '/v1/alerts/x'],
    ['GET', '/v1/alerts/x/replay'],
    ['GET', '/v1/alerts/stream'],
    ['GET', '/v1/identities'],
    ['GET', '/v1/identities/a'],
    ['GET', '/v1/blind-spots?identity=a'],
    ['GET', '/v1/events?identity=a'],
    ['GET', '/v1/status'],
    ['GET', '/v1/dead-letters'],
    ['GET', '/v1/changes'],
    ['GET', '/v1/demo/options'],
    ['GET', '/v1/connect'],
    ['POST', '/v1/alerts/x/verdict'],
    ['POST', '/v1/demo/try'],
    ['DELETE', '/v1/demo'],
  ] as const
  for (const [method, url] of calls) {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: TOKEN }]) {
      const answer = await app.inject({ method, url, headers })
      assert.equal(answer.statusCode, 401, `${method} ${url}`)
      assert.equal(answer.json().code, 'TOKEN_MISSING_OR_WRONG')
    }
    assert.equal((await app.inject({ method, url: `${url}${url.includes('?') ? '&' : '?'}token=${TOKEN}` })).statusCode, 401)
  }
  assert.equal((await app.inject({ method: 'GET', url: '/' })).statusCode, 503, 'the page itself needs no token')
})

test('pages read every alert once, in order, while new ones arrive between pages', async (t) => {
  const { app, console, stored } = await start(t)
  for (let i = 0; i < 25; i++) stored.push(view(sampleAlert({ id: `stored-${i}`, firstSeen: 1000 + Math.floor(i / 3) })))
  for (let i = 0; i < 5; i++) console.publish(sampleAlert({ id: `live-${i}`, firstSeen: 1002 + i }), 'delivered')
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await app.inject({ url: `/v1/alerts?limit=7${query}`, headers: AUTH })
    const page = AlertPage.parse(answer.json())
    seen.push(...page.alerts.map((alert) => alert.id))
    cursor = page.cursor
    console.publish(sampleAlert({ id: `later-${seen.length}`, firstSeen: 9000 }), 'delivered')
  } while (cursor !== null)
  const expected = [...stored.map((alert) => alert.id), 'live-0', 'live-1', 'live-2', 'live-3', 'live-4'].sort()
  assert.deepEqual([...seen].sort(), expected)
})

test('paging equals one sorted list for any alerts and page size', async (t) => {
  const { app, stored } = await start(t)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 40 }), fc.integer({ min: 1, max: 10 }), async (times, limit) => {
      stored.length = 0
      times.forEach((firstSeen, i) => stored.push(view(sampleAlert({ id: `a-${i}`, firstSeen }))))
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const query: string = cursor === null ? '' : `&cursor=${cursor}`
        const page: AlertPage = (await app.inject({ url: `/v1/alerts?limit=${limit}${query}`, headers: AUTH })).json()
        seen.push(...page.alerts.map((alert) => alert.id))
        cursor = page.cursor
      } while (cursor !== null)
      assert.deepEqual(
        seen,
        [...stored].sort(compareKeys).map((alert) => alert.id),
      )
    }),
    { seed: 3, numRuns: 40 },
  )
})

test('what was held back is listed by itself, and worst first when asked', async (t) => {
  const { app, console, stored } = await start(t)
  const held = (id: string, score: number, firstSeen: number): AlertView => ({
    ...view(sampleAlert({ id, firstSeen })),
    score,
    delivery: 'held',
  })
  stored.push(held('low', 40, 3), held('worst', 99, 1), held('old', 70, 1), held('new', 70, 2), view(sampleAlert({ id: 'sent' })))
  console.publish({ ...sampleAlert({ id: 'live', firstSeen: 9 }), score: 80 }, 'held')
  const page = async (query: string): Promise<AlertPage> => (await app.inject({ url: `/v1/alerts?${query}`, headers: AUTH })).json()
  const ids = async (query: string): Promise<string[]> => (await page(query)).alerts.map(({ id }) => id)
  assert.deepEqual(await ids('delivery=held&sort=score'), ['worst', 'live', 'new', 'old', 'low'])
  assert.deepEqual(await ids('delivery=held'), ['live', 'low', 'new', 'worst', 'old'])
  assert.deepEqual(await ids('delivery=delivered'), ['sent'])
  const paged: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const next: AlertPage = await page(`delivery=held&sort=score&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    paged.push(...next.alerts.map(({ id }) => id))
    cursor = next.cursor
  }
  assert.deepEqual(paged, ['worst', 'live', 'new', 'old', 'low'])
  const other = (await page('delivery=held&sort=score&limit=2')).cursor ?? ''
  const mixed = await app.inject({ url: `/v1/alerts?cursor=${other}`, headers: AUTH })
  assert.deepEqual([mixed.statusCode, mixed.json().code], [400, 'CURSOR_INVALID'])
})

test('filters by tenant, identity, severity or worse, time and history', async (t) => {
  const { app, stored } = await start(t)
  stored.push(view(sampleAlert({ id: 'low', severity: 'low', identity: 'a', lastSeen: 10 })))
  stored.push(view(sampleAlert({ id: 'high', severity: 'high', identity: 'b', lastSeen: 20 })))
  stored.push(view(sampleAlert({ id: 'critical', severity: 'critical', identity: 'b', tenant: 'demo', lastSeen: 30 })))
  stored.push(view(sampleAlert({ id: 'old', historic: true, lastSeen: 40 })))
  const ids = async (query: string) => {
    const answer = await app.inject({ url: `/v1/alerts?${query}`, headers: AUTH })
    return answer
      .json<AlertPage>()
      .alerts.map((alert) => alert.id)
      .sort()
  }
  assert.deepEqual(await ids(''), ['critical', 'high', 'low'])
  assert.deepEqual(await ids('severity=high'), ['critical', 'high'])
  assert.deepEqual(await ids('tenant=demo'), ['critical'])
  assert.deepEqual(await ids('identity=a'), ['low'])
  assert.deepEqual(await ids('since=20'), ['critical', 'high'])
  assert.deepEqual(await ids('historic=true'), ['old'])
})

test('what cannot be asked is refused with a code and a remedy', async (t) => {
  const { app } = await start(t)
  for (const url of ['/v1/alerts?limit=0', '/v1/alerts?severity=worst', '/v1/alerts?colour=red', '/v1/alerts?cursor=%7Bx', '/v1/events']) {
    const answer = await app.inject({ url, headers: AUTH })
    assert.equal(answer.statusCode, 400, url)
    assert.match(answer.json().code, /^(REQUEST|CURSOR)_INVALID$/)
    assert.notEqual(answer.json().remedy, '')
  }
  assert.equal((await app.inject({ url: '/v1/alerts/none', headers: AUTH })).statusCode, 404)
  assert.equal((await app.inject({ url: '/v1/identities/none/with/slashes', headers: AUTH })).json().code, 'NOT_FOUND')
  assert.equal((await app.inject({ url: '/v1/demo/options', headers: AUTH })).statusCode, 409)
})

test('any text is refused or accepted as a cursor, never an error of ours', () => {
  const plain = fc
    .tuple(fc.integer(), fc.stringMatching(/^[\w.:-]{1,20}$/), fc.double({ min: 0, max: 100 }))
    .map((parts) => parts.join('|'))
  const anyText = fc.oneof(
    fc.string({ maxLength: 300 }),
    plain.map((text) => Buffer.from(text).toString('base64url')),
  )
  fc.assert(
    fc.property(anyText, fc.constantFrom('time' as const, 'score' as const), (text, sort) => {
      try {
        const key = decodeCursor(text, sort)
        assert.deepEqual(decodeCursor(encodeCursor(key, sort), sort), { ...key, score: Math.fround(key.score) })
      } catch (error) {
        assert.ok(error instanceof PlumblineError && error.code === 'CURSOR_INVALID')
      }
    }),
    { seed: 1 },
  )
})

test('an alert comes with all the events it names, and says of how many', async (t) => {
  const evidence = Array.from({ length: 32 }, (_, offset) => ({ topic: 'events', shard: 3, offset }))
  const eventAt = ({ shard, offset }: { shard: number; offset: number }): EventView => ({
    time: 1,
    eventId: `e${offset}`,
    shard,
    offset,
    session: 's',
    action: 'hr.read',
    resourceClass: 'hr',
    resource: '',
    destination: '',
    sourceIp: '',
    outcome: 'success',
    bytesIn: 0,
    bytesOut: 0,
    score: 90,
    flags: ['alerted'],
  })
  const { app, stored } = await start(t, {
    events: { at: async (_tenant, _identity, positions) => positions.map(eventAt), newest: async () => [], deadLetters: async () => [] },
  })
  stored.push({ ...view(sampleAlert({ id: 'one' })), evidence, count: 214 })
  const detail = AlertDetail.parse((await app.inject({ url: '/v1/alerts/one', headers: AUTH })).json())
  assert.deepEqual([detail.events.length, detail.alert.count, detail.eventsPending], [32, 214, false])
})

test('a verdict is answered once it is recorded, and shows at once', async (t) => {
  const { app, stored, verdicts } = await start(t)
  stored.push(view(sampleAlert({ id: 'one' })))
  const answer = await app.inject({ method: 'POST', url: '/v1/alerts/one/verdict', headers: AUTH, payload: { verdict: 'safe' } })
  assert.equal(answer.statusCode, 202)
  assert.match(answer.json().effect, /learned/)
  assert.deepEqual(verdicts, [{ id: 'one', verdict: 'safe' }])
  const detail = AlertDetail.parse((await app.inject({ url: '/v1/alerts/one', headers: AUTH })).json())
  assert.equal(detail.alert.verdict, 'safe')
  const wrong = await app.inject({ method: 'POST', url: '/v1/alerts/one/verdict', headers: AUTH, payload: { verdict: 'fine' } })
  assert.equal(wrong.statusCode, 400)
  const absent = await app.inject({ method: 'POST', url: '/v1/alerts/two/verdict', headers: AUTH, payload: { verdict: 'safe' } })
  assert.equal(absent.statusCode, 404)
})

test('what was called safe is not unlearned by a later verdict, and the answer says so', async (t) => {
  const { app, stored } = await start(t)
  stored.push(view(sampleAlert({ id: 'one' })))
  const effect = async (verdict: string): Promise<string> =>
    (await app.inject({ method: 'POST', url: '/v1/alerts/one/verdict', headers: AUTH, payload: { verdict } })).json().effect
  assert.doesNotMatch(await effect('confirmed'), /stays learned/)
  await effect('safe')
  assert.match(await effect('dismissed'), /stays learned and quiet/)
  await effect('safe')
  assert.match(await effect('confirmed'), /no longer kept quiet as safe, but what that verdict taught stays learned/)
})

test('a verdict that is not durable is not answered with success', async (t) => {
  const failing = { record: async () => Promise.reject(new PlumblineError('LOG_UNAVAILABLE', 'disk full', { retryable: true })) }
  const { app, stored } = await start(t, { verdicts: failing })
  stored.push(view(sampleAlert({ id: 'one' })))
  const answer = await app.inject({ method: 'POST', url: '/v1/alerts/one/verdict', headers: AUTH, payload: { verdict: 'safe' } })
  assert.equal(answer.statusCode, 503)
  assert.equal((await app.inject({ url: '/v1/alerts/one', headers: AUTH })).json().alert.verdict, null)
})

test('while the store is away, what is in memory is shown and said to be partial', async (t) => {
  const away = async () => Promise.reject(new PlumblineError('STORE_UNAVAILABLE', 'starting', { retryable: true }))
  const { app, console } = await start(t, {
    alerts: { page: away, find: away },
    events: { at: away, newest: away, deadLetters: away },
  })
  console.publish(sampleAlert({ id: 'one' }), 'delivered')
  const page = AlertPage.parse((await app.inject({ url: '/v1/alerts', headers: AUTH })).json())
  assert.deepEqual([page.alerts.map((alert) => alert.id), page.partial, page.cursor], [['one'], true, null])
  const detail = AlertDetail.parse((await app.inject({ url: '/v1/alerts/one', headers: AUTH })).json())
  assert.deepEqual([detail.events, detail.eventsPending], [[], true])
  const verdict = await app.inject({ method: 'POST', url: '/v1/alerts/one/verdict', headers: AUTH, payload: { verdict: 'safe' } })
  assert.equal(verdict.statusCode, 202)
  assert.equal((await app.inject({ url: '/v1/dead-letters', headers: AUTH })).statusCode, 503)
})

test('the stream shows an alert when it is committed, and resumes after the last one seen', async (t) => {
  const { app, console } = await start(t)
  const first = await watch(app)
  await first.until(2)
  assert.deepEqual(
    first.events.map((event) => event.event),
    ['reset', 'status'],
  )
  console.publish(sampleAlert({ id: 'one' }), 'delivered')
  await first.until(3)
  assert.equal(first.events[2]?.event, 'alert')
  assert.equal((first.events[2] as { data: AlertView }).data.id, 'one')
  first.stop()

  console.publish(sampleAlert({ id: 'two' }), 'delivered')
  console.publish(sampleAlert({ id: 'one', revision: 2 }), 'delivered')
  console.publish(sampleAlert({ id: 'one', revision: 1 }), 'delivered')
  const second = await watch(app, { 'last-event-id': first.events[2]?.id ?? '' })
  await second.until(3)
  assert.deepEqual(
    second.events.map((event) => event.event),
    ['alert', 'alert', 'status'],
  )
  assert.deepEqual(
    second.events.slice(0, 2).map((event) => [(event.data as AlertView).id, (event.data as AlertView).revision]),
    [
      ['two', 1],
      ['one', 2],
    ],
  )
  second.stop()

  for (let i = 0; i < 201; i++) console.publish(sampleAlert({ id: `many-${i}` }), 'delivered')
  const longAway = await watch(app, { 'last-event-id': first.events[2]?.id ?? '' })
  await longAway.until(2)
  assert.deepEqual(
    longAway.events.map((event) => event.event),
    ['reset', 'status'],
  )
  longAway.stop()

  const stranger = await watch(app, { 'last-event-id': 'other-start.3' })
  await stranger.until(1)
  assert.equal(stranger.events[0]?.event, 'reset')
  stranger.stop()
})

test('a viewer that does not read is cut off; the others go on', async (t) => {
  const { app, console } = await start(t, { limits: { maxBufferedBytes: 512 * 1024 } })
  const good = await watch(app)
  const { port } = app.server.address() as AddressInfo
  const request = get({ host: '127.0.0.1', port, path: '/v1/alerts/stream', headers: AUTH })
  request.on('error', () => undefined)
  const [slow] = await once(request, 'response')
  slow.pause()
  slow.on('error', () => undefined)
  const connections = () => new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)))
  let published = 0
  // Far more than what the two sockets' kernel buffers can hold.
  while ((await connections()) > 1 && published < 20_000) {
    for (let i = 0; i < 20; i++) console.publish(sampleAlert({ id: `a-${published++}` }), 'delivered')
    await good.until(2 + published)
  }
  assert.equal(await connections(), 1)
  request.destroy()
  good.stop()
})

test('arrivals are acknowledged at once and paced: a flood shows its first and its last', async (t) => {
  let arrive: (notices: readonly IngestNotice[]) => void = () => undefined
  const watchIngest = (listener: typeof arrive) => {
    arrive = listener
    return () => undefined
  }
  const { app } = await start(t, { ingest: { watch: watchIngest } })
  const viewer = await watch(app)
  await viewer.until(2)
  const notice = { receivedAt: 1, tenant: 'default', kind: 'agent', attested: null, action: 'search', via: 'events' } as const
  for (let i = 0; i < 500; i++) arrive([{ ...notice, identity: `agent-${i}` }])
  await viewer.until(4)
  assert.deepEqual(
    viewer.events.slice(2).map((event) => (event.data as IngestNotice).identity),
    ['agent-0', 'agent-499'],
  )
  viewer.stop()
  const connect: ConnectView = (await app.inject({ url: '/v1/connect', headers: AUTH })).json()
  assert.deepEqual(
    connect.recent.map((each) => each.identity),
    Array.from({ length: 10 }, (_, i) => `agent-${499 - i}`),
  )
})

test('only so many viewers at a time', async (t) => {
  const { app } = await start(t, { limits: { maxStreams: 1 } })
  const first = await watch(app)
  const { port } = app.server.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/v1/alerts/stream`, { headers: AUTH })
  assert.equal(answer.status, 503)
  assert.equal(((await answer.json()) as { code: string }).code, 'STREAMS_FULL')
  first.stop()
})

test('blind spots: nothing yet is an answer, nobody is none, and a full queue asks to come again', async (t) => {
  let busy = false
  const { app } = await start(t, {
    blindSpots: {
      of: () => null,
      measure: async () => {
        if (busy) throw new PlumblineError('BLIND_SPOTS_BUSY', 'Too many measurements wait already.', { retryable: true })
        return null
      },
    },
  })
  const get = (more = '') => app.inject({ url: `/v1/blind-spots?identity=bot${more}`, headers: AUTH })
  assert.deepEqual((await get()).json(), { measured: null })
  assert.deepEqual([(await get('&measure=true')).statusCode, (await get('&measure=true')).json().code], [404, 'NOT_FOUND'])
  busy = true
  assert.deepEqual([(await get('&measure=true')).statusCode, (await get('&measure=true')).json().code], [503, 'BLIND_SPOTS_BUSY'])
  assert.equal((await get('&measure=now')).statusCode, 400)
})
