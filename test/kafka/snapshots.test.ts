import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaLog, KafkaLogOptions, TakeOver } from '@plumbline/adapters/kafka'
import { Detector } from '@plumbline/detector'
import { MASTER_KEY } from '../../packages/detector/src/rig.testkit.ts'
import { createWorker } from '../../services/worker/src/index.ts'
import { companyLog, CONFIG, type Log, run, SHARDS } from '../support/detector-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, clusterFor } from '../support/kafka/cluster.ts'
import { type ReadMessage, readCommitted } from '../support/kafka/topics.ts'

/** State that is written now and then: the real detector, over a log with everything in it, by workers that end without a word. */

const { brokers, skip } = await kafkaBroker()
const all = Array.from({ length: SHARDS }, (_, shard) => shard)

const fed = async (t: TestContext): Promise<{ cluster: Cluster; log: Log }> => {
  const [cluster, log] = [await clusterFor(t, brokers), await companyLog()]
  await (await cluster.open()).append(log.shards.flatMap((records, shard) => records.map((record) => ({ ...record, shard }))))
  return { cluster, log }
}

interface Life {
  readonly kafka: KafkaLog
  readonly taken: readonly TakeOver[]
  readonly alerts: number
}

/** A worker that lives until it has stored so many chunks, or all there is, and leaves everything as it is. */
const live = async (t: TestContext, cluster: Cluster, log: Log, chunks: number, options: Partial<KafkaLogOptions>): Promise<Life> => {
  const taken: TakeOver[] = []
  const kafka = await cluster.open({ ...options, onAcquired: (one) => taken.push(one) })
  const processor = new Detector({
    config: CONFIG,
    masterKey: MASTER_KEY,
    slots: kafka,
    releases: { artifact: (_, sha256) => log.artifacts.get(sha256) },
    residentSlots: 64,
    topic: 'events',
  })
  const enough = Promise.withResolvers<void>()
  let stored = 0
  const worker = createWorker({
    log: kafka,
    processor,
    shards: all,
    chunkRecords: 40,
    chunksPerCommit: 1,
    commitsAtOnce: 4,
    readAhead: 4,
    onRecords: kafka.onRecords,
    onPoint: (point) => point === 'worker:settled' && ++stored === chunks && enough.resolve(),
    onFailure: ({ code, message }) => enough.reject(new Error(`${code}: ${message}`)),
  })
  t.after(() => worker.stop())
  worker.start()
  await Promise.race([enough.promise, worker.drained()])
  await worker.stop()
  return { kafka, taken, alerts: processor.counters.alerts }
}

const header = (message: ReadMessage, name: string): number => Number(message.headers?.[name]?.toString())
const isSlot = ({ key }: ReadMessage): boolean => key!.toString('latin1').startsWith('s:')
const bytesOf = (messages: readonly ReadMessage[]): number =>
  messages.reduce((sum, { key, value }) => sum + key!.length + (value?.length ?? 0), 0)

/** Outputs, byte for byte and in order, and the state that somebody would go on with. */
const compare = async ({ kafka, names }: Cluster, log: Log, last: KafkaLog): Promise<void> => {
  const { commits } = run(log, { chunk: () => 200 })
  const [scored, alerts, letters] = await Promise.all([
    readCommitted(kafka, names.scored),
    readCommitted(kafka, names.alerts),
    readCommitted(kafka, names['dead-letters']),
  ])
  const values = (messages: readonly ReadMessage[], shard: number): Buffer[] =>
    messages.filter((message) => header(message, 'shard') === shard).map(({ value }) => value!)
  for (const shard of all) {
    const own = commits.filter((commit) => commit.shard === shard)
    const rows = Buffer.concat(own.flatMap(({ scored: block }) => (block === null ? [] : [block.bytes])))
    assert.ok(Buffer.concat(values(scored, shard)).equals(rows), `rows of shard ${shard}`)
    const json = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join('\n')
    assert.ok(values(letters, shard).join('\n') === json(own.flatMap(({ deadLetters }) => deadLetters)), `dead letters of shard ${shard}`)
    const found = alerts.filter(({ key }) => key!.toString().startsWith('a:'))
    assert.ok(values(found, shard).join('\n') === json(own.flatMap((commit) => commit.alerts)), `alerts of shard ${shard}`)
    assert.equal((await last.acquire(shard)).nextOffset, log.shards[shard]!.length)
    const slots = new Map(own.flatMap((commit) => commit.slots.map(({ key, bytes }) => [Buffer.from(key).toString('hex'), bytes] as const)))
    const into = new Uint8Array(16_384)
    for (const [key, bytes] of slots) {
      const length = last.load(shard, Buffer.from(key, 'hex'), into)
      assert.ok(Buffer.from(bytes).equals(into.subarray(0, length)), `state of ${key} in shard ${shard}`)
    }
  }
}

test('workers that end without a word between snapshots: the next replays up to where outputs end, and nothing differs', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const { cluster, log } = await fed(t)
  const options = { snapshots: { everyMs: 3_600_000, everyRecords: 400 } }
  const lives: Life[] = []
  for (const chunks of [13, 1, 40, 3, 71, 29]) lives.push(await live(t, cluster, log, chunks, options))
  const last = await live(t, cluster, log, Number.POSITIVE_INFINITY, options)
  const replayed = [...lives, last].flatMap(({ taken }) => taken.map(({ nextOffset, stateOffset }) => nextOffset - stateOffset))
  t.diagnostic(`replayed ${replayed.join(', ')}`)
  assert.ok(replayed.filter((records) => records > 0).length > SHARDS, 'nothing was replayed')
  assert.ok(Math.max(...replayed) <= 440)
  await last.kafka.settle()
  await compare(cluster, log, last.kafka)
})

test('state says which version of the detector made it, to whoever computes the rest once more', { skip, timeout: 120_000 }, async (t) => {
  const { cluster, log } = await fed(t)
  const snapshots = { everyMs: 3_600_000, everyRecords: 300 }
  const before = { snapshots, detectorVersion: '0.9.0' }
  await live(t, cluster, log, 40, before)
  // The worker after it stores a chunk at least of each shard, and no snapshot: state is still that of the first.
  const after = { snapshots: { everyMs: 3_600_000, everyRecords: 1_000_000 }, detectorVersion: '1.0.0' }
  const second = await live(t, cluster, log, 12, after)
  const third = await live(t, cluster, log, Number.POSITIVE_INFINITY, after)
  await third.kafka.settle()
  const last = await live(t, cluster, log, 0, after)
  for (const { taken } of [second, third]) {
    assert.ok(taken.some(({ stateOffset, nextOffset }) => stateOffset < nextOffset))
    assert.deepEqual([...new Set(taken.map(({ stateBy }) => stateBy))], ['0.9.0'])
  }
  assert.deepEqual([...new Set(last.taken.map(({ stateBy }) => stateBy))], ['1.0.0'])
  await compare(cluster, log, last.kafka)
})

test('a deployment can go from one way to the other and back, in the middle of everything', { skip, timeout: 240_000 }, async (t) => {
  const { cluster, log } = await fed(t)
  const snapshots = { everyMs: 3_600_000, everyRecords: 300 }
  for (const [chunks, options] of [
    [20, {}],
    [20, { snapshots }],
    [20, {}],
    [4, { snapshots }],
    [20, { snapshots }],
  ] as const)
    await live(t, cluster, log, chunks, options)
  const last = await live(t, cluster, log, Number.POSITIVE_INFINITY, {})
  await compare(cluster, log, last.kafka)
})

test('snapshots write less, and a shard without events is saved by itself', { skip, timeout: 120_000 }, async (t) => {
  const written: number[] = []
  for (const options of [{}, { snapshots: { everyMs: 1_500, everyRecords: 1_000_000 } }]) {
    const { cluster, log } = await fed(t)
    await live(t, cluster, log, Number.POSITIVE_INFINITY, options)
    const behind = async (): Promise<boolean> => {
      const state = await readCommitted(cluster.kafka, cluster.names.state)
      const last = (key: string, partition: number): string | undefined =>
        state.findLast((message) => message.partition === partition && message.key!.toString() === key)?.value?.toString()
      return options.snapshots !== undefined && all.some((shard) => last('o:snapshot', shard) !== last('o:next', shard))
    }
    while (await behind()) await pause(300)
    written.push(bytesOf((await readCommitted(cluster.kafka, cluster.names.state)).filter(isSlot)))
  }
  t.diagnostic(`bytes of slots: ${written.join(' with each chunk, ')} in snapshots`)
  assert.ok(written[1]! < written[0]! / 2)
})
