import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AlertPage, StatusView } from '@plumbline/schemas'
import { alertOf, instanceWithAlerts, until } from './alerting.testkit.ts'

test('with a tenant configured the token reads that tenant and the demo only', async (t) => {
  const alerts = [alertOf(1, 'acme'), alertOf(2, 'default'), alertOf(3, 'demo')]
  const { service } = await instanceWithAlerts(t, alerts, { tenant: 'acme' })
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const ask = async (path: string, init: RequestInit = {}): Promise<number> =>
    (await fetch(service.url + path, { ...init, headers })).status
  const seen = await until(async () => {
    const page = (await (await fetch(`${service.url}/v1/alerts`, { headers })).json()) as AlertPage
    return page.alerts.length > 1 && page.alerts.map(({ id }) => id).sort()
  })
  assert.deepEqual(seen, [alertOf(1).id, alertOf(3).id])
  const verdict = { method: 'POST', body: JSON.stringify({ verdict: 'dismissed' }) }
  assert.equal(await ask(`/v1/alerts/${alertOf(2).id}`), 404)
  assert.equal(await ask(`/v1/alerts/${alertOf(2).id}/verdict`, verdict), 404)
  assert.equal(await ask(`/v1/alerts/${alertOf(1).id}/verdict`, verdict), 202)
  for (const path of ['alerts', 'identities', 'identities/bot', 'dead-letters', 'changes'])
    assert.equal(await ask(`/v1/${path}?tenant=default`), 403, path)
  assert.equal(await ask('/v1/events?tenant=default&identity=bot'), 403)
})

test('without one it reads every tenant', async (t) => {
  const { service } = await instanceWithAlerts(t, [alertOf(1, 'acme'), alertOf(2, 'default')])
  const headers = { authorization: `Bearer ${service.token}` }
  await until(async () => {
    const page = (await (await fetch(`${service.url}/v1/alerts`, { headers })).json()) as AlertPage
    return page.alerts.length === 2
  })
  assert.equal((await fetch(`${service.url}/v1/alerts/${alertOf(1).id}`, { headers })).status, 200)
})

test('the status counts alerts of today, delivered and held back, of tenants that are there', async (t) => {
  const now = Date.now()
  const at = (n: number, tenant: string, firstSeen: number) => alertOf(n, tenant, { firstSeen, lastSeen: firstSeen })
  const alerts = [at(1, 'acme', now), at(2, 'acme', now), at(3, 'acme', now), at(4, 'other', now), at(5, 'removed', now)]
  const { service } = await instanceWithAlerts(t, [...alerts, at(6, 'acme', now - 2 * 86_400_000)], { alertBudgetPerDay: 1 })
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const status = async (): Promise<StatusView> => (await (await fetch(`${service.url}/v1/status`, { headers })).json()) as StatusView
  assert.deepEqual([(await status()).alerts, (await status()).held], [0, 0], 'no tenant has sent anything yet')
  const event = { time: now, identity: { id: 'bot', kind: 'agent' }, action: 'kb.search', resource: { class: 'kb' } }
  const body = JSON.stringify(['acme', 'other'].map((tenant) => ({ ...event, id: tenant, tenant })))
  assert.equal((await fetch(`${service.url}/v1/events`, { method: 'POST', headers, body })).status, 202)
  const seen = await until(async () => {
    const found = await status()
    return found.tenants === 2 && found
  })
  assert.deepEqual([seen.alerts, seen.held, seen.events], [2, 2, 2])
  assert.deepEqual(seen.counts.map(({ tenant, alerts, held }) => [tenant, alerts, held]).sort(), [
    ['acme', 1, 2],
    ['other', 1, 0],
  ])
})
