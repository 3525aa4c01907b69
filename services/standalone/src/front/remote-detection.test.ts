import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { canonicalEvent, eventKey, shardOfKey } from '@plumbline/detector'
import { createLogger, createMetrics } from '@plumbline/runtime'
import { DetectionConfig, Event, progressName, type ShardProgress } from '@plumbline/schemas'
import { createReleaseStore } from '@plumbline/trainer'
import { createLocalDetection } from '../local-detection.ts'
import { createRemoteDetection } from './remote-detection.ts'

const SHARDS = 2
const NOW = 1_790_000_000_000
const config = DetectionConfig.parse({ shards: SHARDS })

const open = async (t: TestContext): Promise<EmbeddedLog> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-remote-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  t.after(async () => {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return log
}

const tell = (log: EmbeddedLog, shard: number, told: Partial<ShardProgress>): Promise<void> => {
  const progress: ShardProgress = {
    v: 1,
    atMs: NOW,
    position: 0,
    tenants: [],
    counters: {},
    resident: 0,
    evictions: 0,
    stopped: null,
    ...told,
  }
  return log.kv.put({ [progressName(shard)]: Buffer.from(JSON.stringify(progress)) })
}

const remoteOf = (t: TestContext, log: EmbeddedLog, now?: () => number) => {
  const asked: unknown[] = []
  const readSlots = async (places: readonly unknown[]) => (asked.push(...places), [])
  const remote = createRemoteDetection({ log, config, refresh: async () => {}, readSlots, ...(now === undefined ? {} : { now }) })
  t.after(() => remote.stop())
  return { remote, asked }
}

test('tenants, releases and slots of shards that workers elsewhere hold are those that a detector in this process knows', async (t) => {
  const log = await open(t)
  const { remote, asked } = remoteOf(t, log)
  assert.deepEqual([remote.tenants(), remote.releaseOf('acme'), remote.lag(), remote.stopped()], [[], null, 0, []])
  const release = { id: 'acme-r1', trained: true, alertsFrom: 61.5 }
  await tell(log, 0, { tenants: [{ name: 'acme', events: 3, groupNames: [[7, 'support']], release }] })
  const other = { name: 'globex', events: 1, groupNames: [], release: null } satisfies ShardProgress['tenants'][number]
  await tell(log, 1, { tenants: [{ name: 'acme', events: 2, groupNames: [[9, 'ops']], release: null }, other] })
  assert.deepEqual(remote.tenants(), [
    {
      name: 'acme',
      events: 5,
      groupNames: new Map([
        [7, 'support'],
        [9, 'ops'],
      ]),
    },
    { name: 'globex', events: 1, groupNames: new Map() },
  ])
  assert.deepEqual([remote.releaseOf('acme'), remote.releaseOf('globex')], [release, null])
  await tell(log, 1, { tenants: [] })
  assert.equal(remote.tenants()[0]?.events, 3, 'what is told anew replaces what was told')

  const logger = createLogger({ name: 'test', level: 'silent' })
  const releases = createReleaseStore(log.kv, () => [])
  const local = createLocalDetection({ log, releases, config, residentIdentities: 100, logger, metrics: createMetrics() })
  const identities = ['alice', 'bob', 'carol']
  await remote.slotsOf('acme', identities)
  assert.deepEqual(
    asked,
    identities.map((identity) => local.placeOf('acme', identity)),
  )
  await log.kv.put({ [progressName(0)]: Buffer.from('{"v":2}') })
  assert.deepEqual(remote.tenants(), [], 'of a newer worker nothing is guessed')
})

test('what waits is counted, and everything is drained once it is scored and told', async (t) => {
  const log = await open(t)
  const { remote } = remoteOf(t, log)
  remote.start()
  await remote.drained()
  const logger = createLogger({ name: 'test', level: 'silent' })
  const releases = createReleaseStore(log.kv, () => [])
  const local = createLocalDetection({ log, releases, config, residentIdentities: 100, logger, metrics: createMetrics() })
  const event = Event.parse({
    id: '1',
    time: NOW,
    tenant: 'acme',
    identity: { id: 'a', kind: 'user' },
    action: 'x',
    resource: { class: 'y' },
  })
  const key = eventKey('acme', 'a')
  const shard = shardOfKey(key, SHARDS)
  const send = (): Promise<unknown> => log.append([0, 1].map(() => ({ shard, ingestTimeMs: NOW, key, value: canonicalEvent(event) })))
  await send()
  assert.equal(remote.lag(), 2)
  const order: string[] = []
  const waiting = remote.drained().then(() => order.push('drained'))
  local.start()
  await local.drained()
  await local.stop()
  assert.equal(remote.lag(), 0)
  order.push('scored')
  // One short of the end: behind the records of a request there may be its marker.
  await tell(log, shard, { position: 1, tenants: [{ name: 'acme', events: 2, groupNames: [], release: null }] })
  order.push('told')
  await waiting
  assert.deepEqual([order, remote.tenants()[0]?.events], [['scored', 'told', 'drained'], 2])
  await send()
  const late = remote.drained()
  late.catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  await remote.stop()
  await assert.rejects(late, { code: 'STOPPING' })
})

test('a shard that is stopped, or has work and no worker, is told of', async (t) => {
  const log = await open(t)
  let now = 0
  const { remote } = remoteOf(t, log, () => now)
  await tell(log, 1, { stopped: 'RELEASE_UNSUPPORTED: newer' })
  assert.deepEqual(remote.stopped(), ['shard 1: RELEASE_UNSUPPORTED: newer'])
  await tell(log, 1, {})
  await log.append([{ shard: 0, ingestTimeMs: NOW, key: Buffer.from('c:x'), value: Buffer.from('{}') }])
  remote.start()
  assert.deepEqual(remote.stopped(), [])
  now += 31_000
  assert.match(remote.stopped().join(), /^shard 0: waits for 31 s: no worker has it/)
})
