import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createHealth, createMetrics, type OpsServerOptions, startOpsServer } from './index.ts'

const started = async (t: TestContext, more: Partial<OpsServerOptions> = {}) => {
  const metrics = createMetrics()
  const health = createHealth()
  const server = await startOpsServer({ host: '127.0.0.1', port: 0, health, registry: metrics.registry, ...more })
  t.after(() => server.close())
  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`, init)
  return { metrics, health, server, get }
}

test('metrics and health are served, gauges brought up to date before', async (t) => {
  const { metrics, health, get } = await started(t, { onScrape: () => metrics.plumbline_lag_events.set(7) })
  const scraped = await get('/metrics')
  assert.match(scraped.headers.get('content-type') ?? '', /text\/plain/)
  assert.match(await scraped.text(), /^plumbline_lag_events 7$/m)
  let up = true
  health.register('log', () => ({ ok: up, detail: up ? 'up' : 'away' }))
  assert.deepEqual([(await get('/health/ready')).status, (await get('/health/live')).status], [200, 200])
  up = false
  const ready = await get('/health/ready')
  assert.deepEqual([ready.status, await ready.json()], [503, { ok: false, checks: { log: { ok: false, detail: 'away' } } }])
  assert.equal((await get('/health/live')).status, 200, 'a restart would not help')
})

test('anything else is refused', async (t) => {
  const { get } = await started(t)
  for (const path of ['/', '/metrics/', '/health', '/../metrics%00', '/__proto__', '/constructor'])
    assert.equal((await get(path)).status, 404, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const response = await get('/metrics', { method, ...(method === 'POST' ? { body: 'x'.repeat(100_000) } : {}) })
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD'], method)
  }
  const head = await get('/metrics', { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
})

test('large headers, slow senders and too many connections are cut off', { timeout: 30_000 }, async (t) => {
  const { server, get } = await started(t)
  assert.equal((await get('/metrics', { headers: { 'x-long': 'x'.repeat(8_000) } })).status, 431)
  const slow = connect(server.port, '127.0.0.1')
  slow.write('GET /metrics HTTP/1.1\r\n')
  slow.resume()
  const sockets = Array.from({ length: 80 }, () => connect(server.port, '127.0.0.1').on('error', () => {}))
  t.after(() => sockets.forEach((socket) => socket.destroy()))
  await Promise.any(sockets.map((socket) => once(socket, 'close')))
  await once(slow, 'close')
})

test('a port that is taken is told with the remedy', async (t) => {
  const { server, health, metrics } = await started(t)
  await assert.rejects(
    startOpsServer({ host: '127.0.0.1', port: server.port, health, registry: metrics.registry }),
    (error: Error & { code?: string }) => error.code === 'HTTP_PORT_TAKEN' && error.message.includes('metricsPort'),
  )
})
