import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Costs, needsOf } from './model.ts'

const costs: Costs = {
  workerMicros: 20,
  brokerMicros: 5,
  recorderMicros: 1,
  clickhouseMicros: 12,
  doorMicros: 10,
  perShard: 30_000,
  eventBytes: 400,
  scoredBytes: 300,
  stateBytes: 300,
  slotBytes: 3_000,
  residentBytes: 4_000,
  restoreBytesPerSecond: 150e6,
  storedRowBytes: 200,
}

test('needs grow with the load, each in its own unit', () => {
  const one = needsOf(costs, { eventsPerSecond: 60_000, identities: 1_000_000 })
  assert.equal(one.workers, 2)
  assert.equal(one.brokerInBytes, 60_000 * 1_000 * 3)
  assert.equal(one.brokerOutBytes, 60_000 * (700 + 2_000))
  assert.equal(one.clickhouseBytesPerDay, 60_000 * 86_400 * 200)
  assert.equal(one.workerMemoryBytes, (1_000_000 * 0.2 * 4_000) / 2)
  // The whole state is 3 GB; half of it was the lost worker's, and the one that is left reads it.
  assert.equal(one.takeOverSeconds, 1.5e9 / 150e6)
  const ten = needsOf(costs, { eventsPerSecond: 600_000, identities: 1_000_000 })
  assert.equal(ten.workers, 20)
  assert.ok(ten.shards >= ten.workers)
  assert.equal(ten.shards, Math.ceil((600_000 * 2) / 18_000))
  assert.equal(ten.hottestIdentity, one.hottestIdentity)
})

test('a small load takes one of each and no fewer shards than workers', () => {
  const small = needsOf(costs, { eventsPerSecond: 10, identities: 100 })
  assert.deepEqual([small.workers, small.recorders, small.shards], [1, 1, 1])
  assert.ok(small.takeOverSeconds > 0)
})
