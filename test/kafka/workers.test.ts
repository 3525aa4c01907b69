import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type KafkaLog, type ShardGroup, createShardGroup } from '@plumbline/adapters/kafka'
import type { AppendRecord, LogRecord } from '@plumbline/detector'
import { type Worker, createWorker } from '../../services/worker/src/index.ts'
import { createChainProcessor, encodeRow, oracle } from '../faults/chain.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { startBrokerProxy } from '../support/kafka/proxy.ts'
import { type ReadMessage, readCommitted } from '../support/kafka/topics.ts'

/** Workers whose shards the group shares out while events keep coming. */

const { brokers, skip } = await kafkaBroker()
const PACE_MS = 50
const UNTIL_MS = 60_000
const INGEST = 1_700_000_000_000
const all = Array.from({ length: SHARDS }, (_, shard) => shard)

const recordOf = (shard: number, i: number): AppendRecord => ({
  shard,
  ingestTimeMs: INGEST + i,
  key: Buffer.from(`e:agent-${(i * 7) % 17}`),
  value: Buffer.from(i % 40 === 39 ? `!${shard}-${i}` : `${shard}-${i}`),
})
const header = (message: ReadMessage, name: string): number => Number(message.headers?.[name]?.toString())

interface Member {
  readonly worker: Worker
  readonly log: KafkaLog
  readonly group: ShardGroup
  readonly codes: string[]
}

const memberOf = async (t: TestContext, cluster: Cluster, more: object = {}): Promise<Member> => {
  const log = await cluster.open({}, more)
  const codes: string[] = []
  let group: ShardGroup | null = null
  const worker = createWorker({
    log,
    processor: createChainProcessor(log),
    shards: [],
    ownership: { owns: async (shard) => group?.owns(shard) ?? false, release: log.release },
    chunkRecords: 25,
    chunksPerCommit: 1,
    commitsAtOnce: 4,
    readAhead: 4,
    onRecords: log.onRecords,
    onFailure: ({ code }) => codes.push(code),
  })
  worker.start()
  const owned = new Set<number>()
  const tell = (): void => void worker.assign([...owned])
  group = await createShardGroup(
    { ...cluster.settings, ...more },
    {
      prefix: cluster.prefix,
      shards: SHARDS,
      sessionMs: 6_000,
      onAssigned(shards) {
        for (const shard of shards) owned.add(shard)
        tell()
      },
      onRevoked(shards) {
        for (const shard of shards) owned.delete(shard)
        tell()
      },
      onFailed() {},
    },
  )
  t.after(async () => {
    await group!.leave()
    await worker.stop()
  })
  return { worker, log, group, codes }
}

/** Appends events until told to stop; resolves with how many each shard got. */
const feed = async (t: TestContext, cluster: Cluster) => {
  const log = await cluster.open()
  let on = true
  const run = async (): Promise<number> => {
    let count = 0
    for (; on; count += 20) {
      await log.append(all.flatMap((shard) => Array.from({ length: 20 }, (_, i) => recordOf(shard, count + i))))
      await pause(PACE_MS)
    }
    return count
  }
  const counted = run()
  const stop = (): Promise<number> => {
    on = false
    return counted
  }
  t.after(stop)
  return { stop }
}

const compare = async ({ kafka, names }: Cluster, events: number): Promise<void> => {
  const scored = await readCommitted(kafka, names.scored)
  const letters = await readCommitted(kafka, names['dead-letters'])
  for (const shard of all) {
    const log: LogRecord[] = Array.from({ length: events }, (_, offset) => ({ ...recordOf(shard, offset), offset }))
    const truth = oracle(shard, log)
    const own = (messages: readonly ReadMessage[]): ReadMessage[] => messages.filter((message) => header(message, 'shard') === shard)
    assert.deepEqual(
      Buffer.concat(own(scored).map(({ value }) => value!)),
      Buffer.concat(truth.rows.map((row) => encodeRow(row, INGEST + row.offset))),
    )
    assert.deepEqual(
      own(letters).map((message) => header(message, 'offset')),
      truth.refused,
    )
  }
}

const until = async (condition: () => boolean): Promise<void> => {
  for (const end = performance.now() + UNTIL_MS; !condition(); await pause(20))
    assert.ok(performance.now() < end, `did not happen: ${condition.toString()}`)
}
const busy = ({ worker }: Member): boolean => worker.stats().records > 300
const share = ({ group }: Member): number => group.owned().length

test('workers come and go while events come, and each event is stored once, in order', { skip, timeout: 240_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const source = await feed(t, cluster)
  const first = await memberOf(t, cluster)
  await until(() => busy(first))
  const second = await memberOf(t, cluster)
  await until(() => share(first) === 2 && share(second) === 2 && busy(second))
  const third = await memberOf(t, cluster)
  await until(() => [first, second, third].every((member) => share(member) > 0) && busy(third))
  await second.group.leave()
  await until(() => share(first) + share(third) === SHARDS)
  const events = await source.stop()
  await Promise.all([first, third].map(({ worker }) => worker.drained()))
  assert.deepEqual(second.worker.stats().shards, [])
  await compare(cluster, events)
})

test('a worker that the brokers have not heard of for a while stores nothing of what others have taken, and works again when it is back', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const source = await feed(t, cluster)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const lost = await memberOf(t, cluster, { socketFactory: proxy.socketFactory })
  await until(() => busy(lost))
  const other = await memberOf(t, cluster)
  await until(() => share(lost) === 2 && share(other) === 2 && busy(other))
  proxy.loseAnswers()
  await until(() => share(other) === SHARDS)
  const before = other.worker.stats().records
  await until(() => other.worker.stats().records > before + 300)
  proxy.heal()
  await until(() => share(lost) === 2 && share(other) === 2)
  const again = lost.worker.stats().records
  await until(() => lost.worker.stats().records > again + 300)
  const events = await source.stop()
  await Promise.all([lost, other].map(({ worker }) => worker.drained()))
  t.diagnostic(`failures of the one that was cut off: ${[...new Set(lost.codes)].join(', ')}`)
  await compare(cluster, events)
})

test('of two that both take a shard for their own, the one that the group says is right keeps it', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const source = await feed(t, cluster)
  const member = await memberOf(t, cluster)
  await until(() => busy(member))
  const log = await cluster.open()
  const asked: number[] = []
  const ownership = { owns: async (shard: number) => (asked.push(shard), false), release: log.release }
  const stranger = createWorker({
    log,
    processor: createChainProcessor(log),
    shards: all,
    ownership,
    chunkRecords: 25,
    onRecords: log.onRecords,
  })
  t.after(() => stranger.stop())
  stranger.start()
  await until(() => all.every((shard) => asked.includes(shard)))
  const before = member.worker.stats().records
  const stored = stranger.stats().records
  await until(() => member.worker.stats().records > before + 300)
  assert.equal(stranger.stats().records, stored)
  assert.ok(member.codes.includes('SHARD_FENCED'))
  const events = await source.stop()
  await member.worker.drained()
  await compare(cluster, events)
})
