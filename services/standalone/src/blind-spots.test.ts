import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { canonicalEvent, eventKey, hashKeyOf, policyHash, shardOfKey } from '@plumbline/detector'
import { createProber } from '@plumbline/detector/replay'
import { createLogger, createMetrics } from '@plumbline/runtime'
import { BLIND_SPOT_KINDS, DetectionConfig, Event, Policy } from '@plumbline/schemas'
import { type BlindSpotWatch, createBlindSpots, createReleaseStore } from '@plumbline/trainer'
import { createLocalDetection, type LocalDetection } from './local-detection.ts'
import { createLocalStorage } from './local-storage.ts'
import type { Storage } from './storage.ts'

const SHARDS = 4
const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 5)
const DAYS = 6
const WHO = ['clerk', 'robot|1', 'näme/with:signs']
const logger = createLogger({ name: 'test', level: 'silent' })
const metrics = createMetrics()
const config = DetectionConfig.parse({ shards: SHARDS })
const dir = mkdtempSync(join(tmpdir(), 'plumbline-blind-'))
let log: EmbeddedLog
let detection: LocalDetection
let storage: Storage
let now = START + DAYS * 24 * HOUR
let policy: { policy: Policy; hash: string } | null = null
const stops: BlindSpotWatch[] = []

/** Four acts an hour, day and night; only fields that rows keep. */
const eventOf = (tenant: string, identity: string, i: number): Event =>
  Event.parse({
    id: `${identity}-${i}`,
    time: START + i * (HOUR / 4),
    tenant,
    identity: { id: identity, kind: 'agent' },
    session: `s${Math.floor(i / 8)}`,
    action: i % 4 === 0 ? 'crm.search' : 'crm.read',
    resource: { class: 'crm', id: `case/${i % 30}`, sensitivity: i % 4 === 1 ? 2 : 1 },
    destination: 'crm.corp.internal',
    destinationProvenance: 'user',
    bytesIn: 4000 + (i % 5) * 100,
    bytesOut: 300,
    source: { ip: '10.20.3.4' },
  })

const send = async (tenant: string, identity: string, from: number, to: number): Promise<void> => {
  const events = Array.from({ length: to - from }, (_, i) => eventOf(tenant, identity, from + i))
  await log.append(
    events.map((event) => {
      const key = eventKey(tenant, identity)
      return { shard: shardOfKey(key, SHARDS), ingestTimeMs: event.time, key, value: canonicalEvent(event) }
    }),
  )
  await detection.drained()
  await storage.recording.drained()
}

const make = (cpuPercent = 0): BlindSpotWatch => {
  const watch = createBlindSpots({
    log,
    releases: createReleaseStore(log.kv, () => []),
    config,
    placeOf: detection.placeOf,
    slotsOf: detection.slotsOf,
    slotsAreFar: false,
    changesOf: () => [],
    policyHashOf: () => policy?.hash ?? null,
    policyOf: () => policy,
    store: () => storage.reader(),
    clock: () => now,
    cpuPercent,
    logger,
    metrics,
    roundMs: 10,
  })
  stops.push(watch)
  return watch
}

before(async () => {
  log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: SHARDS })
  const releases = createReleaseStore(log.kv, () => [])
  detection = createLocalDetection({ log, releases, config, residentIdentities: 1000, logger, metrics })
  const up = Promise.withResolvers<void>()
  storage = createLocalStorage({
    log,
    dir: join(dir, 'store'),
    engineMemoryBytes: 512 * 1024 * 1024,
    retention: {},
    alertBudgetPerDay: 20,
    clock: () => now,
    logger,
    metrics,
    onUp: up.resolve,
  })
  await storage.start()
  await up.promise
  detection.start()
  for (const tenant of ['acme', 'acme:x']) for (const who of WHO) await send(tenant, who, 0, DAYS * 96)
})
after(async () => {
  for (const watch of stops) await watch.stop()
  await detection.stop()
  await storage.stop()
  await log.close()
  rmSync(dir, { recursive: true, force: true })
})

test('a round measures who was never measured, the next one nobody until something is new', { timeout: 60_000 }, async () => {
  const watch = make()
  watch.start()
  assert.equal(watch.of('acme', 'clerk'), null)
  assert.equal(await watch.round(), 6)
  const first = watch.of('acme', 'clerk')
  assert.deepEqual(
    first?.spots.map(({ kind }) => kind),
    [...BLIND_SPOT_KINDS],
  )
  assert.deepEqual(
    [first?.measuredAt, first?.baselineAt, first?.releaseId],
    [now, eventOf('acme', 'clerk', DAYS * 96 - 1).time, 'release-0'],
  )
  assert.ok(first?.spots.some(({ alertsFrom, text }) => alertsFrom !== null && text.includes('would alert at')))
  assert.equal(await watch.round(), 0)
  await send('acme', 'clerk', DAYS * 96, DAYS * 96 + 4)
  now += HOUR
  assert.equal(await watch.round(), 1)
  assert.equal(watch.of('acme', 'clerk')?.measuredAt, now)
  policy = { policy: Policy.parse({}), hash: policyHash(Policy.parse({})) }
  assert.equal(await watch.round(), 6)
  policy = null
})

test('acts that are made of rows find what the events themselves find', async () => {
  const who = 'robot|1'
  const [slot] = await detection.slotsOf('acme', [who])
  const recent = Array.from({ length: 200 }, (_, i) => eventOf('acme', who, DAYS * 96 - 1 - i))
  const context = { tenant: 'acme', config, masterKey: hashKeyOf(log), release: undefined, policy: undefined }
  const { spots } = createProber(context).probe({ identity: who, slot: slot!, recent })
  now += HOUR
  const measured = await make().measure('acme', who)
  assert.deepEqual(
    measured?.spots.map(({ kind, alertsFrom, acts, family, skipped }) => ({ kind, alertsFrom, acts, family, skipped })),
    spots.map(({ kind, alertsFrom, acts, family, skipped }) => ({ kind, alertsFrom, acts, family, skipped })),
  )
})

test('on demand: at most once a minute, kept like the others; nobody is nobody', async () => {
  const watch = make()
  const first = await watch.measure('acme', 'clerk')
  now += 30_000
  assert.equal((await watch.measure('acme', 'clerk'))?.measuredAt, first?.measuredAt)
  now += 60_000
  assert.equal((await watch.measure('acme', 'clerk'))?.measuredAt, now)
  assert.equal(watch.of('acme', 'clerk')?.measuredAt, now)
  assert.equal(await watch.measure('acme', 'nobody'), null)
  const many = Array.from({ length: 20 }, () => watch.measure('acme', 'clerk').catch((error: { code: string }) => error.code))
  assert.ok((await Promise.all(many)).includes('BLIND_SPOTS_BUSY'))
})

test('what is kept names nobody; the fleet is shown', async () => {
  const names = log.kv.list('blind:')
  assert.equal(names.length, 6)
  const kept = names.map((name) => name + Buffer.from(log.kv.get(name) ?? '').toString()).join('\n')
  for (const who of WHO) assert.ok(!kept.includes(who), who)
  const text = await metrics.registry.metrics()
  assert.match(text, /plumbline_blind_spot_identities\{kind="rate",state="(alerts|blind)"\} 6/)
  assert.match(text, /plumbline_blind_spot_limit\{kind="foreign_reads",quantile="0.9"\} \d/)
})

test('an identity that is forgotten is gone, also while it is measured; so is a tenant, and no other', async () => {
  const watch = make()
  await watch.forget('acme', 'clerk')
  assert.equal(watch.of('acme', 'clerk'), null)
  const measuring = watch.measure('acme', 'clerk')
  await watch.forget('acme', 'clerk')
  assert.ok((await measuring) !== null)
  assert.equal(watch.of('acme', 'clerk'), null)
  await watch.forget('acme')
  assert.equal(log.kv.list('blind:').length, 3)
  for (const who of WHO) assert.ok(watch.of('acme:x', who) !== null)
})

test('by itself it goes on until all are measured, and stops in the middle', { timeout: 60_000 }, async () => {
  const watch = make(50)
  watch.start()
  while (WHO.some((who) => watch.of('acme', who) === null)) await sleep(20)
  now += 2 * 60_000
  const measuring = watch.measure('acme', 'clerk').catch((error: { code: string }) => error.code)
  await watch.stop()
  const ended = await measuring
  assert.ok(ended === 'BLIND_SPOTS_ABORTED' || typeof ended === 'object', String(ended))
})
