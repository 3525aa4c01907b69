import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { type TestContext, test } from 'node:test'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { type CorrelatorPoint, createCorrelator } from '../../services/correlator/src/index.ts'
import { Detector, hashKeyOf } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG, type Incident } from '@plumbline/schemas'
import { createWorker } from '../../services/worker/src/index.ts'
import { CUT, incidentsIn, named, send, sendPolicy, STORY } from '../support/incidents.ts'

const openLog = async (t: TestContext, shards: number): Promise<EmbeddedLog> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-correlator-'))
  const log = await openEmbeddedLog({ dir, shards })
  t.after(async () => {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  await sendPolicy(log)
  return log
}

/** Workers that share the shards out, each with a detector of its own. */
const score = async (log: EmbeddedLog, workers: number): Promise<void> => {
  const config = { ...DEFAULT_DETECTION_CONFIG, shards: log.shards }
  const all = Array.from({ length: log.shards }, (_, shard) => shard)
  const started = Array.from({ length: workers }, (_, n) => {
    const options = {
      config,
      masterKey: hashKeyOf(log),
      slots: log,
      releases: { artifact: () => undefined },
      residentSlots: 64,
      topic: 'events',
    }
    const shards = all.filter((shard) => shard % workers === n)
    return createWorker({ log, processor: new Detector(options), shards, onRecords: (listener) => log.onRecords(listener) })
  })
  for (const worker of started) worker.start()
  for (const worker of started) await worker.drained()
  for (const worker of started) await worker.stop()
}

const live = async (t: TestContext, shards: number, workers: number): Promise<string[]> => {
  const log = await openLog(t, shards)
  const correlator = createCorrelator({ log, clock: () => 0 })
  for (const part of [STORY.slice(0, CUT), STORY.slice(CUT)]) {
    await send(log, part)
    await score(log, workers)
    while ((await correlator.step()).length > 0);
  }
  return named(log)
}

test('C13 a bad tool, a shared source and a split flow are the same incidents on one shard and on six with two workers', async (t) => {
  const one = await live(t, 1, 1)
  const kinds = one.map((text) => (JSON.parse(text) as Incident).kind)
  assert.deepEqual(new Set(kinds), new Set(['common_cause', 'shared_source', 'split_flow']))
  const fleet = one.map((text) => JSON.parse(text) as Incident).filter(({ kind }) => kind === 'common_cause')
  assert.deepEqual(new Set(fleet.map(({ id }) => id)).size, 1, 'one incident for the fleet')
  const last = fleet.sort((a, b) => b.revision - a.revision)[0]!
  assert.deepEqual([last.cause.value, last.identityCount, last.alertCount], ['drop.example', 8, 8])
  assert.ok(last.also.some(({ kind, value }) => kind === 'tool' && value === 'pdf.convert'))
  assert.deepEqual(await live(t, 6, 1), one)
  assert.deepEqual(await live(t, 6, 2), one)
})

const POINTS: readonly CorrelatorPoint[] = ['correlator:read', 'correlator:storing', 'correlator:stored', 'correlator:advanced']

test('C13 a correlator that dies at any point goes on without losing or doubling a revision', async (t) => {
  const expected = await live(t, 6, 1)
  const log = await openLog(t, 6)
  let deaths = 0
  for (let at = 0; at < STORY.length; at += 90) {
    await send(log, STORY.slice(at, at + 90))
    await score(log, 1)
    for (const [i, point] of POINTS.entries()) {
      const dying = createCorrelator({
        log,
        clock: () => 0,
        saveMs: (at + i) % 3 === 0 ? 0 : 30_000,
        onPoint: (reached) => {
          if (reached === point) throw new Error(`dies at ${point}`)
        },
      })
      await dying.step().catch(() => void deaths++)
    }
  }
  const survivor = createCorrelator({ log, clock: () => 0 })
  while ((await survivor.step()).length > 0);
  assert.ok(deaths > POINTS.length)
  const incidents = await incidentsIn(log)
  const keys = incidents.map(({ id, revision }) => `${id}/${revision}`)
  assert.equal(new Set(keys).size, keys.length)
  assert.deepEqual(await named(log), expected)
})

test('what the correlator keeps of an identity is gone once it is forgotten, also what was read of it just now', async (t) => {
  const log = await openLog(t, 2)
  const correlator = createCorrelator({ log, clock: () => 0 })
  const kept = (): string => inflateRawSync(log.kv.get('correlator:state') ?? new Uint8Array(0)).toString()
  await send(log, STORY.slice(0, CUT + 1))
  await score(log, 1)
  while ((await correlator.step()).length > 0);
  await send(log, STORY.slice(CUT + 1, CUT + 2))
  await score(log, 1)
  await correlator.forget('acme', 'agent-10')
  assert.deepEqual([/agent-9\b/.test(kept()), /agent-10\b/.test(kept())], [true, false])
  await send(log, STORY.slice(CUT + 2))
  await score(log, 1)
  while ((await correlator.step()).length > 0);
  assert.ok(!(await incidentsIn(log)).some(({ kind }) => kind === 'split_flow'), 'a step of the flow is missing now')
  await correlator.forget('acme')
  assert.ok(!kept().includes('agent-'))
})
