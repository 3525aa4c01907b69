import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { type KafkaValues, type TransactionPoint, ensureDeployment } from '@plumbline/adapters/kafka'
import { pinnedConfig } from '@plumbline/detector'
import { DetectionConfig } from '@plumbline/schemas'
import kafkajs from 'kafkajs'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor, code } from '../support/kafka/cluster.ts'
import { END_TXN, startBrokerProxy } from '../support/kafka/proxy.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()

const bytes = (text: string): Uint8Array => Buffer.from(text)
const textOf = (values: KafkaValues, name: string): string | undefined => {
  const found = values.get(name)
  return found === undefined ? undefined : Buffer.from(found).toString()
}
const hash = (of: Uint8Array): string => createHash('sha256').update(of).digest('hex')

/** Resolves when the values say what is waited for; every change is a reason to look. */
const until = (values: KafkaValues, holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const off = values.onChange(() => {
      if (!holds()) return
      off()
      resolve()
    })
    if (holds()) {
      off()
      resolve()
    }
  })

test('what one puts is there when put resolves, comes to the other, and is there for whoever opens later', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const [one, other] = [await cluster.values(), await cluster.values()]
  await one.put({ a: bytes('1'), 'b:x': bytes('2'), 'b:y': bytes(''), 'release:r': bytes('3') })
  assert.deepEqual(
    [textOf(one, 'a'), textOf(one, 'b:y'), one.list('b:'), one.list('')],
    ['1', '', ['b:x', 'b:y'], ['a', 'b:x', 'b:y', 'release:r']],
  )
  await until(other, () => textOf(other, 'release:r') === '3')
  await other.put({ a: null, 'b:x': bytes('changed') })
  assert.equal(other.get('a'), undefined)
  await until(one, () => one.get('a') === undefined)
  const late = await cluster.values()
  assert.deepEqual([late.list(''), textOf(late, 'b:x'), textOf(late, 'release:r')], [['b:x', 'b:y', 'release:r'], 'changed', '3'])
  assert.deepEqual(
    (await readCommitted(cluster.kafka, cluster.names.models))
      .filter(({ key }) => key!.toString().startsWith('v:'))
      .map(({ key }) => key!.toString()),
    ['v:release:r'],
  )
})

test('a put is whole in every copy at every moment, also over both topics and with values of many megabytes', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const [one, other] = [await cluster.values(), await cluster.values()]
  const large = (fill: number): Uint8Array => Buffer.alloc(3_000_000, fill)
  const torn: string[] = []
  let changes = 0
  other.onChange(() => {
    changes++
    const seen = [other.get('n')?.[0], other.get('release:a')?.[0], other.get('release:b')?.at(-1)]
    if (new Set(seen).size > 1) torn.push(seen.join())
  })
  for (let i = 1; i <= 5; i++) await one.put({ 'release:a': large(i), n: Buffer.of(i), 'release:b': large(i) })
  await until(other, () => other.get('n')?.[0] === 5)
  assert.deepEqual([torn, changes], [[], 5])
})

test('a value that no record takes is stored in parts, replaced by a shorter one, removed, and found again', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const one = await cluster.values()
  const value = (megabytes: number, seed: number): Uint8Array =>
    Buffer.from(Uint32Array.from({ length: megabytes * 262_144 }, (_, i) => Math.imul(i + seed, 2_654_435_761)).buffer)
  const [long, shorter] = [value(21, 1), value(9, 2)]
  await one.put({ 'release:artifact:x': long, ledger: bytes('x') })
  assert.equal(hash(one.get('release:artifact:x')!), hash(long))
  const later = await cluster.values()
  assert.equal(hash(later.get('release:artifact:x')!), hash(long))
  await later.put({ 'release:artifact:x': shorter })
  await until(one, () => one.get('release:artifact:x')?.length === shorter.length)
  assert.equal(hash(one.get('release:artifact:x')!), hash(shorter))
  await one.put({ 'release:artifact:x': null })
  const last = await cluster.values()
  assert.deepEqual(last.list('release:'), [])
  const left = new Map((await readCommitted(cluster.kafka, cluster.names.models)).map(({ key, value: is }) => [key!.toString(), is]))
  assert.deepEqual(
    [...left].filter(([key, is]) => /^[vp]:/.test(key) && is !== null),
    [],
  )
})

test('values are the same after older ones were compacted away', { skip, timeout: 120_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const admin = cluster.kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  // Only closed segments are compacted: every put closes one.
  const eager = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.01', 'max.message.bytes': '8500000' }
  const configEntries = Object.entries(eager).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [cluster.names.values, cluster.names.models].map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configEntries,
    })),
  })
  const one = await cluster.values()
  for (let i = 0; i < 40; i++)
    await one.put({
      [`n${i % 4}`]: bytes(`${i}`),
      ...(i % 13 === 0 ? { 'release:r': Buffer.alloc(9_000_000, i) } : {}),
      gone: i === 39 ? null : bytes('x'),
    })
  const left = async (): Promise<number> => (await readCommitted(cluster.kafka, cluster.names.values)).length
  while ((await left()) > 60) await sleep(200)
  const late = await cluster.values()
  assert.deepEqual(
    late.list('').map((name) => (name.startsWith('n') ? textOf(late, name) : name)),
    ['36', '37', '38', '39', 'release:r'],
  )
  assert.deepEqual([late.get('release:r')!.length, late.get('release:r')![8_999_999]], [9_000_000, 39])
})

test('a put whose answer was lost is found out about; one that did not happen is made again', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  let failing: TransactionPoint | null = null
  const onPoint = (point: TransactionPoint): void => {
    if (point !== failing) return
    failing = null
    throw new Error(`failed at ${point}`)
  }
  const one = await cluster.values({ onPoint }, { socketFactory: proxy.socketFactory })
  proxy.loseAnswerTo(END_TXN)
  await one.put({ a: bytes('lost answer') })
  assert.equal(textOf(one, 'a'), 'lost answer')
  for (const point of ['begin', 'sent', 'committed'] as const) {
    failing = point
    await one.put({ a: bytes(point), 'release:a': bytes(point) })
    assert.deepEqual([failing, textOf(one, 'a'), textOf(one, 'release:a')], [null, point, point])
  }
  const stored = (await readCommitted(cluster.kafka, cluster.names.values)).filter(({ key }) => key!.toString() === 'v:a')
  assert.deepEqual(
    stored.map(({ value }) => value!.toString()),
    ['lost answer', 'begin', 'sent', 'committed'],
  )
})

test('of several who make a deployment at once one decides; the others have its id and are checked against it', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const all = await Promise.all([1, 2, 3, 4].map(() => cluster.values()))
  const masterKey = Buffer.alloc(32, 7)
  const ids = await Promise.all(all.map((values) => ensureDeployment(values, { shards: 4, masterKey })))
  assert.equal(new Set(ids.map(({ id }) => id)).size, 1)
  const [first] = all
  await assert.rejects(ensureDeployment(first!, { shards: 4, masterKey: Buffer.alloc(32, 8) }), code('MASTER_KEY_WRONG'))
  await assert.rejects(ensureDeployment(first!, { shards: 8, masterKey }), code('SHARDS_FIXED'))
  assert.ok(!Buffer.from(first!.get('deployment')!).includes(masterKey.toString('hex')))
})

test('of several who first ask for the configuration that scores one decides for all', { skip }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const all = await Promise.all([1, 2, 3, 4].map(() => cluster.values()))
  const configs = await Promise.all(all.map((values, i) => pinnedConfig(values, DetectionConfig.parse({ shards: 4 + i }))))
  assert.deepEqual(
    configs,
    configs.map(() => configs[0]),
  )
  assert.deepEqual(await pinnedConfig(all[3]!, DetectionConfig.parse({ shards: 9 })), configs[0])
})
