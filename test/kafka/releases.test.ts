import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { type ControlRecord, DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { buildRelease, generateSigningKey } from '@plumbline/training'
import { createPublisher } from '../../services/trainer/src/publish.ts'
import { createReleaseStore, createTrainer } from '../../services/trainer/src/index.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor, SHARDS } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
const TENANT = 'acme'
const NOW = Date.UTC(2026, 9, 20)

const statistics = (sequence: number) =>
  buildRelease({
    tenant: TENANT,
    sequence,
    rows: new Float32Array(0),
    alerted: new Uint8Array(0),
    groups: new Uint32Array(0),
    eventsPerDay: 100 * sequence,
    slots: [],
    groupNames: new Map(),
    config: DEFAULT_DETECTION_CONFIG,
    seed: 0,
    createdFrom: { positions: {}, events: 0, fromTime: 0, toTime: 0 },
    withModel: false,
  })

test('on Kafka too: a release that is held back is in no shard, an earlier one comes back into every shard, both are told once', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { kafka, settings, prefix, names, keep } = await clusterFor(t, brokers)
  const log = keep(await openKafkaDeployment(settings, { prefix, shards: SHARDS, masterKey: Buffer.alloc(32, 1), door: 'front' }))
  const signingKey = generateSigningKey()
  const releases = createReleaseStore(log.kv, () => [signingKey.publicKey])
  const publisher = createPublisher({ log, releases, signingKey, clock: () => NOW, onPoint: () => {} })
  for (const [sequence, held] of [[1], [2], [3, ['shadow run: worse.']]] as const) {
    const { id, sha256, bytes } = await statistics(sequence)
    const entry = { sequence, id, sha256, modelled: false, events: 0, toTime: 0, madeAt: NOW }
    await publisher.publish(TENANT, held === undefined ? entry : { ...entry, held }, { bytes, appraisal: null })
  }
  const trainer = createTrainer({
    log,
    releases,
    signingKey,
    config: DEFAULT_DETECTION_CONFIG,
    tenants: () => [],
    paceOf: () => ({ trainAfterEvents: 1000, retrainEveryDays: 7, maxRows: 1000 }),
    slotsOf: async () => [],
    store: () => null,
    recorded: async () => {},
    clock: () => NOW,
  })
  await trainer.start()
  t.after(() => trainer.stop())
  const back = await trainer.restore({ tenant: TENANT, held: false }, 'operator')
  assert.deepEqual([back.id, back.restores], ['acme-r4', 'acme-r1'])
  const controls = (await readCommitted(kafka, names.events)).filter(({ key }) => key?.toString().startsWith('c:') === true)
  for (let shard = 0; shard < SHARDS; shard++) {
    const ofShard = controls
      .filter(({ partition }) => partition === shard)
      .map(({ value }) => JSON.parse(value!.toString()) as ControlRecord)
    assert.deepEqual(
      ofShard.map((control) => control.type === 'release' && control.releaseId),
      ['acme-r1', 'acme-r2', 'acme-r4'],
      `shard ${shard}`,
    )
  }
  const audit = (await log.outbox.read('audit', 0, 1e9)).map(
    ({ payload }) => JSON.parse(Buffer.from(payload).toString()) as { action: string },
  )
  assert.deepEqual(
    audit.map(({ action }) => action),
    ['release', 'release', 'release.held', 'release.restored'],
  )
  const other = keep(await openKafkaDeployment(settings, { prefix, shards: SHARDS, masterKey: Buffer.alloc(32, 1), door: 'other' }))
  assert.ok(createReleaseStore(other.kv, () => [signingKey.publicKey]).artifact(back.id, back.sha256), 'other processes have it, signed')
})
