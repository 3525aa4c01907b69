import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type TestContext, test } from 'node:test'
import { type KafkaDeployment, type KafkaDeploymentOptions, type KafkaSettings, openKafkaDeployment } from '@plumbline/adapters/kafka'
import type { IngestResult } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor, event } from '../support/kafka/cluster.ts'
import { startBrokerProxy } from '../support/kafka/proxy.ts'
import { readCommitted } from '../support/kafka/topics.ts'
import { DOOR, MASTER_KEY, request } from './door-requests.ts'

const { brokers, skip } = await kafkaBroker()
const CHILD = fileURLToPath(new URL('door.testkit.ts', import.meta.url))

const setUp = async (t: TestContext) => {
  const cluster = await clusterFor(t, brokers)
  return {
    ...cluster,
    async deployment(more: Partial<KafkaDeploymentOptions> = {}, settings: Partial<KafkaSettings> = {}): Promise<KafkaDeployment> {
      const options = { prefix: cluster.prefix, shards: SHARDS, masterKey: MASTER_KEY, door: DOOR, ...more }
      return cluster.keep(await openKafkaDeployment({ brokers, ...settings }, options))
    },
  }
}

/** A sender as the door's clients are told to be: the same request again until there is an answer. */
const send = async (log: () => KafkaDeployment, n: number): Promise<IngestResult> => {
  for (;;) {
    try {
      return await log().ingest(request(n, SHARDS))
    } catch (error) {
      assert.ok(error instanceof PlumblineError && error.retryable, String(error))
      await sleep(50)
    }
  }
}

/** What was asked for n times is stored once: events, refused lines, values, keys. */
const assertOnce = async ({ kafka, names }: Cluster, log: KafkaDeployment, numbers: readonly number[]): Promise<void> => {
  const valuesOf = async (topic: string, prefix: string): Promise<string[]> =>
    (await readCommitted(kafka, topic)).filter(({ key }) => key!.toString().startsWith(prefix)).map(({ value }) => value!.toString())
  const sorted = (list: readonly string[]): string[] => [...list].sort()
  assert.deepEqual(sorted(await valuesOf(names.events, 'e:')), sorted(numbers.flatMap((n) => [`${n}.0`, `${n}.1`])))
  assert.deepEqual(
    sorted((await valuesOf(names['dead-letters'], 'd:')).map((value) => (JSON.parse(value) as { message: string }).message)),
    sorted(numbers.map((n) => `refused in ${n}`)),
  )
  assert.deepEqual(log.kv.list('sent:'), sorted(numbers.map((n) => `sent:${n}`)))
  assert.equal((await valuesOf(names['ingest-keys'], 'i:')).length, numbers.length)
}

test('whichever answer is lost, a request is stored once, whole, and answered as it was', { skip, timeout: 120_000 }, async (t) => {
  const cluster = await setUp(t)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const log = await cluster.deployment({}, { socketFactory: proxy.socketFactory })
  const KINDS = { produce: 0, addPartitions: 24, endTxn: 26, coordinator: 10, init: 22 }
  const numbers: number[] = []
  let n = 0
  for (let round = 0; round < 2; round++) {
    for (const [name, apiKey] of Object.entries(KINDS)) {
      proxy.loseAnswerTo(apiKey)
      // Nobody asks for a coordinator or an id unless something else went wrong before.
      if (name === 'init' || name === 'coordinator') proxy.loseAnswerTo(KINDS.endTxn)
      const own = [n++, n++]
      const results = await Promise.all(own.map((number) => send(() => log, number)))
      for (const { offsets, repeated } of results) assert.deepEqual([offsets.length, repeated], [2, undefined], name)
      numbers.push(...own)
      proxy.heal()
    }
  }
  await assertOnce(cluster, log, numbers)
  const again = await send(() => log, 0)
  assert.deepEqual([again.offsets.length, Buffer.from(again.repeated!).toString()], [0, 'answer 0'])
})

test('a request that met an outage is told so; sent again it is stored once, by this door or the next', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const cluster = await setUp(t)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const log = await cluster.deployment({ waitMs: 500 }, { socketFactory: proxy.socketFactory })
  const codes = new Set<string>()
  const outage = async (n: number, apiKey?: number): Promise<void> => {
    await send(() => log, n)
    proxy.loseAnswers(apiKey)
    await log.ingest(request(n + 1, SHARDS)).then(
      () => codes.add('answered'),
      (error: PlumblineError) => codes.add(error.code),
    )
  }
  await outage(0)
  proxy.heal()
  const first = await send(() => log, 1)
  assert.ok(first.offsets.length === 2 || first.repeated !== undefined)
  // The end of the transaction arrives, and neither its answer nor what would settle it.
  await outage(2, 26)
  const next = await cluster.deployment()
  const taken = await send(() => next, 3)
  assert.equal(Buffer.from(taken.repeated ?? []).toString(), 'answer 3')
  proxy.heal()
  await assertOnce(cluster, next, [0, 1, 2, 3])
  assert.ok(codes.has('INGEST_UNKNOWN'), [...codes].join())
})

test('two processes that use one door at once, and are sent the same requests, store each once', { skip, timeout: 120_000 }, async (t) => {
  const cluster = await setUp(t)
  const doors = [await cluster.deployment(), await cluster.deployment()]
  const numbers = Array.from({ length: 12 }, (_, n) => n)
  const results = await Promise.all(numbers.flatMap((n) => doors.map((log) => send(() => log, n))))
  for (const n of numbers) {
    const own = results.slice(2 * n, 2 * n + 2)
    assert.equal(own.filter(({ offsets }) => offsets.length === 2).length, 1, `request ${n}`)
    assert.equal(own.filter(({ repeated }) => repeated !== undefined && Buffer.from(repeated).toString() === `answer ${n}`).length, 1)
  }
  await assertOnce(cluster, doors[0]!, numbers)
})

test('a door that is killed at any point of its protocol stored its last request whole or not at all', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const cluster = await setUp(t)
  const answered: number[] = []
  const points = ['begin', 'sent', 'committed']
  const COUNT = 3
  for (const [i, point] of points.entries()) {
    const child = spawn(process.execPath, [CHILD, brokers[0]!, cluster.prefix, String(SHARDS), point, String(i * COUNT), String(COUNT)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)))
    answered.push(...(await text(child.stdout)).trim().split('\n').map(Number))
    assert.equal(await ended, 'SIGKILL')
  }
  assert.deepEqual(answered, [0, 1, 3, 4, 6, 7])
  const log = await cluster.deployment()
  const numbers = Array.from({ length: points.length * COUNT }, (_, n) => n)
  const results: IngestResult[] = []
  for (const n of numbers) results.push(await send(() => log, n))
  // What was answered is known to the next door; of the last requests only the one whose end was asked for happened.
  assert.deepEqual(
    results.map(({ repeated }) => repeated !== undefined),
    [true, true, false, true, true, false, true, true, true],
  )
  await assertOnce(cluster, log, numbers)
})

test('markers and aborted requests are no lag: positions pass them, with events behind them and without', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { deployment, open } = await setUp(t)
  let failing = false
  const door = await deployment({
    onPoint(point) {
      if (point === 'sent' && failing) throw new Error('given up')
    },
  })
  const worker = await open()
  let position = (await worker.acquire(0)).nextOffset
  const work = async (): Promise<void> => {
    for (;;) {
      const records = await worker.read(0, position, 10)
      if (records.length > 0) {
        position = records.at(-1)!.offset + 1
        await worker.commit([commitTo(0, position)])
      }
      await door.refreshHeads()
      const head = door.head(0)
      if (head.position >= head.next) return
      await sleep(20)
    }
  }
  await door.ingest({ records: [event(0, 'a'), event(0, 'b')] })
  await work()
  // The marker behind the two is passed, though no commit can name it.
  assert.deepEqual([position, door.head(0).position, door.head(0).next], [2, 3, 3])
  failing = true
  await assert.rejects(door.ingest({ records: [event(0, 'never')] }))
  failing = false
  await work()
  assert.equal(position, 2)
  assert.ok(door.head(0).position > 3)
  const [offset] = (await door.ingest({ records: [event(0, 'c')] })).offsets
  await work()
  assert.equal(position, offset! + 1)
  assert.deepEqual((await worker.acquire(0)).nextOffset, position)
  assert.deepEqual(
    (await worker.read(0, 2, 10)).map(({ value }) => Buffer.from(value).toString()),
    ['c'],
  )
})

test('a shard that was worked off and is idle until retention has taken all of it goes on with the next event', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { deployment, open, kafka, names } = await setUp(t)
  const door = await deployment()
  const worker = await open()
  await worker.acquire(0)
  await door.ingest({ records: [event(0, 'a'), event(0, 'b')] })
  let position = 0
  for (; position < 2; await sleep(20)) {
    const records = await worker.read(0, position, 10)
    position = (records.at(-1)?.offset ?? position - 1) + 1
  }
  await worker.commit([commitTo(0, position)])
  for (; door.head(0).position < 3; await door.refreshHeads()) {
    await worker.read(0, position, 10)
    await sleep(20)
  }
  const admin = kafka.admin()
  await admin.connect()
  await admin.fetchTopicOffsets(names.events)
  await admin.deleteTopicRecords({ topic: names.events, partitions: [{ partition: 0, offset: '3' }] })
  await admin.disconnect()
  const next = await open()
  assert.equal((await next.acquire(0)).nextOffset, 2)
  assert.deepEqual(await next.read(0, 2, 10), [])
  await door.ingest({ records: [event(0, 'c')] })
  const found: string[] = []
  for (; found.length === 0; await sleep(20))
    found.push(...(await next.read(0, 2, 10)).map(({ offset, value }) => `${offset} ${Buffer.from(value).toString()}`))
  assert.deepEqual(found, ['3 c'])
  // What was an event and is gone is told all the same.
  await assert.rejects(next.read(0, 1, 10), (error: { code?: string }) => error.code === 'RECORDS_TRIMMED')
})
