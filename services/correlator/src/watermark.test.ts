import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWatermark } from './watermark.ts'

const shardsAt = (...places: readonly (readonly [next: number, position: number])[]) => ({
  shards: places.length,
  head: (shard: number) => ({ next: places[shard]![0], position: places[shard]![1], first: 0 }),
})

test('the slowest shard that has something waiting says how far all are; an idle one holds up nothing', () => {
  const read = new Set([0, 1, 2])
  const isRead = (shard: number): boolean => read.has(shard)
  const busy = createWatermark(shardsAt([9, 5], [9, 9], [0, 0]), () => 0)
  assert.equal(busy.now(isRead), 0)
  busy.note(1, 2_000)
  assert.equal(busy.now(isRead), 0, 'shard 0 may have anything')
  busy.note(0, 1_000)
  assert.equal(busy.now(isRead), 1_000)
  read.delete(1)
  busy.note(0, 3_000)
  assert.equal(busy.now(isRead), 2_000, 'rows of shard 1 are scored and not read')
})

test('when nothing waits time goes on as outside; a shard that is stuck is left behind after a minute', () => {
  let now = 0
  const idle = createWatermark(shardsAt([4, 4]), () => now)
  idle.note(0, 5_000)
  now = 600
  assert.equal(
    idle.now(() => true),
    5_600,
  )
  const stuck = createWatermark(shardsAt([4, 4], [7, 3]), () => now)
  stuck.note(0, 9_000)
  stuck.note(1, 1_000)
  assert.equal(
    stuck.now(() => true),
    1_000,
  )
  now += 60_000
  assert.equal(
    stuck.now(() => true),
    9_000 + 60_000,
  )
})

test('what was read before a restart is known after it', () => {
  const before = createWatermark(shardsAt([1, 1], [1, 1]), () => 0)
  before.note(0, 7_000)
  before.note(1, 8_000)
  assert.equal(
    createWatermark(shardsAt([2, 1], [1, 1]), () => 0, before.entries()).now(() => true),
    7_000,
  )
})
