import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openKafkaLog } from '@plumbline/adapters/kafka'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { Detector, type ShardLog, type SlotSource } from '@plumbline/detector'
import type { Topic } from '@plumbline/schemas'
import { MASTER_KEY } from '../../packages/detector/src/rig.testkit.ts'
import { createWorker } from '../../services/worker/src/index.ts'
import { createDraw } from '../faults/cluster/faults.ts'
import { readOutcome } from '../faults/cluster/oracle.ts'
import {
  alertItem,
  capsuleItem,
  compare,
  countOf,
  digest,
  type Item,
  letterItem,
  metaName,
  nextName,
  type Outcome,
  rowItems,
  slotName,
  truthOf,
} from '../faults/cluster/outcome.ts'
import { spawnWorker, type WorkerProcess } from '../faults/cluster/process.ts'
import { type Deployment, openDeployment } from '../faults/cluster/site.ts'
import { COMPANY, CONFIG, type Log, makeLog, SHARDS } from '../support/detector-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { removeTopics, testKafka } from '../support/kafka/topics.ts'
import { knowPrevious, PREVIOUS, previousBuild, toCurrent, versionOf } from '../support/previous-slot.ts'

/**
 * One log, with everything in it that changes a detector, through every kind of deployment: the same rows byte for byte, the same
 * alerts, the same state (INV-1, INV-3, contracts C1 and C15). With PLUMBLINE_TEST_FULL=1 the log has 100,000 records, and this
 * takes some minutes on two cores.
 */

const { brokers, skip } = await kafkaBroker()
const SIZES = {
  short: { least: 25_000, company: { ...COMPANY, identities: 400, days: 6, eventsPerIdentityDay: 9 } },
  full: { least: 100_000, company: { ...COMPANY, identities: 800, days: 7, eventsPerIdentityDay: 14 } },
}
const { least: LEAST, company: SIZE } = SIZES[process.env['PLUMBLINE_TEST_FULL'] === '1' ? 'full' : 'short']
/** A worker that is killed is missed soon; one that only waits for a processor is not. */
const SESSION_MS = { killed: 1_500, left: 10_000 }
const SETTLE_MS = 120_000
const PORTION = 4_000
const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
const none = { lost: 0, doubled: 0, wrong: 0, state: 0 }

let log: Log
let truth: Outcome
before(async () => {
  if (skip !== false) return
  log = await makeLog(SIZE)
  truth = truthOf(log.shards, log.artifacts)
})

const detectorOn = (slots: SlotSource): Detector =>
  new Detector({
    config: CONFIG,
    masterKey: MASTER_KEY,
    slots,
    releases: { artifact: (_, sha256) => log.artifacts.get(sha256) },
    residentSlots: 256,
    topic: 'events',
  })

/** Over rows sorted by position, alerts and the rest by name, and all state. */
const digestOf = ({ items, state }: Outcome): string => digest(JSON.stringify([[...items].sort(), [...state].sort()]))

const same = (t: TestContext, found: Outcome): void => {
  assert.deepEqual(compare(truth, found), none)
  assert.equal(digestOf(found), digestOf(truth))
  t.diagnostic(`${countOf(found, 'row')} rows, ${countOf(found, 'alert')} alerts, ${digestOf(found).slice(0, 12)}`)
}

const readAll = async ({ outbox }: EmbeddedLog, topic: Topic): Promise<Uint8Array[]> => {
  const all: Uint8Array[] = []
  for (let lane = 0; lane < outbox.lanes(topic); lane++) {
    for (let after = 0, end = await outbox.end(topic, lane); after < end; ) {
      const entries = await outbox.read(topic, after, 4_000_000, end, lane)
      all.push(...entries.map(({ payload }) => payload.slice()))
      after = entries.at(-1)!.sequence
    }
  }
  return all
}

const outcomeOf = async (embedded: EmbeddedLog): Promise<Outcome> => {
  const parsed = async (topic: Topic, item: (value: never) => Item): Promise<Item[]> =>
    (await readAll(embedded, topic)).map((payload) => item(JSON.parse(Buffer.from(payload).toString()) as never))
  const items = [
    ...(await readAll(embedded, 'scored')).flatMap(rowItems),
    ...(await parsed('alerts', alertItem)),
    ...(await parsed('capsules', capsuleItem)),
    ...(await parsed('dead-letters', letterItem)),
  ]
  const state = new Map<string, string>()
  for (const { shard, key, bytes } of embedded.slots()) state.set(slotName(shard, key), digest(bytes))
  for (const shard of shards) {
    const { nextOffset, meta } = await embedded.acquire(shard)
    state.set(nextName(shard), String(nextOffset))
    for (const [name, bytes] of meta) state.set(metaName(shard, name), digest(bytes))
  }
  return { items, state }
}

const deploymentFor = async (t: TestContext): Promise<Deployment> => {
  const kafka = testKafka(brokers)
  const deployment = await openDeployment({ brokers, kafka, log })
  t.after(async () => {
    await deployment.close()
    await removeTopics(kafka, deployment.prefix)
  })
  return deployment
}

const feed = async (deployment: Deployment, upTo = 1): Promise<void> => {
  while (deployment.fed() < upTo) await deployment.feed(PORTION)
}

let names = 0
const workerOn = (t: TestContext, { prefix }: Deployment, fate: 'killed' | 'left'): WorkerProcess => {
  const chunkRecords = fate === 'killed' ? 100 : 1_000
  // Often enough for a killed worker to leave some behind its outputs, and for the test to see all of it soon.
  const snapshotSeconds = 1
  const plan = { id: `${++names}`, brokers, prefix, sessionMs: SESSION_MS[fate], chunkRecords, snapshotSeconds, previous: true }
  const worker = spawnWorker(plan, (text) => assert.fail(text))
  t.after(() => worker.signal('SIGKILL'))
  return worker
}

/** Until the group has given each its part: else the first to come may do the work of all. */
const sharedOut = async (workers: readonly WorkerProcess[]): Promise<void> => {
  const isShared = (): boolean => {
    const owned = workers.flatMap(({ shards }) => [...shards])
    return owned.length === SHARDS && new Set(owned).size === SHARDS && workers.every(({ shards }) => shards.size > 0)
  }
  for (const until = performance.now() + SETTLE_MS; !isShared(); await sleep(50))
    assert.ok(performance.now() < until, `shards are not shared out: ${workers.map(({ shards }) => [...shards].join()).join('; ')}`)
}

const end = async (workers: readonly WorkerProcess[]): Promise<void> => {
  for (const worker of workers) worker.send({ do: 'end' })
  await Promise.all(workers.map(({ gone }) => gone))
}

const outcomeIn = ({ names: topics }: Deployment): Promise<Outcome> => readOutcome(testKafka(brokers), topics, toCurrent)

/**
 * Until all is put out and all state is stored. Outputs at the end do not say that somebody has the state: a shard whose owner
 * was killed, or that changes hands at the end, stays at its last snapshot until somebody has computed the rest once more.
 */
const saved = async (deployment: Deployment, workers: readonly WorkerProcess[]): Promise<void> => {
  const settled = await deployment.settled(SETTLE_MS)
  assert.ok(settled, workers.map(({ lines }) => lines.slice(-12).join(' | ')).join('; '))
  for (const until = performance.now() + SETTLE_MS; compare(truth, await outcomeIn(deployment)).state > 0; await sleep(500))
    assert.ok(performance.now() < until, 'state is not stored by those who live')
}

describe('a log gives the same', { skip, timeout: 600_000 }, () => {
  test('embedded', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'plumbline-equal-'))
    const embedded = await openEmbeddedLog({ dir, shards: SHARDS })
    const worker = createWorker({ log: embedded, processor: detectorOn(embedded), shards, onRecords: embedded.onRecords })
    t.after(async () => {
      await worker.stop()
      await embedded.close()
      rmSync(dir, { recursive: true, force: true })
    })
    const records = log.shards.flatMap((own, shard) => own.map((record) => ({ ...record, shard })))
    assert.ok(records.length >= LEAST, `only ${records.length} records`)
    for (let at = 0; at < records.length; at += PORTION) await embedded.append(records.slice(at, at + PORTION))
    worker.start()
    await worker.drained()
    await worker.stop()
    same(t, await outcomeOf(embedded))
  })

  for (const count of [1, 3]) {
    test(`on ${count} worker${count > 1 ? 's' : ''}`, async (t) => {
      const deployment = await deploymentFor(t)
      const workers = Array.from({ length: count }, () => workerOn(t, deployment, 'left'))
      await sharedOut(workers)
      await feed(deployment)
      await saved(deployment, workers)
      await end(workers)
      same(t, await outcomeIn(deployment))
    })
  }

  test('on workers that are killed at random times', async (t) => {
    const KILLS = 8
    const draw = createDraw(6)
    const deployment = await deploymentFor(t)
    const workers = Array.from({ length: 3 }, () => workerOn(t, deployment, 'killed'))
    for (let kill = 1; kill <= KILLS; kill++) {
      await feed(deployment, kill / KILLS)
      await sleep(draw(1_500))
      const at = draw(workers.length)
      workers[at]!.signal('SIGKILL')
      await workers[at]!.gone
      workers[at] = workerOn(t, deployment, 'killed')
    }
    await saved(deployment, workers)
    await end(workers)
    same(t, await outcomeIn(deployment))
  })

  for (const count of [1, 3]) {
    test(`with an upgrade in the middle, then on ${count} worker${count > 1 ? 's' : ''}`, async (t) => {
      knowPrevious()
      const deployment = await deploymentFor(t)
      const earlier = await openKafkaLog({ brokers }, { prefix: deployment.prefix, shards: SHARDS })
      const before = previousBuild<ShardLog>(earlier)
      const worker = createWorker({ log: before, processor: detectorOn(before), shards, chunksPerCommit: 1, onRecords: earlier.onRecords })
      worker.start()
      await feed(deployment, 0.5)
      assert.ok(await deployment.settled(SETTLE_MS))
      await worker.stop()
      await earlier.close()
      const workers = Array.from({ length: count }, () => workerOn(t, deployment, 'left'))
      await sharedOut(workers)
      await feed(deployment)
      await saved(deployment, workers)
      await end(workers)
      let earlierOnes = 0
      const found = await readOutcome(testKafka(brokers), deployment.names, (bytes) => {
        if (versionOf(bytes) === PREVIOUS) earlierOnes++
        return toCurrent(bytes)
      })
      t.diagnostic(`${earlierOnes} records of slots are of the previous build`)
      assert.ok(earlierOnes > 0)
      same(t, found)
    })
  }
})
