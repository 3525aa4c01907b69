import { connectAdmin } from './access.ts'
import { type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { readState } from './codec.ts'
import { type PartitionReader, openPartitionReader } from './reader.ts'
import type { ReadRecord } from './record.ts'
import { scanRange } from './scan.ts'
import { topicNames } from './topics.ts'

export interface StateSlotsOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  readonly shards: number
}

/** Where a slot is: its shard, and the identity's key (8 bytes). */
export interface SlotPlace {
  readonly shard: number
  readonly key: Uint8Array
}

const WAIT_MS = 50

const keyOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

/** The newest of the wanted slots of one shard, from its topic's beginning to `end`. */
const readShard = async (
  reader: PartitionReader,
  range: { readonly topic: string; readonly partition: number; readonly to: number },
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Uint8Array>> => {
  const found = new Map<string, Uint8Array>()
  const take = (message: ReadRecord): void => {
    const entry = readState(message)
    if (entry.kind !== 'slot') return
    const key = keyOf(entry.key)
    if (!wanted.has(key)) return
    // Copied: the bytes are a piece of a whole fetch, which would stay in memory with them.
    if (entry.bytes === null) found.delete(key)
    else found.set(key, Uint8Array.from(entry.bytes))
  }
  await scanRange(reader, { ...range, from: 0 }, (messages) => messages.forEach(take))
  return found
}

/**
 * Slots of identities as the state topic has them, for whoever owns no shard; those that are not there are left out. Reads all
 * the state of the shards concerned: seconds for a gigabyte. Errors: KAFKA_UNREACHABLE, TOPIC_UNREADABLE (both
 * retryable), and what keeps this process out (see connectAdmin).
 */
export const readStateSlots = async (
  settings: KafkaSettings,
  { prefix, shards }: StateSlotsOptions,
  places: readonly SlotPlace[],
): Promise<readonly Uint8Array[]> => {
  const wanted = new Map<number, Set<string>>()
  for (const { shard, key } of places) wanted.set(shard, (wanted.get(shard) ?? new Set()).add(keyOf(key)))
  if (wanted.size === 0) return []
  const kafka = createKafka(settings)
  const topic = topicNames(prefix).state
  const admin = await connectAdmin(kafka, settings)
  let reader: PartitionReader | null = null
  try {
    const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]))
    reader = await openPartitionReader({ kafka, topic, partitions: shards, waitMs: WAIT_MS })
    const slots: Uint8Array[] = []
    for (const [shard, keys] of wanted) {
      slots.push(...(await readShard(reader, { topic, partition: shard, to: ends.get(shard) ?? 0 }, keys)).values())
    }
    return slots
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The state of the deployment cannot be read.', error)
  } finally {
    await reader?.close()
    await admin.disconnect()
  }
}
