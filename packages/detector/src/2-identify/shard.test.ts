import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventKey, murmur2, shardOf, shardOfKey } from './shard.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('murmur2 agrees with the vectors of the Java client', () => {
  const vectors: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [text, expected] of vectors) assert.equal(murmur2(bytes(text)), expected, text)
})

test('a shard is in range, depends on tenant and identity, and equals that of the record key', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 1024 }), (tenant, identity, shards) => {
      const shard = shardOf(tenant, identity, shards)
      assert.ok(Number.isInteger(shard) && shard >= 0 && shard < shards)
      assert.equal(shard, shardOfKey(eventKey(tenant, identity), shards))
    }),
    { seed: 1, numRuns: 500 },
  )
  const used = new Set(Array.from({ length: 2000 }, (_, i) => shardOf('default', `agent-${i}`, 64)))
  assert.equal(used.size, 64)
})
