/** Topics of one deployment. `events` and `state` have one partition per shard; shard and partition have the same number. */
export const TOPIC_KINDS = [
  'events',
  'state',
  'scored',
  'alerts',
  'dead-letters',
  'feedback',
  'audit',
  'models',
  'values',
  'ingest-keys',
] as const
export type TopicKind = (typeof TOPIC_KINDS)[number]
export type TopicNames = Readonly<Record<TopicKind, string>>

export const topicNames = (prefix = 'plumbline'): TopicNames =>
  Object.fromEntries(TOPIC_KINDS.map((kind) => [kind, `${prefix}.${kind}`])) as TopicNames

/** A record larger than this is refused before it is sent: a chunk's packed rows with their feature vectors stay well below. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024
const RECORD_ROOM_BYTES = 65_536

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** An Idempotency-Key counts for 24 hours (contracts C6); its record stays a little longer. */
const INGEST_KEYS_MS = 26 * HOUR_MS
/** Partitions of `scored` where nothing is said. */
export const lanesFor = (shards: number): number => Math.min(shards, 8)

const COMPACTED: readonly TopicKind[] = ['state', 'models', 'values']
export const PER_SHARD: readonly TopicKind[] = ['events', 'state']
/** Topics with named state, packed blocks, capsules or artifacts, which may be larger than a broker's default of 1 MB. */
export const LARGE: readonly TopicKind[] = ['state', 'scored', 'alerts', 'models', 'values']
/** Kept for good: decisions of people, and what was done. */
const FOR_GOOD: readonly TopicKind[] = ['feedback', 'audit']

export interface TopicOptions {
  /** First part of all names. Default "plumbline". */
  readonly prefix?: string
  /** Number of shards (contracts C1) = partitions of `events` and `state`. */
  readonly shards: number
  /** Partitions of `scored` where it is created: so many recorders work side by side. Default: as many as shards, at most 8. */
  readonly lanes?: number
  /** Default: the broker's own setting. */
  readonly replicationFactor?: number
  /** How long events and outbox records are kept, ms. Default 7 days; feedback, audit and compacted topics are kept for good. */
  readonly retentionMs?: number
}

/**
 * How many partitions a topic must have; null where any number does (`scored`). `alerts` has one: which alerts the budget of a
 * day admits is decided in one order, the same for everybody who reads them.
 */
export const requiredPartitions = (kind: TopicKind, shards: number): number | null =>
  PER_SHARD.includes(kind) ? shards : kind === 'scored' ? null : 1

/** Settings that must hold; anything else about a topic is the operator's choice. */
export const requiredSettings = (kind: TopicKind): Readonly<Record<string, string>> => {
  if (COMPACTED.includes(kind)) return { 'cleanup.policy': 'compact' }
  // Retention counts from storing (docs/adr/0012), so the broker stamps; a record's own arrival time travels in a header.
  return { 'cleanup.policy': kind === 'ingest-keys' ? 'compact,delete' : 'delete', 'message.timestamp.type': 'LogAppendTime' }
}

const retentionOf = (kind: TopicKind, retentionMs: number): number =>
  FOR_GOOD.includes(kind) ? -1 : kind === 'ingest-keys' ? INGEST_KEYS_MS : retentionMs

/** What a topic is created with. */
export const settingsOf = (kind: TopicKind, { retentionMs = 7 * DAY_MS }: TopicOptions): Record<string, string> => ({
  ...requiredSettings(kind),
  ...(LARGE.includes(kind) ? { 'max.message.bytes': String(MAX_RECORD_BYTES + RECORD_ROOM_BYTES) } : {}),
  // The open segment is never compacted: a small one bounds what is read twice at a start.
  ...(COMPACTED.includes(kind) || kind === 'ingest-keys'
    ? { 'segment.bytes': String(32 * 1024 * 1024), 'min.cleanable.dirty.ratio': '0.3' }
    : {}),
  ...(COMPACTED.includes(kind) ? {} : { 'retention.ms': String(retentionOf(kind, retentionMs)) }),
})
