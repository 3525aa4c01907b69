import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ApiError, ChangePage } from '@plumbline/schemas'
import { register, request, site, start } from './changes.testkit.ts'
import type { Standalone } from './index.ts'

const asked = async (service: Standalone, query = '', token = service.token): Promise<readonly [status: number, answer: unknown]> => {
  const answer = await fetch(`${service.url}/v1/changes${query}`, { headers: { authorization: `Bearer ${token}` } })
  return [answer.status, await answer.json()]
}
const pageOf = async (service: Standalone, query = ''): Promise<ChangePage> => ChangePage.parse((await asked(service, query))[1])

test('what was announced is listed, newest first, before and after a restart, without key or signature', async (t) => {
  const { dir, service, announce } = await site(t)
  assert.deepEqual(await pageOf(service), { changes: [], cursor: null })
  const began = Date.now()
  const from = new Date(began + 3_600_000).toISOString()
  await announce(request({ id: 'run-b', ticket: 'CHG-7' }))
  await announce(request({ id: 'run-a', from, scope: { peerGroups: ['support'] } }))
  const page = await pageOf(service)
  assert.deepEqual(
    page.changes.map(({ id, tenant, state, by, actor, scope, what }) => [id, tenant, state, by, actor, scope, what]),
    [
      ['run-a', 'default', 'ahead', 'jane', 'deploy key ci', { peerGroups: ['support'] }, { model: 'alpha-2' }],
      ['run-b', 'default', 'open', 'jane', 'deploy key ci', { identities: ['support-*'] }, { model: 'alpha-2' }],
    ],
  )
  const [second, first] = page.changes
  assert.deepEqual([first?.ticket, second?.from], ['CHG-7', Date.parse(from)])
  assert.ok(page.changes.every(({ announcedAt }) => announcedAt >= began && announcedAt <= Date.now()))
  assert.deepEqual((await pageOf(service, '?identity=support-bot')).changes, [first])
  assert.deepEqual((await pageOf(service, '?state=ahead')).changes, [second])
  const begin = await pageOf(service, '?limit=1')
  assert.deepEqual([begin.changes, (await pageOf(service, `?limit=1&cursor=${begin.cursor}`)).changes], [[second], [first]])

  const [, answer] = await asked(service)
  const { keys } = JSON.parse(readFileSync(join(dir, 'keys', 'deploy-keys.json'), 'utf8')) as { keys: { publicKey: string }[] }
  const text = JSON.stringify(answer)
  assert.ok(!text.includes(keys[0]!.publicKey) && !/signature|publicKey|controlId/i.test(text), text)

  await service.stop()
  const next = await start(dir)
  assert.deepEqual(await pageOf(next), page)
  await next.stop()
})

test('a deploy key that announces reads nothing, and a token that reads announces nothing', async (t) => {
  const { service, announce } = await site(t)
  await announce(request())
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { 'plumbline-key': 'ci', 'plumbline-signature': 'A'.repeat(86) }]) {
    const answer = await fetch(`${service.url}/v1/changes`, { headers: headers as Record<string, string> })
    assert.deepEqual([answer.status, ((await answer.json()) as ApiError).code], [401, 'TOKEN_MISSING_OR_WRONG'])
  }
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  assert.equal((await fetch(`${service.url}/v1/changes`, { method: 'POST', headers, body: JSON.stringify(request()) })).status, 401)
})

test('a token bound to a tenant reads the announcements of this one, whoever else announces', async (t) => {
  const { dir, service, announce } = await site(t, { tenant: 'acme' })
  const keyOf = (tenant: string) => ({ tenant, pair: generateKeyPairSync('ed25519') })
  const [acme, other] = [keyOf('acme'), keyOf('other')]
  register(
    dir,
    [acme, other].map(({ tenant, pair }) => ({ id: tenant, tenant, key: pair.publicKey })),
  )
  for (const { tenant, pair } of [acme, other]) {
    const [status] = await announce(request({ id: `of-${tenant}` }), { key: pair.privateKey, name: tenant })
    assert.equal(status, 201)
  }
  for (const query of ['', '?tenant=acme', '?identity=support-bot'])
    assert.deepEqual(
      (await pageOf(service, query)).changes.map(({ id }) => id),
      ['of-acme'],
      query,
    )
  assert.deepEqual((await pageOf(service, '?tenant=demo')).changes, [])
  for (const tenant of ['other', 'default', 'nobody']) {
    const [status, answer] = await asked(service, `?tenant=${tenant}`)
    assert.deepEqual([status, (answer as ApiError).code], [403, 'TENANT_FORBIDDEN'], tenant)
  }
})
