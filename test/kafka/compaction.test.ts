import assert from 'node:assert/strict'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import { setTimeout as sleep } from 'node:timers/promises'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor, event } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
/** The largest record of a topic, as packages/adapters/src/kafka/topics.ts has it. */
const MAX_RECORD_BYTES = 8 * 1024 * 1024
const COMMITS = 60
const IDENTITIES = 10

test('a shard is restored from a state topic whose older records were compacted away', { skip, timeout: 120_000 }, async (t) => {
  const { kafka, names, open } = await clusterFor(t, brokers)
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  // Only closed segments are compacted: every commit closes one. What is not named here goes back to the broker's default.
  const kept = { 'cleanup.policy': 'compact', 'max.message.bytes': `${MAX_RECORD_BYTES + 65_536}` }
  const eager = { ...kept, 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.01' }
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: names.state,
        configEntries: Object.entries(eager).map(([name, value]) => ({ name, value })),
      },
    ],
  })
  const log = await open()
  await log.append(Array.from({ length: COMMITS + 1 }, (_, i) => event(0, `${i}`)))
  await log.acquire(0)
  const slotsAt = (i: number) => [{ key: Buffer.alloc(8, i % IDENTITIES), bytes: Buffer.from(`${i}`) }]
  const metaAt = (i: number) => [{ name: `n${i % 3}`, bytes: Buffer.from(`${i}`) }]
  for (let i = 0; i < COMMITS; i++) await log.commit([commitTo(0, i + 1, { slots: slotsAt(i), meta: metaAt(i) })])

  const recordsLeft = async (): Promise<number> => (await readCommitted(kafka, names.state, { markKey: 'b:barrier' })).length
  const written = COMMITS * 3
  while ((await recordsLeft()) > written / 3) await sleep(200)

  const held = await log.acquire(0)
  assert.equal(held.nextOffset, COMMITS)
  assert.deepEqual(Object.fromEntries([...held.meta].map(([name, bytes]) => [name, Buffer.from(bytes).toString()])), {
    n0: `${COMMITS - 3}`,
    n1: `${COMMITS - 2}`,
    n2: `${COMMITS - 1}`,
  })
  const into = Buffer.alloc(8)
  for (let i = COMMITS - IDENTITIES; i < COMMITS; i++) {
    const length = log.load(0, slotsAt(i)[0]!.key, into)
    assert.equal(into.subarray(0, length).toString(), `${i}`)
  }
  await log.commit([commitTo(0, COMMITS + 1)])
})
