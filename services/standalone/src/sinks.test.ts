import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createMetrics } from '@plumbline/runtime'
import type { Alert, StatusView } from '@plumbline/schemas'
import { alertOf, instanceWithAlerts, until } from './alerting.testkit.ts'
import type { Standalone } from './index.ts'
import { createSinkWatch } from './sinks.ts'

const SECRET_PATH = '/hooks/T0123/very-secret-part'

const instance = (t: TestContext, port: number, alerts: readonly Alert[]) =>
  instanceWithAlerts(t, alerts, {
    webhookUrl: `http://127.0.0.1:${port}${SECRET_PATH}`,
    webhookSecret: 'a-secret-of-the-webhook',
    webhookAllowHttp: true,
    webhookAllowAddresses: ['127.0.0.1'],
  })

/** A real receiver that answers each alert as told, always alike. */
const receiver = async (t: TestContext, answer: (alertId: string) => number): Promise<number> => {
  const server = createServer((request, response) => {
    request.resume()
    const id = String(request.headers['idempotency-key']).split(':')[0] ?? ''
    request.on('end', () => response.writeHead(answer(id)).end('words of the receiver'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

interface Seen {
  readonly ready: { readonly ok: boolean; readonly checks: Record<string, { readonly ok: boolean; readonly detail?: string }> }
  readonly status: StatusView
  readonly metrics: string
}

const look = async (service: Standalone): Promise<Seen> => {
  const headers = { authorization: `Bearer ${service.token}` }
  // The status first: what it shows, the others show as well.
  const status = (await (await fetch(`${service.url}/v1/status`, { headers })).json()) as StatusView
  return {
    status,
    ready: (await (await fetch(`${service.url}/readyz`)).json()) as Seen['ready'],
    metrics: await (await fetch(`${service.url}/metrics`)).text(),
  }
}

const hookOf = ({ status }: Seen): StatusView['sinks'][number] | undefined => status.sinks.find(({ name }) => name === 'webhook')

/** What is to be seen once the webhook is in a state. */
const seenOnce = (service: Standalone, done: (hook: StatusView['sinks'][number]) => boolean): Promise<Seen> =>
  until(async () => {
    const seen = await look(service)
    const hook = hookOf(seen)
    return hook !== undefined && done(hook) && seen
  })

const tellsNothing = (text: string): void => {
  for (const secret of ['very-secret-part', 'a-secret-of-the-webhook', 'words of the receiver', alertOf(0).text.headline])
    assert.ok(!text.includes(secret), secret)
}

/** A port on which nothing listens. */
const closedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const warnings = (lines: readonly string[], words: string): Record<string, unknown>[] =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === words)

test('alerts that a webhook refuses leave a trace in log, metrics, health and status; the others arrive', async (t) => {
  const refusals = [400, 409, 413, 415, 422]
  const statusOf = new Map(refusals.map((status, n) => [alertOf(n).id, status]))
  const port = await receiver(t, (id) => statusOf.get(id) ?? 204)
  const { service, lines } = await instance(
    t,
    port,
    [...refusals.keys(), 98, 99].map((n) => alertOf(n)),
  )
  const seen = await seenOnce(service, ({ delivered, refused }) => delivered + refused === 7)
  assert.deepEqual(hookOf(seen), {
    name: 'webhook',
    delivered: 2,
    refused: 5,
    failures: 0,
    waiting: false,
    problem: 'The webhook answered 422 and will not take this alert.',
  })
  assert.deepEqual(seen.ready.checks['alerts'], { ok: true, detail: 'webhook: 5 refused (WEBHOOK_REFUSED)' })
  assert.match(seen.metrics, /^plumbline_deliveries_total\{sink="webhook",outcome="refused"\} 5$/m)
  assert.match(seen.metrics, /^plumbline_deliveries_total\{sink="webhook",outcome="delivered"\} 2$/m)
  assert.match(seen.metrics, /^plumbline_deliveries_total\{sink="file",outcome="delivered"\} 7$/m)
  const told = warnings(lines, 'an alert was refused by its receiver and passed over')
  assert.deepEqual(
    told.map(({ sink, alert, code, before }) => [sink, alert, code, before]),
    [['webhook', alertOf(0).id, 'WEBHOOK_REFUSED', 0]],
    'once, not five times',
  )
  tellsNothing(lines.join('') + JSON.stringify(seen))
})

test('a webhook that cannot be reached is seen in log, metrics, health and status while alerts wait for it', async (t) => {
  const { service, lines } = await instance(t, await closedPort(), [alertOf(1)])
  const seen = await seenOnce(service, ({ failures }) => failures > 0)
  const hook = hookOf(seen)
  assert.deepEqual([hook?.delivered, hook?.refused, hook?.waiting], [0, 0, true])
  assert.match(hook?.problem ?? '', /could not be reached in 4 tries: connect ECONNREFUSED/)
  assert.deepEqual(seen.ready.checks['alerts'], { ok: true, detail: 'webhook: alerts wait (WEBHOOK_UNAVAILABLE)' })
  assert.match(seen.metrics, /^plumbline_deliveries_total\{sink="webhook",outcome="failed"\} [1-9]/m)
  const [told] = warnings(lines, 'alerts wait for their receiver')
  assert.deepEqual([told?.['sink'], told?.['code'], told?.['level']], ['webhook', 'WEBHOOK_UNAVAILABLE', 'warn'])
  tellsNothing(lines.join('') + JSON.stringify(seen))
})

test('what goes on failing is warned of once a minute, with how often in between', () => {
  const lines: object[] = []
  let nowMs = 0
  const watch = createSinkWatch(createMetrics(), { warn: (fields: object) => void lines.push(fields) }, () => nowMs)
  const error = { code: 'DOWN', message: 'down' }
  for (let second = 0; second <= 120; second++) {
    nowMs = second * 1000
    watch({ sink: 'webhook', outcome: 'failed', error })
    watch({ sink: 'webhook', outcome: 'refused', alert: alertOf(second), error })
  }
  const failed = { sink: 'webhook', code: 'DOWN', reason: 'down' }
  assert.deepEqual(
    lines.filter((line) => !('alert' in line)),
    [0, 59, 59].map((before) => ({ ...failed, before })),
  )
  assert.deepEqual(
    lines.filter((line) => 'alert' in line),
    [0, 60, 120].map((n) => ({ ...failed, before: n === 0 ? 0 : 59, alert: alertOf(n).id })),
  )
})
