import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import kafkajs, { type Admin, type IResourceConfigEntry } from 'kafkajs'
import { type KafkaSettings, brokerErrorType, createKafka } from './client.ts'

/** Topics of one deployment. `events` and `state` have one partition per shard; shard and partition have the same number. */
const TOPIC_KINDS = ['events', 'state', 'scored', 'alerts', 'dead-letters', 'models', 'feedback'] as const
export type TopicKind = (typeof TOPIC_KINDS)[number]
export type TopicNames = Readonly<Record<TopicKind, string>>

export const topicNames = (prefix = 'plumbline'): TopicNames =>
  Object.fromEntries(TOPIC_KINDS.map((kind) => [kind, `${prefix}.${kind}`])) as TopicNames

/** A record larger than this is refused before it is sent: a chunk's packed rows with their feature vectors stay well below. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024

const DAY_MS = 86_400_000
const COMPACTED: readonly TopicKind[] = ['state', 'models']
const PER_SHARD: readonly TopicKind[] = ['events', 'state']
/** Topics a worker writes packed blocks or capsules to, which may be larger than a broker's default of 1 MB. */
const LARGE: readonly TopicKind[] = ['scored', 'alerts', 'models']

export interface TopicOptions {
  /** First part of all names. Default "plumbline". */
  readonly prefix?: string
  /** Number of shards (contracts C1) = partitions of `events` and `state`. */
  readonly shards: number
  /** Partitions of the other topics where they are created. Default: as many as shards, at most 8. */
  readonly outboxPartitions?: number
  /** Default: the broker's own setting. */
  readonly replicationFactor?: number
  /** How long events and outbox records are kept, ms. Default 7 days; feedback and compacted topics are kept for good. */
  readonly retentionMs?: number
}

const partitionsOf = (kind: TopicKind, { shards, outboxPartitions = Math.min(shards, 8) }: TopicOptions): number =>
  PER_SHARD.includes(kind) ? shards : kind === 'models' || kind === 'feedback' ? 1 : outboxPartitions

/** Settings that must hold; anything else about a topic is the operator's choice. */
const required = (kind: TopicKind): Record<string, string> => ({
  'cleanup.policy': COMPACTED.includes(kind) ? 'compact' : 'delete',
  // Retention counts from storing (docs/adr/0012), so the broker stamps; a record's own arrival time travels in a header.
  ...(COMPACTED.includes(kind) ? {} : { 'message.timestamp.type': 'LogAppendTime' }),
})

const settingsOf = (kind: TopicKind, { retentionMs = 7 * DAY_MS }: TopicOptions): Record<string, string> => ({
  ...required(kind),
  ...(LARGE.includes(kind) ? { 'max.message.bytes': String(MAX_RECORD_BYTES + 65_536) } : {}),
  // The open segment is never compacted: a small one bounds what a restore reads twice.
  ...(kind === 'state' ? { 'segment.bytes': String(32 * 1024 * 1024), 'min.cleanable.dirty.ratio': '0.3' } : {}),
  ...(COMPACTED.includes(kind) ? {} : { 'retention.ms': String(kind === 'feedback' ? -1 : retentionMs) }),
})

/** Number of partitions of each topic that is there. */
const partitionCounts = async (admin: Admin, names: readonly string[]): Promise<Map<string, number>> => {
  const present = new Set(await admin.listTopics())
  const wanted = names.filter((name) => present.has(name))
  if (wanted.length === 0) return new Map()
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted })
  return new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
}

const CREATED_MS = 30_000
const CREATED_POLL_MS = 50

/** A broker acknowledges new topics before all brokers know them, itself included; kafkajs's own wait for it fails on that. */
const untilKnown = async (admin: Admin, names: readonly string[]): Promise<void> => {
  for (const until = performance.now() + CREATED_MS; performance.now() < until; await sleep(CREATED_POLL_MS)) {
    try {
      if ((await partitionCounts(admin, names)).size === names.length) return
    } catch (error) {
      if (!NOT_YET.has(brokerErrorType(error) ?? '')) throw error
    }
  }
  throw new PlumblineError(
    'TOPIC_MISSING',
    `Topics were created, but after ${CREATED_MS / 1000} s not all of them are known to the brokers.`,
    {
      retryable: true,
    },
  )
}
const NOT_YET = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])

const checkPartitions = (names: TopicNames, counts: ReadonlyMap<string, number>, shards: number): void => {
  for (const kind of PER_SHARD) {
    const there = counts.get(names[kind])
    if (there === shards) continue
    throw new PlumblineError(
      'TOPIC_PARTITIONS',
      `Topic ${names[kind]} has ${there} partitions, but this deployment is set to ${shards} shards, and one partition is one shard. ` +
        `Set the number of shards to ${there}, or use another topic prefix. Do not add partitions to a topic in use: identities would change shards and lose what was learned about them.`,
    )
  }
}

const checkPresent = (names: TopicNames, counts: ReadonlyMap<string, number>): void => {
  const missing = Object.values(names).filter((name) => !counts.has(name))
  if (missing.length === 0) return
  throw new PlumblineError('TOPIC_MISSING', `There is no topic ${missing.join(', ')}. Create the topics, or check the prefix.`)
}

const checkSettings = async (admin: Admin, names: TopicNames): Promise<void> => {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: TOPIC_KINDS.map((kind) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name: names[kind],
      configNames: ['cleanup.policy', 'message.timestamp.type', 'max.message.bytes'],
    })),
  })
  for (const kind of TOPIC_KINDS) {
    const entries = resources.find(({ resourceName }) => resourceName === names[kind])?.configEntries ?? []
    const value = (name: string): string => entries.find(({ configName }) => configName === name)?.configValue ?? ''
    for (const [name, wanted] of Object.entries(required(kind))) if (value(name) !== wanted) refuse(names[kind], name, value(name), wanted)
    if (kind === 'scored' && Number(value('max.message.bytes')) < MAX_RECORD_BYTES)
      refuse(names[kind], 'max.message.bytes', value('max.message.bytes'), `at least ${MAX_RECORD_BYTES}`)
  }
}

const refuse = (topic: string, setting: string, there: string, wanted: string): never => {
  throw new PlumblineError(
    'TOPIC_SETTINGS',
    `Topic ${topic} has ${setting}=${there}; it must be ${wanted}. Change it with kafka-configs.sh --alter, then start again.`,
  )
}

/**
 * Checks all topics. Returns the number of partitions of each. Errors: TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS.
 */
export const checkTopics = async (admin: Admin, { prefix, shards }: TopicOptions): Promise<ReadonlyMap<TopicKind, number>> => {
  const names = topicNames(prefix)
  const counts = await partitionCounts(admin, Object.values(names))
  checkPresent(names, counts)
  checkPartitions(names, counts, shards)
  await checkSettings(admin, names)
  return new Map(TOPIC_KINDS.map((kind) => [kind, counts.get(names[kind]) ?? 0]))
}

const entriesOf = (settings: Record<string, string>): IResourceConfigEntry[] =>
  Object.entries(settings).map(([name, value]) => ({ name, value }))

/** Creates the topics that are missing and checks those that are there. Several may do this at the same time. */
export const ensureTopics = async (settings: KafkaSettings, options: TopicOptions): Promise<void> => {
  const admin = createKafka(settings).admin()
  await admin.connect()
  try {
    const names = topicNames(options.prefix)
    const there = await partitionCounts(admin, Object.values(names))
    const missing = TOPIC_KINDS.filter((kind) => !there.has(names[kind]))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: false,
        topics: missing.map((kind) => ({
          topic: names[kind],
          numPartitions: partitionsOf(kind, options),
          replicationFactor: options.replicationFactor ?? -1,
          configEntries: entriesOf(settingsOf(kind, options)),
        })),
      })
      await untilKnown(admin, Object.values(names))
    }
    await checkTopics(admin, options)
  } finally {
    await admin.disconnect()
  }
}
