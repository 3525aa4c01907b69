import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { canonicalEvent, eventKey, shardOfKey } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { createLogger, createMetrics } from '@plumbline/runtime'
import { DetectionConfig, Event, SCORED_FLAGS } from '@plumbline/schemas'
import { announce, createReleaseStore } from '@plumbline/trainer'
import { createLocalDetection } from './local-detection.ts'
import { createErasure, type ErasureDeps, type RemoveRecords } from './erasure.ts'

const NOW = 1_790_000_000_000
const SHARDS = 4
const logger = createLogger({ name: 'test', level: 'silent' })
/** Names of which two make the same record key. */
const PEOPLE = [
  ['acme', 'alice'],
  ['acme', 'b|alice'],
  ['acme|b', 'alice'],
  ['other', 'alice'],
  ['acme', 'bob'],
] as const

test('an identity is forgotten with its records and verdicts; who is called alike stays; what it does later is new', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-erasure-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const config = DetectionConfig.parse({ shards: SHARDS })
  const metrics = createMetrics()
  const detection = createLocalDetection({
    log,
    releases: createReleaseStore(log.kv, () => []),
    config,
    residentIdentities: 1000,
    logger,
    metrics,
  })
  detection.start()
  t.after(async () => {
    await detection.stop()
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const act = async (tenant: string, id: string, n: number): Promise<void> => {
    const event = Event.parse({
      id: `${n}`,
      time: NOW + n,
      tenant,
      identity: { id, kind: 'user' },
      action: 'read',
      resource: { class: 'crm' },
    })
    const key = eventKey(tenant, id)
    await log.append([{ shard: shardOfKey(key, SHARDS), ingestTimeMs: NOW + n, key, value: canonicalEvent(event) }])
  }
  for (const [tenant, id] of PEOPLE) for (let n = 0; n < 3; n++) await act(tenant, id, n)
  const verdict = {
    v: 1,
    type: 'verdict',
    tenant: 'acme',
    alertId: 'a',
    verdict: 'safe',
    groupKey: 'rate:0',
    author: 'me',
  } as const
  for (const identity of ['alice', 'bob']) {
    const { shard } = detection.placeOf('acme', identity)
    await announce(log, {
      record: { ...verdict, controlId: `verdict:${identity}`, identity, events: [] },
      shards: [shard],
      nowMs: NOW,
      nonce: 'n',
    })
  }
  await detection.drained()

  const records = async (): Promise<string[]> => {
    const all: string[] = []
    for (let shard = 0; shard < SHARDS; shard++)
      for (const { key, value } of await log.read(shard, 0, 10_000)) {
        const said = JSON.parse(Buffer.from(value).toString()) as { tenant?: string; identity: string | { id: string } }
        const who = typeof said.identity === 'string' ? said.identity : said.identity.id
        all.push(`${Buffer.from(key).toString()} of ${said.tenant ?? 'default'}/${who}`)
      }
    return all.sort()
  }
  const before = await records()
  assert.equal(before.length, PEOPLE.length * 3 + 2)
  const asked: unknown[] = []
  const recording = { erase: async (what: unknown) => (asked.push(what), { done: Promise.resolve() }) }
  const storage = { recording } as unknown as ErasureDeps['storage']
  const removeRecords: RemoveRecords = async (record) => (await log.removeTenant({ record, slot: () => false, state: () => false })).events
  const erase = createErasure({
    log,
    detection,
    storage,
    correlator: null,
    blindSpots: { forget: async (tenant, identity) => void asked.push(['blind spots', tenant, identity]) },
    removeRecords,
    clock: () => NOW,
    logger,
    signal: new AbortController().signal,
  })
  // Three events, the verdict and the request itself.
  assert.equal(await erase({ tenant: 'acme', identity: 'alice' }), 5)
  assert.deepEqual(
    await records(),
    before.filter((record) => !record.endsWith(' of acme/alice')),
  )
  const { shard, key } = detection.placeOf('acme', 'alice')
  assert.deepEqual(asked, [['blind spots', 'acme', 'alice'], { tenant: 'acme', identity: { id: 'alice', upTo: log.head(shard).next } }])
  const audit = (await log.outbox.read('audit', 0, 1e9)).map(({ payload }) => Buffer.from(payload).toString())
  assert.equal(audit.length, 1)
  assert.ok(audit[0]?.includes(Buffer.from(key).toString('hex')) && !audit[0].includes('alice'))

  await act('acme', 'alice', 10)
  await act('acme', 'bob', 11)
  await detection.drained()
  const last = (await log.outbox.read('scored', 0, 1e9)).flatMap(({ payload }) => [...scoredRows(payload)])
  const isNew = (who: string): boolean => {
    const row = last.findLast(({ tenant, identity }) => tenant === 'acme' && identity === who)
    assert.ok(row !== undefined)
    return (row.flags & SCORED_FLAGS.newIdentity) !== 0
  }
  assert.deepEqual([isNew('alice'), isNew('bob')], [true, false])
  await assert.rejects(erase({ tenant: 'nobody', identity: 'alice' }), { code: 'TENANT_UNKNOWN' })
})
