import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AlertPage, AlertView, ConnectView, IngestNotice, StatusView } from '@plumbline/schemas'
import { NOTHING_JUDGED, start, STATUS, TOKEN, view, type Viewer, watch } from './console.testkit.ts'
import { sampleAlert } from './sample-alert.testkit.ts'

test('a token that is bound to a tenant reads this tenant and the demo, nothing else, on every address', async (t) => {
  const asked: string[] = []
  const ask = (what: string, tenants: unknown): void => void asked.push(`${what} ${JSON.stringify(tenants)}`)
  let arrive: (notices: readonly IngestNotice[]) => void = () => undefined
  const { app, stored, console, verdicts } = await start(t, {
    readers: [{ token: TOKEN }, { token: 'acme-token', tenant: 'acme' }],
    events: {
      at: async (tenant) => (ask('at', tenant), []),
      newest: async (tenant) => (ask('newest', tenant), []),
      deadLetters: async (tenants) => (ask('dead letters', tenants), []),
    },
    identities: {
      list: async (tenants) => (ask('identities', tenants), []),
      find: async (tenant) => (ask('identity', tenant), null),
    },
    incidents: { newest: async ({ tenants }) => (ask('incidents', tenants), []) },
    changes: { page: ({ tenants }) => (ask('changes', tenants), []) },
    verdictCounts: { summary: async ({ tenants, since }) => (ask('verdicts', tenants), { since, all: NOTHING_JUDGED, families: [] }) },
    blindSpots: {
      of: (tenant) => (ask('blind spots', tenant), null),
      measure: async (tenant) => (ask('measure', tenant), null),
    },
    status: { now: (tenants) => (ask('status', tenants), STATUS) },
    ingest: { watch: (listener) => ((arrive = listener), () => undefined) },
  })
  for (const tenant of ['acme', 'demo', 'default', 'acme2']) stored.push(view(sampleAlert({ id: `stored-${tenant}`, tenant })))
  for (const tenant of ['acme', 'demo', 'default', 'acme2']) console.publish(sampleAlert({ id: `live-${tenant}`, tenant }), 'delivered')
  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  const get = (url: string, token = 'acme-token') => app.inject({ url, headers: as(token) })
  const ids = async (url: string, token?: string) => (await get(url, token)).json<AlertPage>().alerts.map(({ id }) => id)
  const refused = async (url: string): Promise<void> => {
    const answer = await get(url)
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'TENANT_FORBIDDEN'], url)
  }

  assert.deepEqual((await ids('/v1/alerts')).sort(), ['live-acme', 'live-demo', 'stored-acme', 'stored-demo'])
  assert.deepEqual((await ids('/v1/alerts?tenant=demo')).sort(), ['live-demo', 'stored-demo'])
  assert.equal((await ids('/v1/alerts', TOKEN)).length, 8)
  for (const tenant of ['default', 'acme2']) {
    await refused(`/v1/alerts?tenant=${tenant}`)
    await refused(`/v1/identities?tenant=${tenant}`)
    await refused(`/v1/identities/bot?tenant=${tenant}`)
    await refused(`/v1/events?identity=bot&tenant=${tenant}`)
    await refused(`/v1/dead-letters?tenant=${tenant}`)
    await refused(`/v1/incidents?tenant=${tenant}`)
    await refused(`/v1/changes?tenant=${tenant}`)
    await refused(`/v1/changes?identity=bot&peerGroup=bots&tenant=${tenant}`)
    await refused(`/v1/verdicts?tenant=${tenant}`)
    for (const measure of ['true', 'false']) await refused(`/v1/blind-spots?identity=bot&measure=${measure}&tenant=${tenant}`)
    for (const id of [`stored-${tenant}`, `live-${tenant}`]) {
      assert.equal((await get(`/v1/alerts/${id}`)).statusCode, 404)
      assert.equal((await get(`/v1/alerts/${id}/replay`)).statusCode, 404)
      const judge = { method: 'POST', url: `/v1/alerts/${id}/verdict`, payload: { verdict: 'safe' } } as const
      assert.equal((await app.inject({ ...judge, headers: as('acme-token') })).statusCode, 404)
      assert.equal((await get(`/v1/alerts/${id}`, TOKEN)).statusCode, 200)
    }
  }
  assert.deepEqual(verdicts, [])
  assert.ok(
    asked.every((what) => what.startsWith('at ')),
    'nothing was asked of a store for those refused',
  )
  for (const id of ['stored-acme', 'live-demo']) assert.equal((await get(`/v1/alerts/${id}`)).statusCode, 200)

  asked.length = 0
  for (const url of [
    '/v1/identities',
    '/v1/identities/bot',
    '/v1/events?identity=bot',
    '/v1/dead-letters',
    '/v1/incidents',
    '/v1/changes',
    '/v1/verdicts',
    '/v1/blind-spots?identity=bot',
    '/v1/blind-spots?identity=bot&measure=true',
    '/v1/status',
  ])
    await get(url)
  assert.deepEqual(asked, [
    'identities ["acme","demo"]',
    'identity "acme"',
    'newest "acme"',
    'dead letters ["acme","demo"]',
    'incidents ["acme","demo"]',
    'changes ["acme","demo"]',
    'verdicts ["acme","demo"]',
    'blind spots "acme"',
    'measure "acme"',
    'status ["acme","demo"]',
  ])
  asked.length = 0
  for (const url of [
    '/v1/identities',
    '/v1/identities/bot',
    '/v1/events?identity=bot',
    '/v1/dead-letters',
    '/v1/incidents',
    '/v1/changes',
    '/v1/verdicts',
    '/v1/blind-spots?identity=bot',
    '/v1/blind-spots?identity=bot&measure=true',
    '/v1/status',
  ])
    await get(url, TOKEN)
  assert.deepEqual(asked, [
    'identities null',
    'identity "default"',
    'newest "default"',
    'dead letters null',
    'incidents null',
    'changes null',
    'verdicts null',
    'blind spots "default"',
    'measure "default"',
    'status null',
  ])

  const notice = { receivedAt: 1, identity: 'bot', kind: 'agent', attested: null, action: 'search', via: 'events' } as const
  arrive(['default', 'acme'].map((tenant) => ({ ...notice, tenant })))
  const connect = async (token: string): Promise<ConnectView> => (await get('/v1/connect', token)).json()
  assert.deepEqual([(await connect('acme-token')).tenant, (await connect(TOKEN)).tenant], ['acme', 'default'])
  assert.deepEqual(
    (await connect('acme-token')).recent.map(({ tenant }) => tenant),
    ['acme'],
  )
  assert.equal((await connect(TOKEN)).recent.length, 2)
})

test('the stream of a bound token carries its tenant and the demo, also what it missed', async (t) => {
  let arrive: (notices: readonly IngestNotice[]) => void = () => undefined
  const { app, console } = await start(t, {
    readers: [{ token: TOKEN }, { token: 'acme-token', tenant: 'acme' }],
    status: { now: (tenants) => ({ ...STATUS, phase: `of ${tenants === null ? 'all' : tenants.join()}` }) },
    ingest: { watch: (listener) => ((arrive = listener), () => undefined) },
  })
  const mine = await watch(app, { authorization: 'Bearer acme-token' })
  const all = await watch(app)
  await Promise.all([mine.until(2), all.until(2)])
  const publish = (tenant: string, id: string): void => console.publish(sampleAlert({ id, tenant }), 'delivered')
  for (const tenant of ['default', 'acme', 'acme2', 'demo']) publish(tenant, `of-${tenant}`)
  const notice = { receivedAt: 1, identity: 'bot', kind: 'agent', attested: null, action: 'search', via: 'events' } as const
  arrive([{ ...notice, tenant: 'default' }])
  publish('acme', 'last')
  await Promise.all([mine.until(5), all.until(8)])
  const seen = ({ events }: Viewer) =>
    events.map(({ event, data }) => (event === 'status' ? (data as StatusView).phase : event === 'alert' ? (data as AlertView).id : event))
  assert.deepEqual(seen(mine), ['reset', 'of acme,demo', 'of-acme', 'of-demo', 'last'])
  assert.deepEqual(seen(all), ['reset', 'of all', 'of-default', 'of-acme', 'of-acme2', 'of-demo', 'ingest', 'last'])
  mine.stop()
  all.stop()
  const from = all.events[0]?.id ?? ''
  const again = await watch(app, { authorization: 'Bearer acme-token', 'last-event-id': from })
  await again.until(4)
  assert.deepEqual(seen(again), ['of-acme', 'of-demo', 'last', 'of acme,demo'])
  again.stop()
})
