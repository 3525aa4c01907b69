const encoder = new TextEncoder()
const SEED = 0x9747b28c | 0
const M = 0x5bd1e995

/** MurmurHash2 as in Kafka's `org.apache.kafka.common.utils.Utils.murmur2`: a signed 32-bit integer. */
export const murmur2 = (data: Uint8Array): number => {
  const length = data.length
  let h = SEED ^ length
  const words = length >>> 2
  for (let i = 0; i < words; i++) {
    const o = i << 2
    let k = (data[o] as number) | ((data[o + 1] as number) << 8) | ((data[o + 2] as number) << 16) | ((data[o + 3] as number) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const tail = length & ~3
  const rest = length & 3
  if (rest === 3) h ^= (data[tail + 2] as number) << 16
  if (rest >= 2) h ^= (data[tail + 1] as number) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[tail] as number), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

/** Record key of an event: `e:` + tenant + `|` + identity, UTF-8. It places the event; it names nothing else. */
export const eventKey = (tenant: string, identity: string): Uint8Array => encoder.encode(`e:${tenant}|${identity}`)

/** Shard of a record key, 0 ≤ shard < shards: the partition that Kafka's default partitioner picks for the same key. */
export const shardOfKey = (key: Uint8Array, shards: number): number => (murmur2(key) & 0x7fffffff) % shards

/** Shard an identity lives in for ever (contracts C1), 0 ≤ shard < shards. */
export const shardOf = (tenant: string, identity: string, shards: number): number => shardOfKey(eventKey(tenant, identity), shards)
