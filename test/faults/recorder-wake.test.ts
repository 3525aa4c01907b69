import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Store, engineProblem } from '@plumbline/adapters/clickhouse'
import { openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import { type SupervisedEngine, createRecorder, superviseEngine } from '../../services/recorder/src/index.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { fill, truncate } from './recorder-kafka.ts'

/** Alerts, their capsules and incidents share a topic: a lane passes what is the others', and tells ClickHouse so when it is idle. */

const { brokers, skip: noKafka } = await kafkaBroker()
const skip = noKafka === false ? (engineProblem()?.message ?? false) : noKafka
let root: string
let engine: SupervisedEngine

before(async () => {
  if (skip !== false) return
  root = mkdtempSync(join(tmpdir(), 'plumbline-recorder-wake-'))
  engine = await superviseEngine({ dir: join(root, 'engine') })
  await truncate(engine.store('owner'))
})
after(async () => {
  if (skip !== false) return
  await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

test('what comes while a lane tells ClickHouse where it is, is passed too, though nothing comes after it', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const { more } = await fill(cluster, 1)
  const log = await openKafkaOutboxLog(cluster.settings, { prefix: cluster.prefix })
  let marking = false
  let interrupted: number | null = null
  const limit = performance.now() + 40_000
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) {
      if (performance.now() > limit) throw new Error(`${what}: not in time`)
      await sleep(20)
    }
  }
  const insert: Store['insert'] = async (what) => {
    const isMark = what.table === 'recorder_positions' && String(what.bytes).includes('"topic":"incidents"')
    if (isMark && !marking) {
      marking = true
      const at = JSON.parse(String(what.bytes)).sequence as number
      await more(1)
      // Of each shard an alert, its capsule and the marker of its transaction, which come after the commit was acknowledged.
      await until('the news', () => log.outbox.passed('incidents', at) >= at + 3 * SHARDS)
      interrupted = at
    }
    return engine.store('recorder').insert(what)
  }
  const recorder = createRecorder({ log, store: () => ({ ...engine.store('recorder'), insert }), lingerMs: 1 })
  cluster.keep({
    async close() {
      await recorder.stop()
      await log.close()
    },
  })
  await recorder.start()
  const stored = async (): Promise<number> => {
    const [row] = await engine
      .store('owner')
      .rows<{ at: number }>(`SELECT max(sequence) AS at FROM plumbline.recorder_positions WHERE topic = 'incidents'`)
    return Number(row?.at ?? 0)
  }
  await until('the lane to be idle', () => interrupted !== null)
  const end = await log.outbox.end('incidents')
  assert.ok(end > interrupted!)
  await until('the position of the lane in ClickHouse', async () => (await stored()) >= end)
})
