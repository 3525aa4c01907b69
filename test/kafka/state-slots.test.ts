import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStateSlots } from '@plumbline/adapters/kafka'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor, event } from '../support/kafka/cluster.ts'

const { brokers, skip } = await kafkaBroker()

const key = (n: number): Uint8Array => Buffer.alloc(8, n)
const slot = (n: number, text: string) => ({ key: key(n), bytes: Buffer.from(text) })

test('slots are read beside their owner: the newest committed of each, of these shards and no others', { skip }, async (t) => {
  const { settings, prefix, open } = await clusterFor(t, brokers)
  const read = async (...places: [shard: number, n: number][]): Promise<string[]> => {
    const wanted = places.map(([shard, n]) => ({ shard, key: key(n) }))
    return (await readStateSlots(settings, { prefix, shards: SHARDS }, wanted)).map((bytes) => Buffer.from(bytes).toString()).sort()
  }
  assert.deepEqual(await read([0, 1]), [], 'nothing was ever stored')
  const log = await open()
  await log.append([event(0, 'a'), event(0, 'b'), event(1, 'c'), event(1, 'd')])
  await log.acquire(0)
  await log.acquire(1)
  await log.commit([commitTo(0, 1, { slots: [slot(1, 'old'), slot(2, 'two')] }), commitTo(1, 1, { slots: [slot(1, 'elsewhere')] })])
  await log.commit([commitTo(0, 2, { slots: [slot(1, 'new'), slot(3, 'three')] })])
  assert.deepEqual(await read([0, 1], [0, 2], [0, 9]), ['new', 'two'])
  assert.deepEqual(await read([1, 1], [1, 3], [2, 1]), ['elsewhere'])
  assert.deepEqual(await read(), [])
  // The reader took nothing from the owner.
  await log.commit([commitTo(1, 2, { slots: [slot(1, 'later')] })])
  assert.deepEqual(await read([1, 1]), ['later'])
})
