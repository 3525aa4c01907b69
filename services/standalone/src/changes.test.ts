import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test, type TestContext } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { type Alert, type AuditRecord, type ChangeAnswer, CHANGE_LIMITS, type ControlRecord } from '@plumbline/schemas'
import { until } from './alerting.testkit.ts'
import { register, request, SHARDS, type Site, site, start } from './changes.testkit.ts'

const HOUR = 3_600_000

/** What the log holds once the instance is down: control records by shard, the audit log, and alerts. */
const left = async (t: TestContext, dir: string) => {
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: SHARDS })
  t.after(() => log.close())
  const controls: (readonly [shard: number, record: ControlRecord])[] = []
  for (let shard = 0; shard < SHARDS; shard++)
    for (const { key, value } of await log.read(shard, 0, 10_000))
      if (Buffer.from(key).toString().startsWith('c:change') || Buffer.from(key).toString().startsWith('c:withdrawn'))
        controls.push([shard, JSON.parse(Buffer.from(value).toString()) as ControlRecord])
  const audit = (await log.outbox.read('audit', 0, 1e9))
    .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as AuditRecord)
    .filter(({ action }) => action.startsWith('change'))
  const alerts = (await log.outbox.read('alerts', 0, 1e9)).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as Alert)
  return { controls, audit, alerts }
}

test('a signed announcement reaches every shard and the audit log once, however often and after whatever restart it is sent', async (t) => {
  const { dir, service, announce } = await site(t)
  const body = request({ id: 'run-1', ticket: 'CHG-7' })
  const [status, answer] = await announce(body)
  assert.deepEqual([status, answer.state, answer.tenant, answer.id], [201, 'announced', 'default', 'run-1'])
  assert.equal(Date.parse(answer.until) - Date.parse(answer.from), CHANGE_LIMITS.usualWindowMs)
  const [again, known] = await announce(body)
  assert.deepEqual([again, known.state, known.until], [200, 'known', answer.until])
  assert.deepEqual(
    (await Promise.all(Array.from({ length: 5 }, () => announce(body)))).map(([s]) => s),
    [200, 200, 200, 200, 200],
  )
  const [other, refusal] = await announce({ ...body, by: 'mallory' })
  assert.deepEqual([other, refusal.code], [409, 'CHANGE_ID_REUSED'])
  await service.stop()
  const second = await start(dir)
  const [later, remembered] = await announce(body, { url: second.url })
  assert.deepEqual([later, remembered.state], [200, 'known'])
  await second.stop()
  const { controls, audit } = await left(t, dir)
  assert.deepEqual(
    controls.map(([shard]) => shard),
    [0, 1, 2],
  )
  const [, record] = controls[0]!
  assert.ok(record.type === 'change' && record.change.id === 'run-1' && record.change.ticket === 'CHG-7')
  assert.ok(controls.every(([, each]) => JSON.stringify(each) === JSON.stringify(record)))
  assert.deepEqual(
    audit.map(({ actor, action, target, tenant }) => [actor, action, target, tenant]),
    [['deploy key ci', 'change.announce', 'run-1', 'default']],
  )
})

test('what the detector makes of it: where a change was announced, tools that are exchanged unannounced are told', async (t) => {
  const { dir, service, announce } = await site(t)
  const send = async (ids: readonly string[], tools: string): Promise<number> => {
    const events = ids.map((id) => ({
      id,
      time: Date.now(),
      identity: { id: 'support-bot', kind: 'agent', version: { model: 'alpha-1', tools } },
      action: 'kb.search',
      resource: { class: 'kb' },
    }))
    const answer = await fetch(`${service.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    return answer.status
  }
  const many = (name: string): string[] => Array.from({ length: 20 }, (_, i) => `${name}-${i}`)
  assert.equal(await send(many('before'), 'aaaa'), 202)
  assert.equal((await announce(request()))[0], 201)
  assert.equal(await send(many('pulled'), 'bbbb'), 202)
  assert.equal((await announce(request({ what: { tools: 'cccc' } })))[0], 201)
  assert.equal(await send(many('announced'), 'cccc'), 202)
  await until(async () => /plumbline_events_scored_total 60/.test(await (await fetch(`${service.url}/metrics`)).text()))
  await service.stop()
  const { alerts } = await left(t, dir)
  assert.deepEqual(
    alerts.filter(({ activity, family }) => activity === 'create' && family === 'version_change').map(({ facts }) => facts.change),
    [{ version: { model: 'alpha-1', tools: 'bbbb' }, sinceMs: 0, unannounced: ['tools'] }],
  )
})

test('without an id the same body is the same change', async (t) => {
  const { announce } = await site(t)
  const body = request()
  const [, first] = await announce(body)
  const [status, second] = await announce(body)
  assert.deepEqual([status, second.id], [200, first.id])
  const [third] = await announce({ ...body, reason: 'Another one' })
  assert.equal(third, 201)
})

test('closed by default: no key, no announcement; and none by a token, a foreign key, a changed body or a body of another', async (t) => {
  const { dir, service, key, announce } = await site(t)
  const text = JSON.stringify(request())
  const refusedAs = async (how: Parameters<Site['announce']>[1], body: unknown = text): Promise<string> => {
    const [status, { code }] = await announce(body, how)
    return `${status} ${code}`
  }
  const foreign = generateKeyPairSync('ed25519').privateKey
  const wrong = '401 SIGNATURE_MISSING_OR_WRONG'
  assert.equal(await refusedAs({ key: foreign }), wrong)
  assert.equal(await refusedAs({ name: 'nobody' }), wrong)
  assert.equal(await refusedAs({ headers: { 'plumbline-signature': 'A'.repeat(86) } }), wrong)
  assert.equal(await refusedAs({ headers: { 'plumbline-signature': '' } }), wrong)
  const signature = sign(null, Buffer.from(text), key).toString('base64')
  assert.equal(await refusedAs({ headers: { 'plumbline-signature': signature } }, text.replace('alpha-2', 'alpha-*')), wrong)
  assert.equal(await refusedAs({ headers: { 'plumbline-signature': signature } }, `${text} `), wrong)
  const post = (headers: Record<string, string>) => fetch(`${service.url}/v1/changes`, { method: 'POST', headers, body: text })
  assert.equal((await post({ authorization: `Bearer ${service.token}` })).status, 401)
  assert.equal((await post({ authorization: `Bearer ${service.token}`, 'plumbline-key': 'ci' })).status, 401)
  assert.equal((await announce(text))[0], 201)
  // Revoked: the file is read at each announcement.
  register(dir, [])
  assert.equal(await refusedAs({}, text.replace('jane', 'joe')), '403 CHANGES_CLOSED')
  writeFileSync(join(dir, 'keys', 'deploy-keys.json'), '{"keys":[{"id":"ci"}]}')
  assert.equal(await refusedAs({}), '500 DEPLOY_KEYS_INVALID')
  rmSync(join(dir, 'keys', 'deploy-keys.json'))
  assert.equal(await refusedAs({}), '403 CHANGES_CLOSED')
  register(dir, [{ id: 'ci', tenant: 'demo', key: generateKeyPairSync('ed25519').publicKey }])
  assert.equal(await refusedAs({}), '403 CHANGES_CLOSED', 'nobody announces for the demo')
})

test('a key announces for its own tenant, and cannot name another', async (t) => {
  const { dir, service, announce } = await site(t)
  const acme = generateKeyPairSync('ed25519')
  register(dir, [{ id: 'acme-ci', tenant: 'acme', key: acme.publicKey }])
  const how = { key: acme.privateKey, name: 'acme-ci' }
  const [, answer] = await announce(request({ id: 'a' }), how)
  assert.equal(answer.tenant, 'acme')
  const [status, { code, message }] = await announce(request({ tenant: 'default' }), how)
  assert.deepEqual([status, code], [400, 'CHANGE_INVALID'])
  assert.match(message, /tenant/)
  await service.stop()
  const { controls } = await left(t, dir)
  assert.ok(controls.length === SHARDS && controls.every(([, record]) => record.tenant === 'acme'))
})

test('what is wrong is told by field and remedy', async (t) => {
  const { announce } = await site(t)
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString()
  const wrong: readonly (readonly [change: Record<string, unknown> | string, words: RegExp])[] = [
    ['{', /not JSON/],
    [{ what: {} }, /^what: must name at least one of release, model, prompt, tools, code/],
    [{ what: { modle: 'x' } }, /^what: has a name that nobody knows: modle/],
    [{ what: { model: '' } }, /^what\.model: /],
    [{ what: undefined }, /^what: is missing/],
    [{ scope: {} }, /^scope: must name identities or peerGroups, or say "all": true/],
    [{ scope: { identities: [] } }, /^scope\.identities: must be a list of at least 1/],
    [{ scope: { identities: Array.from({ length: 17 }, () => 'x') } }, /^scope\.identities: must be a list of at most 16/],
    [{ scope: { all: false } }, /^scope\.all: /],
    [{ from: 'yesterday' }, /^from: /],
    [{ from: at(0), until: at(-HOUR) }, /^until: is not after from; name a later end/],
    [{ until: at(8 * 24 * HOUR) }, /^until: is more than 168 hours after from; announce a shorter window/],
    [{ from: at(-3 * HOUR), until: at(-HOUR) }, /^until: is over already/],
    [{ from: at(-25 * HOUR), until: at(HOUR) }, /^from: is more than 24 hours ago/],
    [{ from: at(8 * 24 * HOUR) }, /^from: is more than 168 hours ahead; announce it later/],
    [{ reason: '' }, /^reason: /],
    [{ by: undefined }, /^by: is missing/],
    [{ id: 'with space' }, /^id: /],
    [{ hours: 3 }, /hours/],
  ]
  for (const [change, words] of wrong) {
    const [status, { code, message, remedy }] = await announce(typeof change === 'string' ? change : request(change))
    assert.deepEqual([status, code], [400, 'CHANGE_INVALID'], JSON.stringify(change))
    assert.match(message, words)
    assert.notEqual(remedy, '')
  }
  const [status, { code }] = await announce(request({ reason: 'x'.repeat(40_000) }))
  assert.deepEqual([status, code], [413, 'BODY_TOO_LARGE'])
})

test('so many open changes of a tenant and no more', async (t) => {
  const { service, announce } = await site(t)
  const codes: string[] = []
  for (let i = 0; i <= CHANGE_LIMITS.open; ) {
    const [status, { code }] = await announce(request({ id: `c-${i}` }))
    if (code === 'RATE_LIMITED') {
      await new Promise((resolve) => setTimeout(resolve, 200))
      continue
    }
    i++
    codes.push(status === 201 ? 'announced' : code)
  }
  assert.deepEqual([new Set(codes.slice(0, -1)), codes.at(-1)], [new Set(['announced']), 'CHANGES_FULL'])
  await service.stop()
})

test('the line of the documentation works: openssl signs, curl sends', {
  skip: spawnSync('openssl', ['version']).status !== 0,
}, async (t) => {
  const { dir, service, key } = await site(t)
  const page = readFileSync(new URL('../../../docs/changes.md', import.meta.url), 'utf8')
  const script = /```sh\n(cat > change[\s\S]*?)```/.exec(page)?.[1] ?? ''
  assert.match(script, /curl .*\/v1\/changes/)
  const keyFile = join(dir, 'deploy.pem')
  writeFileSync(keyFile, key.export({ format: 'pem', type: 'pkcs8' }))
  const { stdout } = await promisify(execFile)('sh', ['-ec', script], {
    cwd: dir,
    env: { ...process.env, PLUMBLINE_URL: service.url, DEPLOY_KEY: keyFile, RUN_ID: 'run-42', ACTOR: 'jane', NO_PROXY: '*' },
    timeout: 60_000,
  })
  const answer = JSON.parse(stdout) as ChangeAnswer
  assert.deepEqual([answer.state, answer.id], ['announced', 'run-42'])
})
