import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { Detector, type DeploymentLog, type ShardLog } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { createCorrelator } from '../../services/correlator/src/index.ts'
import { createWorker } from '../../services/worker/src/index.ts'
import { CUT, named, send, sendPolicy, STORY } from '../support/incidents.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor } from '../support/kafka/cluster.ts'

const { brokers, skip } = await kafkaBroker()
const masterKey = Buffer.alloc(32, 1)
type Records = (listener: (shards: readonly number[]) => void) => () => void

const workerOn = (log: ShardLog, shards: readonly number[], onRecords: Records) => {
  const config = { ...DEFAULT_DETECTION_CONFIG, shards: SHARDS }
  const options = {
    config,
    masterKey: masterKey.subarray(0, 16),
    slots: log,
    releases: { artifact: () => undefined },
    residentSlots: 64,
    topic: 'events',
  }
  return createWorker({ log, processor: new Detector(options), shards, onRecords })
}

/** Sends the story in two parts; each is scored, then looked through by a correlator of its own, which goes on where the last one was. */
const tell = async (log: DeploymentLog, scored: () => Promise<void>): Promise<string[]> => {
  await sendPolicy(log)
  for (const part of [STORY.slice(0, CUT), STORY.slice(CUT)]) {
    await send(log, part)
    await scored()
    const correlator = createCorrelator({ log, clock: () => 0, saveMs: 0 })
    // What the outbox hands out on Kafka is what has come so far.
    while (correlator.health().rows < part.length) await correlator.step()
    while ((await correlator.step()).length > 0);
  }
  return named(log)
}

test('C13 incidents are the same over Kafka with two workers as over the embedded log, and go on after a restart', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-correlator-'))
  const embedded = await openEmbeddedLog({ dir, shards: SHARDS })
  t.after(async () => {
    await embedded.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const all = Array.from({ length: SHARDS }, (_, shard) => shard)
  const local = workerOn(embedded, all, (listener) => embedded.onRecords(listener))
  local.start()
  t.after(() => local.stop())
  const expected = await tell(embedded, () => local.drained())
  assert.ok(expected.length >= 4)

  const cluster = await clusterFor(t, brokers)
  const deployment = cluster.keep(
    await openKafkaDeployment(cluster.settings, { prefix: cluster.prefix, shards: SHARDS, masterKey, door: 'front' }),
  )
  const workers = await Promise.all(
    [0, 1].map(async (n) => {
      const log = await cluster.open()
      return workerOn(
        log,
        all.filter((shard) => shard % 2 === n),
        (listener) => log.onRecords(listener),
      )
    }),
  )
  for (const worker of workers) worker.start()
  t.after(() => Promise.all(workers.map((worker) => worker.stop())))
  const scored = async (): Promise<void> => {
    for (const worker of workers) await worker.drained()
    for (;;) {
      await deployment.refreshHeads()
      if (all.every((shard) => deployment.head(shard).position >= deployment.head(shard).next - 1)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  assert.deepEqual(await tell(deployment, scored), expected)
})
