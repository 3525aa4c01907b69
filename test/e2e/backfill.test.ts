import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DAY, generate, HOUR } from '@plumbline/generator'
import { createLogger } from '@plumbline/runtime'
import type { AlertPage, EventInput, StatusView } from '@plumbline/schemas'
import { loadStandaloneConfig, startStandalone } from '@plumbline/standalone'
import { until } from './instance.testkit.ts'

const now = Date.now()
const end = Math.floor(now / HOUR) * HOUR
const all = [
  ...generate({
    seed: 5,
    startTime: end - 30 * DAY,
    days: 30,
    identities: 20,
    eventsPerIdentityDay: 20,
    attacks: [{ kind: 'hr_access', spread: 'piece', at: end - 4 * DAY, size: 100 }],
    twins: false,
  }),
].map(({ event }) => event)
const history = all.filter((event) => (event.time as number) < end - DAY)
const live = all.filter((event) => (event.time as number) >= end - DAY)

test('thirty days of history, interrupted and resumed, then live: learned, historic alerts told apart, no storm', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-backfill-'))
  t.after(() => rmSync(dataDir, { recursive: true, force: true }))
  const config = {
    ...loadStandaloneConfig({ env: {} }).config,
    httpPort: 0,
    dataDir,
    demo: false,
    alertsStdout: false,
    trainAfterEvents: 3000,
    policyFile: join(dataDir, 'policy.yaml'),
  }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const first = await startStandalone(config, { logger })
  const stop = new AbortController()
  const begun = await first.backfill(history, {
    tenant: 'default',
    name: 'history',
    signal: stop.signal,
    onProgress: ({ events }) => void (events >= 2000 && stop.abort()),
  })
  assert.equal(begun.finished, false)
  assert.ok(begun.events < history.length)
  assert.deepEqual(await first.stop(), [])

  const service = await startStandalone(config, { logger })
  t.after(() => service.stop())
  const get = async <T>(path: string): Promise<T> =>
    (await (await fetch(service.url + path, { headers: { authorization: `Bearer ${service.token}` } })).json()) as T
  const summary = await service.backfill(history, { tenant: 'default', name: 'history' })
  assert.deepEqual([summary.finished, summary.events], [true, history.length])
  const counted = summary.identities.reduce((sum, { events }) => sum + events, 0)
  assert.ok(Math.abs(counted / history.length - 1) < 0.01, `${counted} of ${history.length}; the table counts by sketch`)
  assert.ok(summary.identities.every(({ maturity }) => maturity > 0))
  assert.ok(summary.alerts > 0 && summary.top.length > 0)
  t.diagnostic(`would have alerted ${summary.alerts} times; the worst: ${summary.top[0]?.headline ?? ''}`)
  assert.ok(
    summary.top.some(({ headline }) => headline.startsWith('support-bot')),
    JSON.stringify(summary.top),
  )
  const alertsNow = async () => (await get<AlertPage>('/v1/alerts?limit=100')).alerts
  assert.deepEqual(await alertsNow(), [], 'none of them is a live alert')
  assert.ok((await get<AlertPage>('/v1/alerts?historic=true&limit=100')).alerts.length > 0)
  const file = join(dataDir, 'alerts.ndjson')
  assert.ok(!existsSync(file) || readFileSync(file, 'utf8') === '', 'none was forwarded')

  await until('the model', 10_000, async () => (await get<StatusView>('/v1/status')).model[0]?.trained)
  const body = live.map((event: EventInput) => JSON.stringify(event)).join('\n')
  const answer = await fetch(`${service.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/x-ndjson' },
    body,
  })
  assert.equal(answer.status, 202)
  await until('the live events', 10_000, async () => (await get<StatusView>('/v1/status')).events === all.length)
  const alerts = await alertsNow()
  t.diagnostic(`${live.length} live events of a day after it, ${alerts.length} alerts`)
  assert.ok(alerts.length <= 3, alerts.map(({ text }) => text.headline).join('\n'))
})
