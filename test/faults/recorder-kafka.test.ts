import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Store, connect, engineProblem } from '@plumbline/adapters/clickhouse'
import { type KafkaSettings, openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import {
  type Recorder,
  type RecorderOptions,
  type RecorderPoint,
  type SupervisedEngine,
  createRecorder,
  superviseEngine,
} from '../../services/recorder/src/index.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { startBrokerProxy } from '../support/kafka/proxy.ts'
import { type Fate, startProxy } from './proxy.ts'
import { ROWS, type RecorderChild, type RecorderPlan, compare, fill, startRecorderChild, truncate } from './recorder-kafka.ts'

/** Recorders between a real Kafka and a real ClickHouse: whatever fails, every row of the topics is stored once. */

const { brokers, skip: noKafka } = await kafkaBroker()
const skip = noKafka === false ? (engineProblem()?.message ?? false) : noKafka
let root: string
let engine: SupervisedEngine

before(async () => {
  if (skip !== false) return
  root = mkdtempSync(join(tmpdir(), 'plumbline-recorder-kafka-'))
  engine = await superviseEngine({ dir: join(root, 'engine') })
})
after(async () => {
  if (skip !== false) return
  await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

const clusterWith = async (t: TestContext, chunks: number) => {
  await truncate(engine.store('owner'))
  const cluster = await clusterFor(t, brokers)
  return { cluster, ...(await fill(cluster, chunks)) }
}

const recorderOf = async (
  t: TestContext,
  { settings, prefix }: Cluster,
  options: Partial<RecorderOptions> = {},
  more: Partial<KafkaSettings> = {},
): Promise<Recorder> => {
  const log = await openKafkaOutboxLog({ ...settings, ...more }, { prefix })
  const recorder = createRecorder({ log, store: () => engine.store('recorder'), lingerMs: 1, maxBackoffMs: 100, ...options })
  t.after(async () => {
    await recorder.stop()
    await log.close()
  })
  return recorder
}

const through = async (t: TestContext, fate: (sql: string) => Fate): Promise<Store> => {
  const proxy = await startProxy(engine.url(), fate)
  t.after(() => proxy.close())
  const store = connect({ url: proxy.url, user: 'recorder', password: engine.passwords().recorder, timeoutMs: 5_000 })
  t.after(() => store.close())
  return store
}

/** Nothing lost, doubled or wrong, and as many rows as were put in. */
const assertWhole = async (
  t: TestContext,
  cluster: Cluster,
  chunks: number,
  { merged = false, store = engine.store('owner') }: { readonly merged?: boolean; readonly store?: Store } = {},
): Promise<void> => {
  const found = await compare(cluster, store, merged)
  t.diagnostic(JSON.stringify(found))
  const whole = (rows: number) => ({ rows, lost: 0, doubled: 0, wrong: 0 })
  assert.deepEqual(found, {
    scored_events: whole(chunks * SHARDS * ROWS),
    alerts: whole(chunks * SHARDS),
    capsules: whole(chunks * SHARDS),
    dead_letters: whole(chunks * SHARDS),
  })
}

test('every lane arrives, positions are kept by lane, and a second recorder goes on where the first stopped', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { cluster, more } = await clusterWith(t, 4)
  const first = await recorderOf(t, cluster)
  await first.start()
  await first.drained()
  assert.equal(first.health().topics.scored.rows, 0)
  await assertWhole(t, cluster, 4)
  await first.stop()
  const lanes = async () =>
    engine
      .store('owner')
      .rows<{ lane: number; sequence: number }>(
        `SELECT lane, max(sequence) AS sequence FROM plumbline.recorder_positions WHERE topic = 'scored' GROUP BY lane ORDER BY lane`,
      )
  const before = await lanes()
  assert.deepEqual(
    before.map(({ lane }) => lane),
    [0, 1, 2, 3],
  )
  await more(3)
  const second = await recorderOf(t, cluster)
  await second.start()
  await second.drained()
  await assertWhole(t, cluster, 7)
  await second.stop()
  for (const [i, { sequence }] of (await lanes()).entries()) assert.ok(sequence > before[i]!.sequence)
})

test('a lost answer after the rows took effect, or before, neither doubles nor loses rows', { skip, timeout: 60_000 }, async (t) => {
  const { cluster } = await clusterWith(t, 6)
  const fates: Fate[] = ['pass', 'lose answer', 'lose answer', 'refuse', 'pass', 'lose answer', 'refuse', 'pass']
  let asked = 0
  let lost = 0
  const store = await through(t, (sql) => {
    if (!sql.startsWith('INSERT')) return 'pass'
    const fate = fates[asked++ % fates.length]!
    if (fate !== 'pass') lost++
    return fate
  })
  const recorder = await recorderOf(t, cluster, { store: () => store, blockBytes: 8_000 })
  await recorder.start()
  await recorder.drained()
  t.diagnostic(`${lost} of ${asked} inserts lost their answer or never arrived`)
  assert.ok(lost > 10)
  await assertWhole(t, cluster, 6)
})

test('an engine killed in the middle of inserts loses and doubles nothing', { skip, timeout: 60_000 }, async (t) => {
  const { cluster } = await clusterWith(t, 8)
  let kills = 0
  const recorder = await recorderOf(t, cluster, {
    blockBytes: 4_000,
    onPoint(point) {
      if (point !== 'recorder:inserting' || kills >= 3 || recorder.health().blocks <= kills * 4) return
      kills++
      setTimeout(() => process.kill(engine.pid(), 'SIGKILL'), kills)
    },
  })
  await recorder.start()
  await recorder.drained()
  assert.equal(kills, 3)
  await assertWhole(t, cluster, 8)
})

test('while ClickHouse is away rows wait in Kafka, health says so, and all of them arrive later', { skip, timeout: 60_000 }, async (t) => {
  const { cluster, more } = await clusterWith(t, 3)
  let away = true
  const store = await through(t, () => (away ? 'refuse' : 'pass'))
  const enough = Promise.withResolvers<void>()
  const codes: string[] = []
  const recorder = await recorderOf(t, cluster, {
    store: () => store,
    onFailure({ code }) {
      codes.push(code)
      if (codes.length > 40) enough.resolve()
    },
  })
  await recorder.start()
  await more(5)
  await enough.promise
  assert.equal(recorder.health().state, 'retrying')
  assert.deepEqual([...new Set(codes)], ['STORE_UNAVAILABLE'])
  away = false
  await recorder.drained()
  assert.equal(recorder.health().state, 'ok')
  await assertWhole(t, cluster, 8)
})

test('brokers whose answers are lost for a while delay rows, whatever they were asked, and nothing more', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { cluster, more } = await clusterWith(t, 2)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const failed = Promise.withResolvers<void>()
  const codes = new Set<string>()
  const recorder = await recorderOf(
    t,
    cluster,
    {
      onFailure({ code }) {
        codes.add(code)
        failed.resolve()
      },
    },
    { socketFactory: proxy.socketFactory },
  )
  await recorder.start()
  await recorder.drained()
  proxy.loseAnswers()
  await more(4)
  await failed.promise
  assert.equal(recorder.health().state, 'retrying')
  proxy.heal()
  await untilStored(6)
  await recorder.drained()
  t.diagnostic([...codes].join())
  // What is in the topics is stored; a lane that had nothing to store may still wait for its next try.
  for (const until = performance.now() + 30_000; recorder.health().state !== 'ok' && performance.now() < until; ) await sleep(50)
  assert.equal(recorder.health().state, 'ok')
  await assertWhole(t, cluster, 6)
})

/** A file system of its own, so small that it can be filled. */
const smallDisk = (): string | undefined => {
  const dir = mkdtempSync(join(root, 'disk-'))
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dir], { stdio: 'ignore' }).status === 0 ? dir : undefined
}

const fillDisk = (file: string): void => {
  const handle = openSync(file, 'w')
  try {
    for (const piece = Buffer.alloc(64 * 1024); ; ) writeSync(handle, piece)
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  } finally {
    closeSync(handle)
  }
}

test('a full disk is told by its name and waited out', { skip, timeout: 60_000 }, async (t) => {
  const disk = smallDisk()
  if (disk === undefined) return t.skip('no file system can be mounted here')
  const small = await superviseEngine({ dir: join(disk, 'engine') })
  t.after(async () => {
    await small.stop()
    spawnSync('umount', [disk])
  })
  const { cluster } = await clusterWith(t, 3)
  const filler = join(disk, 'filler')
  fillDisk(filler)
  const full = Promise.withResolvers<void>()
  const codes = new Set<string>()
  const recorder = await recorderOf(t, cluster, {
    store: () => small.store('recorder'),
    onFailure({ code }) {
      codes.add(code)
      if (code === 'STORE_FULL') full.resolve()
    },
  })
  await recorder.start()
  await full.promise
  assert.equal(recorder.health().state, 'retrying')
  unlinkSync(filler)
  await recorder.drained()
  t.diagnostic([...codes].join())
  await assertWhole(t, cluster, 3, { store: small.store('owner') })
})

test('a lane whose next entries are gone stands still and says so; told to accept gaps, a recorder goes on behind them', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { cluster } = await clusterWith(t, 3)
  const admin = cluster.kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  // Its metadata must be loaded first, which only this does.
  await admin.fetchTopicOffsets(cluster.names.scored)
  await admin.deleteTopicRecords({ topic: cluster.names.scored, partitions: [{ partition: 1, offset: '2' }] })
  const stopped = Promise.withResolvers<void>()
  const first = await recorderOf(t, cluster, { onFailure: ({ code }) => code === 'OUTBOX_TRIMMED' && stopped.resolve() })
  await first.start()
  await stopped.promise
  assert.equal(first.health().state, 'stopped')
  assert.match(first.health().error ?? '', /OUTBOX_TRIMMED: Lane 1 of scored begins with entry 3/)
  await first.stop()
  const gaps: number[] = []
  const second = await recorderOf(t, cluster, { acceptGaps: true, onGap: ({ firstLost, firstThere }) => gaps.push(firstLost, firstThere) })
  await second.start()
  await second.drained()
  assert.deepEqual(gaps, [1, 3])
  assert.equal(second.health().state, 'ok')
  // What is there is stored; the comparison knows only that.
  const { scored_events: scored } = await compare(cluster, engine.store('owner'))
  assert.deepEqual(scored, { rows: (3 * SHARDS - 1) * ROWS, lost: 0, doubled: 0, wrong: 0 })
})

const planOf = (cluster: Cluster, part: Partial<RecorderPlan> = {}): RecorderPlan => ({
  brokers,
  prefix: cluster.prefix,
  url: engine.url(),
  password: engine.passwords().recorder,
  blockBytes: 4_000,
  sessionMs: 6_000,
  at: null,
  ...part,
})

const childOf = (t: TestContext, plan: RecorderPlan): RecorderChild => {
  const recorder = startRecorderChild(plan)
  t.after(() => void recorder.child.kill('SIGKILL'))
  return recorder
}

/** Resolves when ClickHouse has as many scored rows as were put in. */
/** All four tables have their rows: lanes end at their own times, and one that is stopped before stores the rest at the next start. */
const untilStored = async (chunks: number): Promise<void> => {
  const owner = engine.store('owner')
  const stored = async (): Promise<boolean> => {
    const [found] = await owner.rows<{ scored: number; alerts: number; capsules: number; letters: number }>(
      `SELECT (SELECT uniqExact(shard, offset) FROM plumbline.scored_events) AS scored,
         (SELECT uniqExact(id, revision) FROM plumbline.alerts) AS alerts,
         (SELECT uniqExact(alert_id, revision) FROM plumbline.capsules) AS capsules,
         (SELECT uniqExact(shard, offset) FROM plumbline.dead_letters) AS letters`,
    )
    const { scored, alerts, capsules, letters } = found!
    return Number(scored) >= chunks * SHARDS * ROWS && [alerts, capsules, letters].every((n) => Number(n) >= chunks * SHARDS)
  }
  while (!(await stored())) await sleep(50)
}

/** Lanes that a child was given and not asked back. */
const lanesTold = ({ lines }: RecorderChild): number[] => {
  const held = new Set<number>()
  for (const line of lines) {
    const [word, lanes = ''] = line.split(' ')
    for (const lane of lanes.split(',').map(Number)) {
      if (word === 'took') held.add(lane)
      if (word === 'gave') held.delete(lane)
    }
  }
  return [...held].sort()
}

const POINTS: readonly RecorderPoint[] = [
  'recorder:read',
  'recorder:intent',
  'recorder:inserting',
  'recorder:inserted',
  'recorder:position',
  'recorder:advanced',
]

test('a recorder killed at any point is followed by one that neither loses nor doubles anything', { skip, timeout: 90_000 }, async (t) => {
  const { cluster } = await clusterWith(t, 8)
  for (const [i, point] of POINTS.entries()) {
    const killed = childOf(t, planOf(cluster, { sessionMs: null, at: { point, hit: 2 + i, signal: 'SIGKILL' } }))
    await killed.ended
    assert.equal(killed.lines.at(-1), `fired ${point}`)
  }
  const last = await recorderOf(t, cluster)
  await last.start()
  await last.drained()
  await assertWhole(t, cluster, 8)
})

test('recorders share out the lanes; what one that is killed in the middle of a block began is finished by another', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const { cluster, more } = await clusterWith(t, 2)
  const killed = childOf(t, planOf(cluster, { at: { point: 'recorder:inserting', hit: 3, signal: 'SIGKILL' } }))
  await killed.line('took')
  const other = childOf(t, planOf(cluster))
  await other.line('took')
  killed.arm()
  await Promise.all([more(8), killed.ended])
  assert.match(killed.lines.at(-1)!, /^fired/)
  await untilStored(10)
  await other.stop()
  assert.equal(other.lines.at(-1), 'done')
  await assertWhole(t, cluster, 10)
})

test('a recorder that is stopped in the middle of a block past its session, and comes back, does no harm', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const { cluster, more } = await clusterWith(t, 2)
  const stopped = childOf(t, planOf(cluster, { at: { point: 'recorder:inserting', hit: 3, signal: 'SIGSTOP' } }))
  await stopped.line('took')
  const other = childOf(t, planOf(cluster))
  await other.line('took')
  stopped.arm()
  await Promise.all([more(8), stopped.line('fired')])
  await untilStored(10)
  // The other has its lanes, and has stored what it had begun.
  assert.deepEqual(lanesTold(other), [0, 1, 2, 3])
  const before = stopped.lines.length
  stopped.child.kill('SIGCONT')
  // It fails, or is told that its lanes are another's, before it stores anything more.
  while (stopped.lines.length === before) await sleep(20)
  await more(2)
  await untilStored(12)
  await Promise.all([stopped.stop(), other.stop()])
  await assertWhole(t, cluster, 12, { merged: true })
})
