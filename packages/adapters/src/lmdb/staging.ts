import { PlumblineError, TOPICS, type Topic } from '@plumbline/schemas'
import {
  SHARD_FIRST,
  SHARD_NEXT,
  SHARD_POSITION,
  encodeEntry,
  numberOf,
  numberValue,
  outboxKey,
  rowsSoFarOf,
  sequenceOf,
  shardKey,
} from './codec.ts'
import type { OutboxValue } from './codec.ts'
import type { Environment } from './environment.ts'
import type { Staged } from './writer.ts'

interface ShardHead {
  next: number
  position: number
  first: number
}
interface TopicHead {
  sequence: number
  rows: number
}

/** Ends of all sequences: the durable ones, which readers may see, and those of the open transaction. */
export interface Heads extends Staged {
  readonly shards: number
  /** Position after the last durable record. */
  next(shard: number): number
  position(shard: number): number
  first(shard: number): number
  /** Sequence of the last durable entry of the topic, 0 when there never was one. */
  topic(topic: Topic): Readonly<TopicHead>
  stagedShard(shard: number): ShardHead
  /** Appends to a topic within the open transaction. */
  publish(topic: Topic, entry: OutboxValue): void
  /** Called after each durable transaction with the shards and topics that grew. */
  onGrown(listener: (shards: readonly number[], topics: readonly Topic[]) => void): () => void
}

const topicNumber = (topic: Topic): number => TOPICS.indexOf(topic)

const readShard = (env: Environment, shard: number): ShardHead => {
  const value = (kind: number): number => numberOf(env.shards.get(shardKey(shard, kind))) ?? 0
  return { next: value(SHARD_NEXT), position: value(SHARD_POSITION), first: value(SHARD_FIRST) }
}

const HEAD_KEY = (topic: number): Buffer => Buffer.from(`outbox-head:${topic}`)

const readTopic = (env: Environment, topic: number): TopicHead => {
  const last = [...env.outbox.getRange({ start: outboxKey(topic + 1, 0), end: outboxKey(topic, 0), reverse: true, limit: 1 })][0]
  if (last !== undefined && last.key[0] === topic) return { sequence: sequenceOf(last.key), rows: rowsSoFarOf(last.value) }
  // Everything was consumed and trimmed: the head was kept aside when that happened.
  const kept = env.kv.get(HEAD_KEY(topic))
  return kept === undefined ? { sequence: 0, rows: 0 } : (JSON.parse(kept.toString()) as TopicHead)
}

/** Keeps a topic's head before its last entries are trimmed, so that sequences never start over. */
export const keepHead = (env: Environment, topic: Topic, head: TopicHead): void => {
  env.kv.putSync(HEAD_KEY(topicNumber(topic)), Buffer.from(JSON.stringify(head)))
}

export const createHeads = (env: Environment, shardCount: number): Heads => {
  const shards = Array.from({ length: shardCount }, (_, shard) => readShard(env, shard))
  const topics = TOPICS.map((_, topic) => readTopic(env, topic))
  const listeners = new Set<(shards: readonly number[], topics: readonly Topic[]) => void>()
  let stagedShards = new Map<number, ShardHead>()
  let stagedTopics = new Map<Topic, TopicHead>()

  const shardHead = (shard: number): ShardHead => {
    const head = shards[shard]
    if (head === undefined) throw new PlumblineError('SHARD_UNKNOWN', `There is no shard ${shard}; shards are 0 to ${shardCount - 1}.`)
    return head
  }
  const topicHead = (topic: Topic): TopicHead => topics[topicNumber(topic)]!

  return {
    shards: shardCount,
    next: (shard) => shardHead(shard).next,
    position: (shard) => shardHead(shard).position,
    first: (shard) => shardHead(shard).first,
    topic: topicHead,
    stagedShard(shard) {
      let head = stagedShards.get(shard)
      if (head === undefined) stagedShards.set(shard, (head = { ...shardHead(shard) }))
      return head
    },
    publish(topic, entry) {
      let head = stagedTopics.get(topic)
      if (head === undefined) stagedTopics.set(topic, (head = { ...topicHead(topic) }))
      head.sequence++
      head.rows += entry.rows
      env.outbox.putSync(outboxKey(topicNumber(topic), head.sequence), encodeEntry(entry, head.rows))
    },
    onGrown(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    begin() {
      stagedShards = new Map()
      stagedTopics = new Map()
    },
    merge() {
      const grown = [...stagedShards].filter(([shard, head]) => head.next > shards[shard]!.next).map(([shard]) => shard)
      const topicsGrown = [...stagedTopics.keys()]
      for (const [shard, head] of stagedShards) shards[shard] = head
      for (const [topic, head] of stagedTopics) topics[topicNumber(topic)] = head
      stagedShards = new Map()
      stagedTopics = new Map()
      if (grown.length + topicsGrown.length > 0) for (const listener of listeners) listener(grown, topicsGrown)
    },
    discard() {
      stagedShards = new Map()
      stagedTopics = new Map()
    },
  }
}

export const writeShardHead = (
  env: Environment,
  shard: number,
  kind: typeof SHARD_NEXT | typeof SHARD_POSITION | typeof SHARD_FIRST,
  value: number,
): void => {
  env.shards.putSync(shardKey(shard, kind), numberValue(value))
}

export { topicNumber }
