import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createLogger, findInstance } from '@plumbline/runtime'
import type { EventInput, FeedHeader, PolicyInput } from '@plumbline/schemas'
import { loadStandaloneConfig, type Standalone, startStandalone } from './index.ts'

const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-policy-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const rule = (dir: string, policy: PolicyInput | string): void =>
  writeFileSync(join(dir, 'policy.yaml'), typeof policy === 'string' ? policy : JSON.stringify(policy))
const up = (dir: string): Promise<Standalone> =>
  startStandalone(
    {
      ...loadStandaloneConfig({ env: {} }).config,
      httpPort: 0,
      dataDir: dir,
      demo: false,
      alertsStdout: false,
      shards: 2,
      policyFile: join(dir, 'policy.yaml'),
      // Nothing listens there: what is tested needs no store.
      clickhouseUrl: 'http://127.0.0.1:9',
    },
    { logger: createLogger({ name: 'test', level: 'silent' }) },
  )
const event = (id: string, more: Partial<EventInput> = {}): EventInput => ({
  id,
  time: Date.now(),
  identity: { id: 'bot', kind: 'agent' },
  session: id,
  action: 'vault.read',
  resource: { class: 'vault' },
  ...more,
})
const post = async (service: Standalone, events: readonly EventInput[]): Promise<void> => {
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const answer = await fetch(`${service.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) })
  assert.equal(answer.status, 202, await answer.text())
}

/** Asks until the answer is the wanted one, and fails when it never is. */
const eventually = async <T>(ask: () => T | Promise<T>, wanted: T): Promise<void> => {
  for (let tries = 0; tries < 400; tries++) {
    if ((await ask()) === wanted) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.equal(await ask(), wanted)
}
const numberOf =
  (service: Standalone, line: RegExp): (() => Promise<number>) =>
  async () =>
    Number(line.exec(await (await fetch(`${service.url}/metrics`)).text())?.[1] ?? 0)
const scored = (service: Standalone) => numberOf(service, /^plumbline_events_scored_total (\d+)$/m)
const suppressed = (service: Standalone, reason: string) =>
  numberOf(service, new RegExp(`^plumbline_alerts_suppressed_total\\{reason="${reason}"\\} (\\d+)$`, 'm'))
const findings = (dir: string): readonly string[] => {
  const path = join(dir, 'alerts.ndjson')
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
}

const DENY: PolicyInput = { rules: [{ id: 'no-vault', identities: '*', effect: 'deny', classes: ['vault'] }] }

/** Kinds of a shard's records in their order, by tenant. */
const recordsIn = async (dir: string, tenant: string): Promise<string[][]> => {
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 2 })
  try {
    return await Promise.all(
      [0, 1].map(async (shard) =>
        (await log.read(shard, 0, 1000)).flatMap(({ key, value }) => {
          const said = JSON.parse(Buffer.from(value).toString()) as { tenant?: string; type?: string }
          return (said.tenant ?? 'default') === tenant ? [said.type ?? String.fromCharCode(key[0]!)] : []
        }),
      ),
    )
  } finally {
    await log.close()
  }
}

test('a tenant’s very first event comes after the policy, over the door and out of files; so does the first after a start', async (t) => {
  const dir = folder(t)
  rule(dir, DENY)
  const service = await up(dir)
  t.after(() => service.stop())
  await post(service, [event('a'), event('b', { tenant: 'fresh' }), event('c', { tenant: 'fresh' })])
  const file = 'f0'.repeat(32)
  const header: FeedHeader = { mode: 'history', tenant: 'past', id: 'x', arrival: 0, from: { [file]: 0 }, to: { [file]: 1 } }
  const answer = await fetch(`${service.url}/v1/operator/feed`, {
    method: 'POST',
    headers: { authorization: `Bearer ${findInstance(dir)?.operator ?? ''}`, 'content-type': 'application/octet-stream' },
    body: `${JSON.stringify(header)}\n${JSON.stringify(event('d', { tenant: 'past', time: Date.now() - 30 * 86_400_000 }))}\n`,
  })
  const fed = await answer.text()
  assert.equal(answer.status, 200, fed)
  await eventually(scored(service), 4)
  // One of each live tenant, and the second of `fresh` as its revision; history is not forwarded.
  await eventually(() => findings(dir).filter((line) => line.includes('no-vault')).length, 3)
  await service.stop()
  for (const tenant of ['default', 'fresh', 'past']) {
    const shards = await recordsIn(dir, tenant)
    for (const kinds of shards) assert.equal(kinds.indexOf('policy'), 0, `${tenant}: ${kinds.join()}`)
    assert.deepEqual(
      shards.map((kinds) => kinds.filter((kind) => kind === 'policy').length),
      [1, 1],
      tenant,
    )
    assert.ok(shards.flat().length > 2)
  }
})

test('with a broken file at the start, new tenants get what was in force', async (t) => {
  const dir = folder(t)
  rule(dir, DENY)
  await (await up(dir)).stop()
  rule(dir, 'rules: 3')
  const service = await up(dir)
  t.after(() => service.stop())
  await post(service, [event('a', { tenant: 'fresh' })])
  await eventually(() => findings(dir).length, 1)
})

test('while it runs: exceptions hold until they expire, windows while they last, and each change is one record', async (t) => {
  const dir = folder(t)
  rule(dir, DENY)
  const service = await up(dir)
  t.after(() => service.stop())
  const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()
  const changed = async (policy: PolicyInput, count: number): Promise<void> => {
    rule(dir, policy)
    await eventually(numberOf(service, /^plumbline_events_read_total\{kind="control"\} (\d+)$/m), count * 2)
  }
  const exception = { id: 'x', identities: 'bot', classes: ['vault'], reason: 'audit', author: 'me' }
  await post(service, [event('a')])
  await eventually(() => findings(dir).length, 1)
  await changed({ ...DENY, exceptions: [{ ...exception, expires: day(1) }] }, 2)
  await post(service, [event('b')])
  await eventually(suppressed(service, 'exception'), 1)
  await changed({ ...DENY, exceptions: [{ ...exception, expires: day(-1) }] }, 3)
  await post(service, [event('c')])
  await eventually(() => findings(dir).length, 2)
  await changed({ ...DENY, maintenance: [{ name: 'move', from: day(-1), to: day(1) }] }, 4)
  await post(service, [event('d')])
  await eventually(suppressed(service, 'maintenance'), 1)
  assert.equal(findings(dir).length, 2)
})
