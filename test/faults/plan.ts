import type { AppendRecord } from '@plumbline/detector'

export const SHARDS = 4
export const BATCH = 40
const START = 1_700_000_000_000

/** Small deterministic generator, so that parent and child agree on every byte of every batch. */
const mix = (seed: number, i: number): number => {
  let x = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(i + 1, 0xc2b2ae35)) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0
  return (x ^ (x >>> 15)) >>> 0
}

/** Records of one request: a few identities are busy, some events are bad. */
export const batchOf = (seed: number, batch: number): AppendRecord[] =>
  Array.from({ length: BATCH }, (_, i) => {
    const random = mix(seed, batch * BATCH + i)
    const identity = random % (random & 64 ? 5 : 60)
    const refused = random % 97 === 0 ? '!' : ''
    return {
      shard: identity % SHARDS,
      ingestTimeMs: START + batch * 1_000 + i,
      key: Buffer.from(`e:id-${identity}`),
      value: Buffer.from(`${refused}{"batch":${batch},"i":${i},"r":${random}}`),
    }
  })
