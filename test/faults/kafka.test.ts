import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaLog, KafkaLogOptions, KafkaPoint } from '@plumbline/adapters/kafka'
import type { AppendRecord, LogRecord } from '@plumbline/detector'
import { type Worker, createWorker } from '../../services/worker/src/index.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { type ReadMessage, readCommitted } from '../support/kafka/topics.ts'
import { createChainProcessor, encodeRow, oracle, slotKeyOf } from './chain.ts'

/** Calls of the protocol that fail at named points, and two owners at once, in one process. Kills of processes are another suite. */

const { brokers, skip } = await kafkaBroker()
const EVENTS = 300
const IDENTITIES = 17
const INGEST = 1_700_000_000_000
const shards = Array.from({ length: SHARDS }, (_, shard) => shard)

const recordsOf = (shard: number): AppendRecord[] =>
  Array.from({ length: EVENTS }, (_, i) => ({
    shard,
    ingestTimeMs: INGEST + i,
    key: Buffer.from(`e:agent-${(i * 7) % IDENTITIES}`),
    value: Buffer.from(i % 40 === 39 ? `!${shard}-${i}` : `${shard}-${i}`),
  }))

const truthOf = (shard: number) => {
  const log: LogRecord[] = recordsOf(shard).map((record, offset) => ({ ...record, offset }))
  const { rows, refused, slots } = oracle(shard, log)
  return {
    rows: Buffer.concat(rows.map((row) => encodeRow(row, INGEST + row.offset))).toString('base64'),
    alerts: rows.filter(({ alert }) => alert).map(({ offset }) => offset),
    refused,
    slots,
  }
}

const header = (message: ReadMessage, name: string): number => Number(message.headers?.[name]?.toString())

/** What all committed records of the outbox and the state add up to, compared with what a run without faults gives. */
const compare = async ({ kafka, names }: Cluster, log: KafkaLog): Promise<void> => {
  const [scored, alerts, letters] = await Promise.all([
    readCommitted(kafka, names.scored),
    readCommitted(kafka, names.alerts),
    readCommitted(kafka, names['dead-letters']),
  ])
  for (const shard of shards) {
    const truth = truthOf(shard)
    const own = (messages: readonly ReadMessage[]): ReadMessage[] => messages.filter((message) => header(message, 'shard') === shard)
    const offsets = (messages: readonly ReadMessage[]): number[] => own(messages).map((message) => header(message, 'offset'))
    assert.equal(Buffer.concat(own(scored).map(({ value }) => value!)).toString('base64'), truth.rows, `rows of shard ${shard}`)
    const isAlert = ({ key }: ReadMessage): boolean => key!.toString().startsWith('a:')
    assert.deepEqual(offsets(alerts.filter(isAlert)), truth.alerts)
    assert.deepEqual(offsets(alerts.filter((message) => !isAlert(message))), truth.alerts)
    assert.deepEqual(offsets(letters), truth.refused)
    assert.equal((await log.acquire(shard)).nextOffset, EVENTS)
    const into = Buffer.alloc(64)
    for (const [identity, chain] of truth.slots) {
      assert.equal(log.load(shard, slotKeyOf(identity), into), 32)
      assert.equal(into.subarray(0, 32).toString('hex'), chain, `state of ${identity}`)
    }
  }
}

const workerOn = (t: TestContext, log: KafkaLog, onFailure: (code: string) => void = () => {}): Worker => {
  const processor = createChainProcessor(log)
  const worker = createWorker({
    log,
    processor,
    shards,
    chunkRecords: 25,
    onRecords: log.onRecords,
    onFailure: ({ code }) => onFailure(code),
  })
  t.after(() => worker.stop())
  return worker
}

const POINTS: readonly KafkaPoint[] = [
  'acquire:begin',
  'acquire:initialised',
  'acquire:barrier',
  'acquire:restored',
  'commit:begin',
  'commit:begun',
  'commit:partly',
  'commit:sent',
  'commit:offsets',
  'commit:committed',
]

/** State with each chunk, or now and then, so that take-overs replay. */
const WAYS: readonly (readonly [string, Partial<KafkaLogOptions>])[] = [
  ['state with each chunk', {}],
  ['state in snapshots', { snapshots: { everyMs: 60_000, everyRecords: 90 } }],
]

/** Somebody who takes everything over, replays what is to be replayed, and writes the state. */
const settledBy = async (t: TestContext, cluster: Cluster, options: Partial<KafkaLogOptions>): Promise<KafkaLog> => {
  const log = await cluster.open(options)
  const worker = workerOn(t, log)
  worker.start()
  await worker.drained()
  await worker.stop()
  await log.settle()
  return log
}

for (const [words, options] of WAYS)
  test(`a call that fails at any point of the protocol neither loses nor doubles anything, ${words}`, {
    skip,
    timeout: 200_000,
  }, async (t) => {
    const cluster = await clusterFor(t, brokers)
    const fired = new Map<KafkaPoint, number>()
    const passed = new Map<KafkaPoint, number>()
    // Points take turns at failing: the third time each is passed, then the sixth, and so on.
    const onPoint: KafkaLogOptions['onPoint'] = (point) => {
      const times = (passed.get(point) ?? 0) + 1
      passed.set(point, times)
      if (times % 3 !== 0 || (fired.get(point) ?? 0) >= 4) return
      fired.set(point, (fired.get(point) ?? 0) + 1)
      throw new Error(`on purpose, at ${point}`)
    }
    const log = await cluster.open({ onPoint, requestBytes: 4_096 })
    await log.append(shards.flatMap((shard) => recordsOf(shard)))
    const codes = new Set<string>()
    const worker = workerOn(t, log, (failure) => codes.add(failure))
    worker.start()
    await worker.drained()
    await worker.stop()
    t.diagnostic([...fired].map(([point, times]) => `${point} ${times}`).join(', '))
    for (const point of POINTS) assert.ok((fired.get(point) ?? 0) > 1, `${point} did not fail often enough`)
    assert.deepEqual([...codes].sort(), ['COMMIT_UNKNOWN', 'SHARD_ACQUIRE_FAILED'])
    await compare(cluster, await settledBy(t, cluster, options))
  })

for (const [words, options] of WAYS)
  test(`two workers that both believe every shard is theirs neither lose nor double anything, ${words}`, {
    skip,
    timeout: 200_000,
  }, async (t) => {
    const cluster = await clusterFor(t, brokers)
    const logs = [await cluster.open(options), await cluster.open(options)]
    await logs[0]!.append(shards.flatMap((shard) => recordsOf(shard)))
    const codes: string[] = []
    const workers = logs.map((log) => workerOn(t, log, (failure) => codes.push(failure)))
    for (const worker of workers) worker.start()
    const done = (): boolean => shards.every((shard) => workers.some((worker) => worker.stats().shards[shard]!.next === EVENTS))
    while (!done()) await sleep(50)
    for (const worker of workers) await worker.stop()
    t.diagnostic(`fenced ${codes.filter((found) => found === 'SHARD_FENCED').length} times`)
    assert.ok(codes.includes('SHARD_FENCED'), 'the two did not meet')
    await compare(cluster, await settledBy(t, cluster, options))
  })
