import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { connect, type Engine, migrate, type Store, startEngine } from '@plumbline/adapters/clickhouse'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { generate } from '@plumbline/generator'
import { packRelease, sha256Hex, unpackRelease } from '@plumbline/detector/release'
import { createLogger, createMetrics } from '@plumbline/runtime'
import { type ControlRecord, DetectionConfig, FEATURES } from '@plumbline/schemas'
import { signRelease } from '@plumbline/training'
import { createRecorder } from '../../services/recorder/src/index.ts'
import { feed } from '../../services/standalone/src/feed.ts'
import { createLocalDetection, type LocalDetection } from '../../services/standalone/src/local-detection.ts'
import { createReleaseStore, createTrainer, type ReleaseStore, signingKeyIn, type Trainer } from '../../services/trainer/src/index.ts'

// One deployment that lives for a few days: its releases are made, held against each other, held back, and brought back.
const SHARDS = 2
const TENANT = 'default'
const base = mkdtempSync(join(tmpdir(), 'plumbline-releases-'))
const config = DetectionConfig.parse({ shards: SHARDS, trainAfterEvents: 1000 })
const metrics = createMetrics()
const logger = createLogger({ name: 'test', level: 'silent', destination: { write: () => {} } })
const life = [...generate({ seed: 5, days: 8, identities: 20, eventsPerIdentityDay: 40, attacks: 'none' })].map(({ event }) => event)
let engine: Engine
let log: EmbeddedLog
let owner: Store
let reader: Store
let writer: Store
let releases: ReleaseStore
let detection: LocalDetection
let recorder: ReturnType<typeof createRecorder>
let trainer: Trainer
let clock = Date.UTC(2026, 9, 20)
let fed = 0

const makeTrainer = (): Trainer =>
  createTrainer({
    log,
    releases,
    signingKey: signingKeyIn(join(base, 'signing.key')),
    config,
    tenants: detection.tenants,
    paceOf: () => ({ trainAfterEvents: 1000, retrainEveryDays: 7, maxRows: 50_000 }),
    slotsOf: detection.slotsOf,
    store: () => ({ reader, access: { url: engine.url, user: 'reader', password: engine.passwords.reader } }),
    recorded: () => recorder.drained(),
    clock: () => clock++,
    metrics,
    intervalMs: 3_600_000,
  })

before(async () => {
  engine = await startEngine({ dir: join(base, 'engine') })
  owner = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner })
  await migrate(owner)
  reader = connect({ url: engine.url, user: 'reader', password: engine.passwords.reader })
  writer = connect({ url: engine.url, user: 'recorder', password: engine.passwords.recorder })
  log = await openEmbeddedLog({ dir: join(base, 'log'), shards: SHARDS })
  releases = createReleaseStore(log.kv, () => [signingKeyIn(join(base, 'signing.key')).publicKey])
  detection = createLocalDetection({ log, releases, config, residentIdentities: 1000, logger, metrics })
  detection.start()
  recorder = createRecorder({ log, store: () => writer, lingerMs: 2 })
  await recorder.start()
  trainer = makeTrainer()
  await trainer.start()
})
after(async () => {
  await trainer.stop()
  await recorder.stop()
  await detection.stop()
  await log.close()
  for (const store of [owner, reader, writer]) await store.close()
  await engine.stop()
  rmSync(base, { recursive: true, force: true })
})

const live = async (events: number): Promise<void> => {
  await feed(life.slice(fed, fed + events), { log, tenant: TENANT, name: `life-${fed}`, chunk: 500, clock: () => clock })
  fed += events
  await detection.drained()
  await recorder.drained()
}

/** Ids of releases in a shard's log, in order. */
const inLog = async (shard: number): Promise<string[]> =>
  (await log.read(shard, 0, 1_000_000))
    .filter(({ key }) => key[0] === 'c'.charCodeAt(0))
    .map(({ value }) => JSON.parse(Buffer.from(value).toString()) as ControlRecord)
    .flatMap((control) => (control.type === 'release' ? [control.releaseId] : []))
const inForce = (): string | undefined => detection.releaseOf(TENANT)?.id
const audited = async (action: string): Promise<readonly { target: string; actor: string }[]> => {
  await recorder.drained()
  return reader.rows(`SELECT target, actor FROM ${reader.database}.audit WHERE action = {action:String} ORDER BY sequence`, { action })
}

test('the first model has nothing to be held against; the next one is held against it on later rows', async () => {
  await live(1500)
  await trainer.trainNow(TENANT, 'operator')
  await live(1500)
  const first = await trainer.trainNow(TENANT, 'operator')
  assert.deepEqual([first.id, first.modelled, first.held], ['default-r2', true, undefined])
  const bare = releases.appraisal(first.sha256)
  assert.deepEqual([bare?.shadow, bare?.notCompared], [null, 'no model was in force'])
  await live(1500)
  const second = await trainer.trainNow(TENANT, 'operator')
  await detection.drained()
  assert.equal(second.held, undefined, JSON.stringify(second.held))
  assert.equal(inForce(), 'default-r3')
  const { shadow, checks } = releases.appraisal(second.sha256)!
  assert.equal(shadow?.inForce, 'default-r2')
  assert.ok(shadow.rows > 250 && shadow.candidate.detection > 0 && shadow.before.detection > 0)
  assert.notEqual(checks.verdict, 'failed')
  await recorder.drained()
  const [row] = await reader.rows<{ body: string }>(`SELECT body FROM ${reader.database}.releases WHERE release_id = 'default-r3'`)
  assert.deepEqual((JSON.parse(row!.body) as { shadow: unknown }).shadow, JSON.parse(JSON.stringify(shadow)))
})

/** Sixty rows of one identity within two hours, all of them about the same and like nobody's. */
const plant = async (): Promise<void> => {
  const features = FEATURES.map((f, i) => (f.surprise && i % 2 === 0 ? 9 : f.range[0] + 0.01))
  const table = `${owner.database}.scored_events`
  await owner.command(
    `INSERT INTO ${table}
     WITH (SELECT any(identity) FROM ${table}) AS who, (SELECT max(event_time) - toIntervalHour(40) FROM ${table}) AS begin
     SELECT * REPLACE(who AS identity, offset + 1000000 AS offset, begin + toIntervalSecond(2 * rowNumberInAllBlocks()) AS event_time,
       arrayMap((x, i) -> toFloat32(x + 0.01 * sin(i * offset)), ${JSON.stringify(features)}, range(${features.length})) AS features,
       toUInt32(4) AS flags)
     FROM ${table} WHERE release != 'release-0' LIMIT 60`,
  )
}

test('a model of rows with a planted cluster is held back: in no log, in the ledger, the tables and the counts with its reason', async () => {
  await live(1500)
  const before = await inLog(0)
  await plant()
  const held = await trainer.trainNow(TENANT, 'operator')
  await detection.drained()
  assert.match(held.held?.[0] ?? '', /^cluster: About \d+ rows .* from 1 of \d+ identities within 0\.0 hours/)
  const whose = /Whose: (SELECT .*)$/.exec(held.held![0]!)![1]!
  const named = await reader.rows<{ identity: string }>(whose.replace('FROM scored_events', `FROM ${reader.database}.scored_events`))
  assert.equal(named.length, 1, 'the reason says how to learn whose they are')
  assert.equal(inForce(), 'default-r3')
  assert.deepEqual(await inLog(0), before)
  assert.deepEqual(await audited('release.held'), [{ target: held.id, actor: 'operator' }])
  assert.match(await metrics.registry.metrics(), /plumbline_releases_held_total 1/)
})

test('what was held back is not put into use by a later start, nor by a roll-back that names it', async () => {
  await trainer.stop()
  trainer = makeTrainer()
  await trainer.start()
  await detection.drained()
  assert.equal(inForce(), 'default-r3')
  assert.equal((await audited('release.held')).length, 1)
  await assert.rejects(trainer.restore({ tenant: TENANT, releaseId: 'default-r4', held: false }, 'operator'), { code: 'RELEASE_HELD' })
})

test('roll-back puts the earlier content into force in every shard, as a release of its own; again it goes further back', async () => {
  const back = await trainer.restore({ tenant: TENANT, held: false }, 'operator')
  await detection.drained()
  assert.deepEqual([back.id, back.restores, back.modelled], ['default-r5', 'default-r2', true])
  assert.deepEqual([inForce(), detection.releaseOf(TENANT)?.trained], ['default-r5', true])
  for (let shard = 0; shard < SHARDS; shard++) assert.equal((await inLog(shard)).at(-1), 'default-r5')
  assert.deepEqual(await audited('release.restored'), [{ target: 'default-r5', actor: 'operator' }])
  await live(200)
  const [row] = await reader.rows<{ n: number }>(
    `SELECT toUInt32(count()) AS n FROM ${reader.database}.scored_events WHERE release = 'default-r5'`,
  )
  assert.equal(row?.n, 200)
  assert.equal((await trainer.restore({ tenant: TENANT, held: false }, 'operator')).restores, 'default-r1')
  await assert.rejects(trainer.restore({ tenant: TENANT, held: false }, 'operator'), { code: 'RELEASE_UNKNOWN' })
})

test('a named one comes back, one that is in force does not, and what was held back only on purpose', async () => {
  const named = await trainer.restore({ tenant: TENANT, releaseId: 'default-r3', held: false }, 'operator')
  assert.deepEqual([named.id, named.restores], ['default-r7', 'default-r3'])
  for (const releaseId of ['default-r3', 'default-r7'])
    await assert.rejects(trainer.restore({ tenant: TENANT, releaseId, held: false }, 'operator'), { code: 'RELEASE_IN_FORCE' })
  const promoted = await trainer.restore({ tenant: TENANT, releaseId: 'default-r4', held: true }, 'operator')
  await detection.drained()
  assert.equal(promoted.restores, 'default-r4')
  assert.equal(inForce(), promoted.id)
  await assert.rejects(trainer.restore({ tenant: TENANT, releaseId: 'default-r99', held: false }, 'operator'), { code: 'RELEASE_UNKNOWN' })
})

test('the releases after a roll-back are made of what came since, on the usual schedule', async () => {
  assert.equal(trainer.isDue(TENANT, fed + 1), false)
  await live(1500)
  const next = await trainer.trainNow(TENANT, 'operator')
  assert.equal(next.sequence, 9)
  assert.equal(releases.appraisal(next.sha256)?.shadow?.inForce, 'default-r8')
})

test('after an upgrade the model of the version before runs on, and is replaced once enough was scored to hold another against it', async () => {
  const tenant = 'upgraded'
  const bring = async (from: number, to: number): Promise<void> => {
    await feed(life.slice(from, to), { log, tenant, name: `upgraded-${from}`, chunk: 500, clock: () => clock })
    await detection.drained()
    await recorder.drained()
  }
  await bring(0, 300)
  const kept = new Uint8Array(gunzipSync(readFileSync(new URL('../contract/fixtures/detector/release-1.0.0.plumrel.gz', import.meta.url))))
  const { header, section } = unpackRelease(kept)
  const { sections, ...rest } = header
  const old = { ...rest, id: 'upgraded-r1', tenant, sequence: 1 }
  const bytes = packRelease(old, Object.fromEntries(sections.map(({ name }) => [name, section(name)])))
  const sha256 = sha256Hex(bytes)
  const envelope = signRelease(bytes, signingKeyIn(join(base, 'signing.key')))
  const entry = { sequence: 1, id: old.id, sha256, modelled: true, events: 20, toTime: life[0]!.time as number, madeAt: clock }
  await releases.keep(tenant, entry, { bytes, envelope, appraisal: null })
  await trainer.stop()
  trainer = makeTrainer()
  await trainer.start()
  await bring(300, 450)
  const running = (): string | undefined => detection.releaseOf(tenant)?.id
  await trainer.settle(tenant)
  assert.equal(running(), old.id, 'growth alone makes nothing due: the rows of the version before are not of this catalogue')
  await assert.rejects(trainer.trainNow(tenant, 'operator'), { code: 'TRAINING_ROWS', message: /150 usable rows\. The one before stays/ })
  await trainer.complete(tenant)
  assert.equal(running(), old.id)
  await bring(450, 2300)
  await trainer.settle(tenant)
  await detection.drained()
  const made = releases.list(tenant)
  assert.deepEqual([made.length, made[1]?.modelled, made[1]?.held, running()], [2, true, undefined, 'upgraded-r2'])
  assert.equal(releases.appraisal(made[1]!.sha256)?.shadow?.inForce, old.id)
})
