import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { canonicalEvent, eventKey, shardOfKey } from '@plumbline/detector'
import { createTenantLedger, tenantValueName } from '@plumbline/gateway'
import { createLogger, createMetrics } from '@plumbline/runtime'
import { type AuditRecord, DetectionConfig, Event } from '@plumbline/schemas'
import { createReleaseStore } from '@plumbline/trainer'
import { createChanges } from './changes.ts'
import { createLocalDetection } from './local-detection.ts'
import { createLocalStorage } from './local-storage.ts'
import { createRemoval } from './removal.ts'

const NOW = 1_790_000_000_000
const SHARDS = 4
const TENANTS = ['demo', 'demo2', 'demo|x', 'dem', 'Demo', 'other']
const IDENTITIES = ['bot', 'x|bot', 'demo', 'a', 'b', 'c']
const CHANGE = {
  id: 'run-1',
  what: { model: 'x' },
  scope: { all: true as const },
  from: new Date(NOW).toISOString(),
  reason: 'New model',
  by: 'me',
}
const logger = createLogger({ name: 'test', level: 'silent' })

test('removing a tenant leaves every other one as it was: records, baselines, state, values; also names that begin alike', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-removal-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const metrics = createMetrics()
  const releases = createReleaseStore(log.kv, () => [])
  const config = DetectionConfig.parse({ shards: SHARDS })
  const detection = createLocalDetection({ log, releases, config, residentIdentities: 1000, logger, metrics })
  const storage = createLocalStorage({
    log,
    dir: join(dir, 'store'),
    // Nothing listens there: the erasure waits for the store, the rest must not.
    clickhouseUrl: 'http://127.0.0.1:9',
    engineMemoryBytes: 1,
    retention: {},
    alertBudgetPerDay: 1,
    clock: () => NOW,
    logger,
    metrics,
    onUp: () => undefined,
  })
  const changes = createChanges({ log: () => log, clock: () => NOW })
  detection.start()
  t.after(async () => {
    await detection.stop()
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })

  for (const tenant of TENANTS) {
    const records = IDENTITIES.flatMap((id) =>
      [0, 1, 2].map((n) => {
        const event = Event.parse({
          id: `${n}`,
          time: NOW + n,
          tenant,
          identity: { id, kind: 'agent' },
          action: 'read',
          resource: { class: 'crm' },
        })
        const key = eventKey(tenant, id)
        return { shard: shardOfKey(key, SHARDS), ingestTimeMs: NOW + n, key, value: canonicalEvent(event) }
      }),
    )
    const values = [tenantValueName(tenant), `policy:given:${tenant}`, `blind:${tenant}:00112233aabbccdd`]
    await log.ingest({ records, values: Object.fromEntries(values.map((name) => [name, Buffer.from('x')])) })
    await changes.announce(tenant, CHANGE, 'operator')
  }
  await detection.drained()

  const placesOf = (tenant: string): string[] =>
    IDENTITIES.map((id) => {
      const { shard, key } = detection.placeOf(tenant, id)
      return `${shard}:${Buffer.from(key).toString('hex')}`
    })
  const look = async () => {
    const slots = new Map(
      [...log.slots()].map(({ shard, key, bytes }) => [`${shard}:${Buffer.from(key).toString('hex')}`, Buffer.from(bytes).toString('hex')]),
    )
    const records: string[] = []
    const states: string[] = []
    for (let shard = 0; shard < SHARDS; shard++) {
      for (const { offset, key, value } of await log.read(shard, 0, 10_000))
        records.push(
          `${(JSON.parse(Buffer.from(value).toString()) as { tenant?: string }).tenant ?? 'default'} ${shard} ${offset} ${Buffer.from(key).toString()}`,
        )
      const { meta } = await log.acquire(shard)
      for (const [name, bytes] of meta) states.push(`${name}=${Buffer.from(bytes).toString('hex')}`)
    }
    const values = ['tenant:', 'policy:', 'changes:', 'blind:'].flatMap((prefix) => [...log.kv.list(prefix)]).sort()
    return { slots, records, states, values }
  }

  await detection.stop()
  const before = await look()
  for (const tenant of TENANTS) for (const place of placesOf(tenant)) assert.ok(before.slots.has(place), `${tenant} ${place}`)
  detection.start()

  const forgotten: string[] = []
  const tenants = createTenantLedger({ perInstance: TENANTS.length, perToken: TENANTS.length })
  tenants.load(TENANTS.map((name) => [name, 'main']))
  const trainer = { forget: (tenant: string) => void forgotten.push(tenant) }
  const remove = createRemoval({
    log,
    detection,
    releases,
    trainer,
    storage,
    correlator: null,
    blindSpots: { forget: async (tenant) => void forgotten.push(`blind spots of ${tenant}`) },
    tenants,
    clock: () => NOW,
    logger,
    drainMs: 100,
  })
  await remove('demo', 'token holder')
  await detection.stop()
  const after = await look()

  assert.deepEqual(forgotten, ['demo', 'blind spots of demo'])
  assert.equal(tenants.claim('main').admit('new'), null, 'its place is free')
  const gone = new Set(placesOf('demo'))
  assert.deepEqual(after.slots, new Map([...before.slots].filter(([place]) => !gone.has(place))))
  assert.deepEqual(
    after.records,
    before.records.filter((record) => !record.startsWith('demo ')),
  )
  // The change that was announced is a record of every shard.
  assert.equal(after.records.length, before.records.length - IDENTITIES.length * 3 - SHARDS)
  assert.deepEqual([changes.list('demo').length, changes.list('demo|x').length], [0, 1])
  const isOf = (tenant: string) => (text: string) => text.startsWith(`t:${tenant}=`) || text.startsWith(`n:${tenant}=`)
  assert.deepEqual(
    after.states.filter((text) => !isOf('demo')(text)),
    before.states.filter((text) => !isOf('demo')(text)),
  )
  assert.deepEqual(after.states.filter(isOf('demo')), [])
  assert.deepEqual(
    after.values,
    before.values.filter((name) => !name.endsWith(':demo') && !name.startsWith('blind:demo:0')),
  )
  const entries = (await log.outbox.read('audit', 0, 1e9))
    .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as AuditRecord)
    .filter(({ action }) => action.startsWith('tenant.'))
  assert.deepEqual(
    entries.map(({ actor, action, target, tenant }) => [actor, action, target, tenant]),
    [
      ['token holder', 'tenant.remove', 'demo', 'demo'],
      ['service', 'tenant.removed', 'demo', 'demo'],
    ],
  )
  assert.equal((entries[1]?.body as { events: number }).events, IDENTITIES.length * 3 + SHARDS)
  detection.start()
})
