import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { Alert } from '@plumbline/schemas'
import { loadStandaloneConfig } from './config.ts'
import { startDelivery } from './delivery.ts'

const golden = JSON.parse(readFileSync(new URL('../../../schemas/fixtures/v1/alerts.json', import.meta.url), 'utf8')) as {
  readonly accepted: readonly { readonly output: unknown }[]
}
const model = Alert.parse(golden.accepted[0]?.output)
const alertOf = (n: number, tenant: string): Alert => ({
  ...model,
  id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`,
  severity: 'high',
  facts: { ...model.facts, tenant },
  replay: { ...model.replay, position: { ...model.replay.position, shard: 0, offset: n } },
})

test('alerts of the demo go to the page, and neither to the findings file nor to the webhook', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-delivery-'))
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 1 })
  const hooked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      hooked.push((JSON.parse(body) as { alert: Alert }).alert.facts.tenant)
      response.writeHead(204).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    await log.close()
    server.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const alertsFile = join(dir, 'alerts.ndjson')
  const decided: string[] = []
  const delivery = await startDelivery({
    log,
    config: {
      ...loadStandaloneConfig({ env: {} }).config,
      alertsStdout: false,
      webhookUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      webhookAllowHttp: true,
      webhookAllowAddresses: ['127.0.0.1'],
    },
    alertsFile,
    demoTenant: 'demo',
    onDecision: (alert) => decided.push(alert.facts.tenant),
  })
  await log.acquire(0)
  const tenants = ['demo', 'real', 'demo', 'demo2']
  await log.append(tenants.map((_, n) => ({ shard: 0, ingestTimeMs: 1, key: Buffer.from(`e:${n}`), value: Buffer.from('{}') })))
  const alerts = tenants.map((tenant, n) => alertOf(n, tenant))
  await log.commit([{ shard: 0, nextOffset: tenants.length, slots: [], meta: [], scored: null, capsules: [], deadLetters: [], alerts }])
  await delivery.forwarder.drain()
  await delivery.stop()
  const written = readFileSync(alertsFile, 'utf8').trimEnd().split('\n')
  assert.equal(written.length, 2)
  assert.ok(written.every((finding) => !finding.includes('"demo"')))
  assert.deepEqual(hooked, ['real', 'demo2'])
  assert.deepEqual(decided.sort(), [...tenants].sort())
  assert.equal(statSync(alertsFile).mode & 0o777, 0o600)
})
