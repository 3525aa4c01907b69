import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createLogger, findInstance } from '@plumbline/runtime'
import { type AuditRecord, type PlumblineError, type StatusView } from '@plumbline/schemas'
import { loadStandaloneConfig, startStandalone, type Standalone, type StandaloneConfig } from './index.ts'
import { privateFolder } from './secrets.ts'

const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-up-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const silent = createLogger({ name: 'test', level: 'silent' })
const configFor = (dataDir: string, more: Partial<StandaloneConfig> = {}): StandaloneConfig => ({
  ...loadStandaloneConfig({ env: {} }).config,
  httpPort: 0,
  dataDir,
  demo: false,
  alertsStdout: false,
  policyFile: join(dataDir, 'policy.yaml'),
  // Nothing listens there: the log takes events, the rows wait.
  clickhouseUrl: 'http://127.0.0.1:9',
  ...more,
})
const up = async (t: TestContext, config: StandaloneConfig): Promise<Standalone & { readonly dataDir: string }> => {
  const service = await startStandalone(config, { logger: silent })
  t.after(() => service.stop())
  return { ...service, dataDir: config.dataDir }
}
/** Waits until a number of /metrics is what it should be, and fails when it never is. */
const metric = async (service: Standalone, line: RegExp, wanted: number): Promise<void> => {
  let found: string | undefined
  for (let tries = 0; tries < 400; tries++) {
    found = line.exec(await (await fetch(`${service.url}/metrics`)).text())?.[1]
    if (Number(found) === wanted) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.equal(Number(found), wanted, line.source)
}
const causeOf = (error: unknown): string => ((error as PlumblineError).cause as PlumblineError).code
const event = (id: string) => ({
  id,
  time: Date.now(),
  identity: { id: 'support-bot', kind: 'agent' },
  action: 'kb.search',
  resource: { class: 'kb' },
})
const post = (service: Standalone, body: unknown): Promise<Response> =>
  fetch(`${service.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

test('without the store: events are taken in and scored, the page says what it waits for, nothing is lost', async (t) => {
  const dir = folder(t)
  const service = await up(t, configFor(dir))
  assert.equal((await post(service, [event('a'), event('b')])).status, 202)
  const ready = (await (await fetch(`${service.url}/readyz`)).json()) as { ok: boolean; checks: Record<string, { ok: boolean }> }
  assert.deepEqual([ready.ok, ready.checks['started']?.ok, ready.checks['store']?.ok], [false, true, false])
  assert.equal((await fetch(`${service.url}/healthz`)).status, 200)
  assert.match(await (await fetch(`${service.url}/metrics`)).text(), /plumbline_ingest_events_total\{source="events"\} 2/)
  await metric(service, /^plumbline_events_scored_total (\d+)$/m, 2)
  assert.deepEqual(await service.stop(), [])
  const log = await openEmbeddedLog({ dir: join(dir, 'log') })
  t.after(() => log.close())
  assert.equal(log.outbox.lag('scored', 0).rows, 2, 'the rows wait in the outbox')
})

test('the tenant of the demo takes no events of others over HTTP', async (t) => {
  const service = await up(t, configFor(folder(t)))
  const answer = await post(service, [event('a'), { ...event('b'), tenant: 'demo' }])
  const { accepted, errors } = (await answer.json()) as { accepted: number; errors: { index: number; code: string; field: string }[] }
  assert.equal(accepted, 1)
  assert.deepEqual(
    errors.map(({ index, code, field }) => [index, code, field]),
    [[1, 'TENANT_RESERVED', 'tenant']],
  )
})

test('the token is made once, readable by its owner only, and the running instance can be found', async (t) => {
  const dir = folder(t)
  const first = await startStandalone(configFor(dir), { logger: silent })
  assert.equal(statSync(join(dir, 'keys', 'token')).mode & 0o777, 0o600)
  assert.equal(statSync(join(dir, 'keys', 'signing.key')).mode & 0o777, 0o600)
  const found = findInstance(dir)
  assert.deepEqual([found?.url, found?.token, found?.store], [first.url, first.token, null])
  assert.equal((await fetch(`${first.url}/v1/status`)).status, 401)
  await first.stop()
  assert.equal(findInstance(dir), undefined)
  const second = await up(t, configFor(dir))
  assert.equal(second.token, first.token)
})

test('a taken port and a locked folder are said in words, and what had started is stopped again', async (t) => {
  const dir = folder(t)
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.after(() => blocker.close())
  const { port } = blocker.address() as AddressInfo
  await assert.rejects(startStandalone(configFor(dir, { httpPort: port }), { logger: silent }), (error) => {
    assert.match((error as Error).message, new RegExp(`Port ${port} on 127.0.0.1 is taken.*PLUMBLINE_HTTP_PORT`))
    return causeOf(error) === 'HTTP_PORT_TAKEN'
  })
  const service = await up(t, configFor(dir))
  let page = ''
  await assert.rejects(
    startStandalone(configFor(dir), { logger: silent, onListening: ({ url }) => (page = url) }),
    (error) => causeOf(error) === 'DATA_DIR_LOCKED',
  )
  await assert.rejects(fetch(page), 'the page of the second is gone')
  assert.equal((await post(service, event('c'))).status, 202)
  assert.ok(existsSync(join(dir, 'instance.json')), 'the first one can still be found')
})

test('more waiting events than allowed: the door says 503 until they are fewer, and what it took is scored', async (t) => {
  const service = await up(t, configFor(folder(t), { maxLagEvents: 1000 }))
  const answers: Response[] = []
  // Ten times what may wait, sent at once again and again: however fast the detector is, a moment comes when they are too many.
  for (let round = 0; round < 30 && !answers.some(({ status }) => status === 503); round++) {
    const batches = Array.from({ length: 4 }, (_, b) => Array.from({ length: 10_000 }, (_, i) => event(`r${round}-${b}-${i}`)))
    answers.push(...(await Promise.all(batches.map((batch) => post(service, batch)))))
    answers.push(await post(service, event(`after${round}`)))
  }
  const refused = answers.filter(({ status }) => status === 503)
  assert.ok(refused.length > 0, 'nobody was ever asked to come back')
  for (const answer of refused) {
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(((await answer.json()) as { code: string }).code, 'OVERLOADED')
  }
  let accepted = 0
  for (const answer of answers) if (answer.status === 202) accepted += ((await answer.json()) as { accepted: number }).accepted
  for (let status = 503, tries = 0; status === 503; tries++) {
    assert.ok(tries < 400)
    await new Promise((resolve) => setTimeout(resolve, 25))
    status = (await post(service, event(`again${tries}`))).status
    if (status === 202) accepted++
  }
  await metric(service, /^plumbline_events_scored_total (\d+)$/m, accepted)
})

test('events too late to be learned from are counted', async (t) => {
  const service = await up(t, configFor(folder(t)))
  const late = { ...event('late'), time: Date.now() - 30 * 86_400_000 }
  assert.equal((await post(service, [event('a'), late, event('b')])).status, 202)
  await metric(service, /^plumbline_events_scored_total (\d+)$/m, 3)
  await metric(service, /^plumbline_events_late_total (\d+)$/m, 1)
})

test('strangers are slowed down on every route that asks for a token, in whatever spelling; who has a token is not', async (t) => {
  const service = await up(t, configFor(folder(t)))
  const good = { authorization: `Bearer ${service.token}` }
  for (const path of ['/v1/status', '/v1/%61lerts', '/v1/identities/x', '/v1/connect', '/v1/operator/train']) {
    const init = path.endsWith('train') ? { method: 'POST' } : {}
    const statuses = await Promise.all(
      Array.from(
        { length: 60 },
        async () => (await fetch(service.url + path, { ...init, headers: { authorization: 'Bearer guess' } })).status,
      ),
    )
    assert.ok(statuses.filter((status) => status === 429).length >= 20, `${path}: ${statuses.join()}`)
    assert.ok(statuses.every((status) => [401, 403, 429].includes(status)))
    assert.equal((await fetch(`${service.url}/v1/status`, { headers: good })).status, 200)
    const again = await fetch(`${service.url}/v1/status`)
    if (again.status === 429) assert.equal(again.headers.get('retry-after'), '1')
  }
  for (let i = 0; i < 40; i++) assert.equal((await fetch(`${service.url}/healthz`)).status, 200)
  // The operator's key is known too: a backfill sends many requests.
  const operator = findInstance(service.dataDir)?.operator ?? ''
  const asked = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const init = { method: 'POST', headers: { authorization: `Bearer ${operator}` }, body: '{}' }
      return (await fetch(`${service.url}/v1/operator/train`, init)).status
    }),
  )
  assert.deepEqual(new Set(asked), new Set([400]))
})

test('which tenants there are survives a restart, and the cap counts on; the status lists a bounded number', async (t) => {
  const dir = folder(t)
  const config = configFor(dir, { maxTenants: 80, maxTenantsPerToken: 70 })
  const named = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ ...event(`e${from + i}`), tenant: `t${from + i}` }))
  const first = await startStandalone(config, { logger: silent })
  assert.equal((await post(first, named(0, 69))).status, 202)
  await metric(first, /^plumbline_events_scored_total (\d+)$/m, 69)
  await first.stop()
  const second = await up(t, config)
  const answer = (await (await post(second, named(60, 72))).json()) as { accepted: number; errors: { code: string }[] }
  assert.equal(answer.accepted, 10)
  assert.deepEqual(
    answer.errors.map(({ code }) => code),
    ['TENANT_LIMIT', 'TENANT_LIMIT'],
  )
  await metric(second, /^plumbline_events_scored_total (\d+)$/m, 10)
  const status = async () =>
    (await (await fetch(`${second.url}/v1/status`, { headers: { authorization: `Bearer ${second.token}` } })).json()) as StatusView
  for (let tries = 0; (await status()).tenants !== 70; tries++) {
    assert.ok(tries < 200)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.equal((await status()).model.length, 64)
})

test('the data folder and all in it are closed to others, also one that was open before; foreign files are left alone', async (t) => {
  const dir = folder(t)
  chmodSync(dir, 0o755)
  writeFileSync(join(dir, 'alerts.ndjson'), '', { mode: 0o644 })
  writeFileSync(join(dir, 'notes.txt'), '', { mode: 0o644 })
  chmodSync(join(dir, 'notes.txt'), 0o644)
  const service = await up(t, configFor(dir))
  await post(service, event('a'))
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  const open = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => (statSync(join(dir, name)).mode & 0o077) !== 0)
  assert.deepEqual(open, ['notes.txt'])
})

test('a folder with other things in it is not closed', async (t) => {
  const dir = folder(t)
  chmodSync(dir, 0o755)
  writeFileSync(join(dir, 'notes.txt'), '')
  assert.deepEqual(privateFolder(dir), [])
  assert.equal(statSync(dir).mode & 0o777, 0o755)
})

test('a policy file is in force at a recorded position, once per content, also when an earlier one comes back', async (t) => {
  const dir = folder(t)
  const path = join(dir, 'policy.yaml')
  const write = (sensitivity: number): void =>
    writeFileSync(path, `resources:\n  - match: { class: hr }\n    sensitivity: ${sensitivity}\n`)
  const start = async (): Promise<void> => {
    const service = await startStandalone(configFor(dir, { policyFile: path, shards: 2 }), { logger: silent })
    await service.stop()
  }
  for (const sensitivity of [3, 3, 2, 3]) {
    write(sensitivity)
    await start()
  }
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 2 })
  t.after(() => log.close())
  const records = await log.read(1, 0, 100)
  const given = records.map(
    ({ value }) => JSON.parse(Buffer.from(value).toString()) as { type: string; policy: { resources: { sensitivity: number }[] } },
  )
  assert.deepEqual(
    given.map(({ type, policy }) => [type, policy.resources[0]?.sensitivity]),
    [
      ['policy', 3],
      ['policy', 2],
      ['policy', 3],
    ],
  )
})

test('starts, stops and who gave a policy are in the audit log', async (t) => {
  const dir = folder(t)
  const path = join(dir, 'policy.yaml')
  writeFileSync(path, 'resources:\n  - match: { class: hr }\n    sensitivity: 3\n')
  for (let i = 0; i < 2; i++) {
    const service = await startStandalone(configFor(dir, { policyFile: path, shards: 2 }), { logger: silent })
    await service.stop()
  }
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 2 })
  t.after(() => log.close())
  const entries = (await log.outbox.read('audit', 0, 1e9)).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as AuditRecord)
  assert.deepEqual(
    entries.map(({ actor, action }) => `${actor}: ${action}`),
    ['service: start', 'policy file: policy', 'service: stop', 'service: start', 'service: stop'],
  )
  assert.ok(entries.every(({ action, target }) => action === 'policy' || target === log.id))
})

test('the options that score stay what they were when the folder was made', async (t) => {
  const dir = folder(t)
  const first = await startStandalone(configFor(dir, { shards: 2 }), { logger: silent })
  await first.stop()
  await assert.rejects(startStandalone(configFor(dir, { shards: 4 }), { logger: silent }), (error) => causeOf(error) === 'SHARDS_FIXED')
})
