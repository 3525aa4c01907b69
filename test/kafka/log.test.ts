import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { INGEST_HEADER, type KafkaLog, type TakeOver, ensureTopics } from '@plumbline/adapters/kafka'
import { SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor, code, event } from '../support/kafka/cluster.ts'
import { END_TXN, FIND_COORDINATOR, startBrokerProxy } from '../support/kafka/proxy.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
const CLOSING = fileURLToPath(new URL('closing.testkit.ts', import.meta.url))

const texts = (records: readonly { readonly value: Uint8Array | null }[]): string[] =>
  records.map(({ value }) => Buffer.from(value ?? []).toString())

/** Reads like a worker: an answer that nothing can be read now is a reason to ask again. */
const readAgain = async (log: KafkaLog, shard: number, from: number): Promise<string[]> => {
  for (;;) {
    const records = await log.read(shard, from, 10).catch((error: unknown) => {
      assert.ok(code('KAFKA_UNREACHABLE')(error), String(error))
      return []
    })
    if (records.length > 0) return texts(records)
    await sleep(100)
  }
}

test('arrival is what the record says, for a foreign producer the time of storing; retention counts from storing', { skip }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const log = await open()
  const before = Date.now()
  await log.append([event(0, 'old', 1_000)])
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic: names.events, messages: [{ partition: 0, key: 'e:t|foreign', value: 'foreign', timestamp: '5' }] })
  await producer.send({
    topic: names.events,
    messages: [{ partition: 0, key: 'e:t|odd', value: 'odd', headers: { [INGEST_HEADER]: 'yesterday' } }],
  })
  await producer.disconnect()
  const records = [...(await log.read(0, 0, 1)), ...(await log.read(0, 1, 1)), ...(await log.read(0, 2, 1))]
  assert.deepEqual(texts(records), ['old', 'foreign', 'odd'])
  assert.equal(records[0]!.ingestTimeMs, 1_000)
  // The broker's clock is this machine's.
  for (const { ingestTimeMs } of records.slice(1)) assert.ok(ingestTimeMs >= before - 1_000 && ingestTimeMs <= Date.now() + 1_000)
  for (const { timestamp } of await readCommitted(kafka, names.events)) assert.ok(Number(timestamp) >= before - 1_000)
})

test('every key says by an ASCII letter what its record is, and a packed block carries its columns', { skip }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const log = await open({ compression: 'zstd' })
  await log.append([event(1, 'x'), event(1, 'y')])
  await log.acquire(1)
  const slots = [{ key: Buffer.alloc(8), bytes: Buffer.from('slot') }]
  const scored = { schemaVersion: SCORED_SCHEMA_VERSION, firstOffset: 0, lastOffset: 1, rows: 2, bytes: Buffer.from('rows') }
  await log.commit([commitTo(1, 2, { slots, scored, meta: [{ name: 'release', bytes: Buffer.from('r') }] })])
  const keys = (await readCommitted(kafka, names.state)).map(({ key }) => key!.toString('latin1'))
  assert.deepEqual(keys, ['b:barrier', `s:${'\0'.repeat(8)}`, 'm:release', 'o:next'])
  const [packed] = await readCommitted(kafka, names.scored)
  assert.equal(packed!.key!.toString(), 'r:1:0')
  const header = (name: string): string => packed!.headers![name]!.toString()
  assert.deepEqual(
    ['shard', 'offset', 'last-offset', 'rows', 'schema-version', 'format'].map((name) => header(name)),
    ['1', '0', '1', '2', String(SCORED_SCHEMA_VERSION), 'RowBinary'],
  )
  assert.match(header('columns'), /^tenant String,identity String,.*features ArrayFloat32,root String,.*version_model String$/)
})

test('the group offset follows the position, and one that was moved by hand changes nothing', { skip }, async (t) => {
  const { kafka, names, prefix, open } = await clusterFor(t, brokers)
  const taken: TakeOver[] = []
  const log = await open({ onAcquired: (takeOver) => taken.push(takeOver) })
  await log.append([event(0, 'a'), event(0, 'b'), event(0, 'c')])
  await log.acquire(0)
  await log.commit([commitTo(0, 2)])
  await log.acquire(0)
  const somebody = kafka.producer({ transactionalId: prefix, idempotent: true, maxInFlightRequests: 1 })
  await somebody.connect()
  const transaction = await somebody.transaction()
  await transaction.sendOffsets({
    consumerGroupId: `${prefix}.worker`,
    topics: [{ topic: names.events, partitions: [{ partition: 0, offset: '0' }] }],
  })
  await transaction.commit()
  await somebody.disconnect()
  assert.equal((await log.acquire(0)).nextOffset, 2)
  assert.deepEqual(
    taken.map(({ nextOffset, groupOffset }) => [nextOffset, groupOffset]),
    [
      [0, -1],
      [2, 2],
      [2, 0],
    ],
  )
})

test('a shard whose state is gone under what it has put out is not processed from the beginning', { skip }, async (t) => {
  const { kafka, names, prefix, open } = await clusterFor(t, brokers)
  const log = await open()
  await log.append([event(0, 'a'), event(1, 'b')])
  await log.acquire(0)
  await log.commit([commitTo(0, 1)])
  await log.close()
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  await admin.deleteTopics({ topics: [names.state] })
  while ((await admin.listTopics()).includes(names.state)) await sleep(50)
  await ensureTopics({ brokers }, { prefix, shards: SHARDS })
  const next = await open()
  await assert.rejects(next.acquire(0), (error: unknown) => {
    assert.ok(code('STATE_MISSING')(error), String(error))
    for (const word of ['shard 0', 'up to 1', names.state, 'Restore a backup']) assert.ok((error as Error).message.includes(word), word)
    return true
  })
  await assert.rejects(next.commit([commitTo(0, 2)]), code('SHARD_NOT_HELD'))
  // One that has put out nothing begins.
  assert.equal((await next.acquire(1)).nextOffset, 0)
})

test('two owners: the one that came later holds the shard, the other is told why', { skip }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const [first, second] = [await open(), await open()]
  await first.append([event(0, 'a')])
  await first.acquire(0)
  await second.acquire(0)
  await assert.rejects(first.commit([commitTo(0, 1)]), code('SHARD_FENCED'))
  await assert.rejects(first.commit([commitTo(0, 1)]), code('SHARD_NOT_HELD'))
  assert.throws(() => first.load(0, Buffer.alloc(8), Buffer.alloc(8)), code('SHARD_NOT_HELD'))
  await second.commit([commitTo(0, 1)])
  // Both at once: one of them holds it afterwards, and that one can commit.
  await first.append([event(0, 'b')])
  await Promise.allSettled([first.acquire(0), second.acquire(0)])
  const outcomes = await Promise.allSettled([first.commit([commitTo(0, 2)]), second.commit([commitTo(0, 2)])])
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1, JSON.stringify(outcomes))
})

test('a shard that was let go is not held any more and can be taken again', { skip }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const log = await open()
  await log.append([event(0, 'a')])
  await log.acquire(0)
  await log.commit([commitTo(0, 1, { slots: [{ key: Buffer.alloc(8, 1), bytes: Buffer.from('s') }] })])
  await log.release([0, 3])
  await assert.rejects(log.commit([commitTo(0, 2)]), code('SHARD_NOT_HELD'))
  assert.equal((await log.acquire(0)).nextOffset, 1)
  assert.equal(log.load(0, Buffer.alloc(8, 1), Buffer.alloc(8)), 1)
})

test('records that retention removed, and a log that is shorter than its position, are told and not skipped', { skip }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const log = await open()
  await log.append(['a', 'b', 'c', 'd'].map((value) => event(0, value)))
  const admin = kafka.admin()
  await admin.connect()
  // kafkajs knows the topic's leaders only after a question about it.
  await admin.fetchTopicOffsets(names.events)
  await admin.deleteTopicRecords({ topic: names.events, partitions: [{ partition: 0, offset: '2' }] })
  await admin.disconnect()
  await assert.rejects(log.read(0, 0, 10), code('RECORDS_TRIMMED'))
  assert.deepEqual(texts(await log.read(0, 2, 10)), ['c', 'd'])
  await assert.rejects(log.read(0, 5, 10), code('LOG_SHORTER_THAN_POSITION'))
})

test('onRecords tells of what arrives after read said that there is nothing', { skip }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const [reader, writer] = [await open(), await open()]
  assert.deepEqual(await reader.read(2, 0, 10), [])
  const told = new Promise<readonly number[]>((resolve) => reader.onRecords(resolve))
  await writer.append([event(2, 'late')])
  assert.deepEqual(await told, [2])
  assert.deepEqual(texts(await reader.read(2, 0, 10)), ['late'])
})

test('more records than are read ahead come all, in order, while another shard is read in between', { skip }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const log = await open()
  const values = Array.from({ length: 6_000 }, (_, i) => `${i}`.padEnd(1_000, '.'))
  await log.append(values.map((value) => event(0, value)))
  await log.append(values.slice(0, 100).map((value) => event(1, value)))
  let [first, second] = [0, 0]
  while (first < values.length) {
    const some = await log.read(0, first, 500)
    assert.deepEqual(texts(some), values.slice(first, first + some.length))
    assert.ok(some.length > 0)
    first += some.length
    second += (await log.read(1, second, 10)).length
  }
  assert.ok(second > 50)
})

test('appends whose answers were lost are reported; what is sent afterwards is stored, not taken for a repetition', { skip }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const log = await open({}, { socketFactory: proxy.socketFactory })
  await log.append([event(0, 'first')])
  proxy.loseAnswers()
  await assert.rejects(log.append([event(0, 'unknown')]), code('APPEND_UNKNOWN'))
  proxy.heal()
  assert.deepEqual(await log.append([event(0, 'after')]), [2])
  // The readers lost their connections too and came back by themselves.
  assert.deepEqual(await readAgain(log, 0, 0), ['first', 'unknown', 'after'])
  assert.deepEqual(texts(await readCommitted(kafka, names.events)), ['first', 'unknown', 'after'])
})

test('a commit whose answer was lost is unknown to its owner and settled by the next take-over', { skip }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const log = await open({}, { socketFactory: proxy.socketFactory })
  await log.append([event(0, 'a'), event(0, 'b')])
  await log.acquire(0)
  await log.commit([commitTo(0, 1)])
  proxy.loseAnswerTo(END_TXN)
  await assert.rejects(log.commit([commitTo(0, 2)]), code('COMMIT_UNKNOWN'))
  // The request had arrived: it took effect, and only the next owner of the shard can know.
  assert.equal((await log.acquire(0)).nextOffset, 2)
  assert.equal((await readCommitted(kafka, names.state)).filter(({ key }) => key!.toString() === 'o:next').length, 2)
})

/** Half of what a broker takes to miss a reader of the log: a new one does not wait for that. */
const SOON_MS = 15_000

test('after an outage in which its client gives up, a log soon reads on where it was', { skip, timeout: 120_000 }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const [log, other] = [await open({}, { socketFactory: proxy.socketFactory }), await open()]
  await log.append([event(0, 'before')])
  assert.deepEqual(texts(await log.read(0, 0, 10)), ['before'])
  proxy.loseAnswers()
  await other.append([event(0, 'meanwhile')])
  // An idle shard hears of it like one that is read: its owner asks, and is told.
  const told = async (): Promise<unknown> => log.read(0, 1, 10).catch((error: unknown) => error)
  for (let said = await told(); !code('KAFKA_UNREACHABLE')(said); said = await told()) await sleep(100)
  proxy.heal()
  const healed = performance.now()
  assert.deepEqual(await readAgain(log, 0, 1), ['meanwhile'])
  assert.ok(performance.now() - healed < SOON_MS, `${Math.round(performance.now() - healed)} ms`)
})

test('a log that is opened while its groups have no coordinator yet waits for one', { skip, timeout: 90_000 }, async (t) => {
  const { open } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  proxy.loseAnswers(FIND_COORDINATOR)
  const opening = open({}, { socketFactory: proxy.socketFactory })
  // Longer than its client tries by itself.
  await sleep(4_000)
  proxy.heal()
  const log = await opening
  assert.deepEqual(await log.append([event(0, 'a')]), [0])
  assert.deepEqual(await readAgain(log, 0, 0), ['a'])
})

test('a process whose brokers are away closes its log and its group, and nothing keeps it running', { skip }, async (t) => {
  const { prefix } = await clusterFor(t, brokers)
  const child = spawn(process.execPath, [CLOSING, brokers[0]!, prefix, String(SHARDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  const [said, ended] = await Promise.all([
    text(child.stdout),
    new Promise((resolve) => child.on('exit', (status, signal) => resolve(status ?? signal))),
  ])
  assert.deepEqual([said, ended], ['closed', 0])
})

test('a shard that is let go while its state is read is let go at once, and can be taken over again', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  let releasing: Promise<void> | undefined
  const log: KafkaLog = await cluster.open({
    onPoint(point) {
      if (point === 'acquire:barrier') releasing ??= log.release([0])
    },
  })
  await assert.rejects(log.acquire(0), code('SHARD_NOT_HELD'))
  await releasing
  assert.throws(() => log.load(0, Buffer.alloc(8), Buffer.alloc(8)), code('SHARD_NOT_HELD'))
  assert.equal((await log.acquire(0)).nextOffset, 0)
  await log.commit([commitTo(0, 1)])
})
