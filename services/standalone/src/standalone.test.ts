import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createLogger, findInstance } from '@plumbline/runtime'
import type { PlumblineError } from '@plumbline/schemas'
import { loadStandaloneConfig, startStandalone, type Standalone, type StandaloneConfig } from './index.ts'

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
const up = async (t: TestContext, config: StandaloneConfig): Promise<Standalone> => {
  const service = await startStandalone(config, { logger: silent })
  t.after(() => service.stop())
  return service
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
    [[1, 'CREDENTIAL_MISMATCH', 'tenant']],
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

test('more waiting events than allowed: the door says 503 until they are fewer', async (t) => {
  const dir = folder(t)
  const service = await up(t, configFor(dir, { maxLagEvents: 1000 }))
  const batch = Array.from({ length: 10_000 }, (_, i) => event(`e${i}`))
  assert.equal((await post(service, batch)).status, 202)
  const answer = await post(service, event('later'))
  assert.ok(answer.status === 503 ? answer.headers.has('retry-after') : answer.status === 202)
  for (let status = 503, tries = 0; status === 503; tries++) {
    assert.ok(tries < 400)
    await new Promise((resolve) => setTimeout(resolve, 25))
    status = (await post(service, event(`again${tries}`))).status
  }
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

test('the options that score stay what they were when the folder was made', async (t) => {
  const dir = folder(t)
  const first = await startStandalone(configFor(dir, { shards: 2 }), { logger: silent })
  await first.stop()
  await assert.rejects(startStandalone(configFor(dir, { shards: 4 }), { logger: silent }), (error) => causeOf(error) === 'SHARDS_FIXED')
})
