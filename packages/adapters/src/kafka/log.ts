import { DETECTOR_VERSION, type EventSink, type ShardLog } from '@plumbline/detector'
import { connectAdmin } from './access.ts'
import { createAppender } from './appender.ts'
import { type KafkaCompression, type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { createClosers } from './closers.ts'
import { type Bases, NO_BASES, eventBase } from './bases.ts'
import { boundsOf } from './bounds.ts'
import { createEventReader } from './events.ts'
import { createOwner } from './owner.ts'
import type { TakeOver } from './owner-options.ts'
import { type PartitionReader, openPartitionReader } from './reader.ts'
import { MAX_REQUEST_BYTES } from './requests.ts'
import { type ConnectProducer, type KafkaPoint, connectProducer } from './shard.ts'
import { openSlotCache } from './slots.ts'
import type { SnapshotOptions } from './snapshots.ts'
import { checkTopics } from './topic-check.ts'
import { type TopicNames, topicNames } from './topics.ts'

export interface KafkaLogOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  /** Number of shards, equal to the partitions of the events and state topics. */
  readonly shards: number
  /** Of a deployment that goes on in new topics; what `ensureDeployment` says. Default: none. */
  readonly bases?: Bases
  /** Consumer group whose offsets follow the shards' positions, for lag tools. Default: prefix + ".worker". */
  readonly groupId?: string
  /** How records are compressed on the way and at rest. Default "none". */
  readonly compression?: KafkaCompression
  /** Largest request of a chunk, bytes; records above it travel alone. Default 524,288: brokers refuse more than about 1 MB. */
  readonly requestBytes?: number
  /** When state is written. Default: all that a chunk changes, in the chunk's own transaction. */
  readonly snapshots?: SnapshotOptions
  /** Stored beside state. Default: that of this build. */
  readonly detectorVersion?: string
  /** Folder for the cache of state slots, with room for all slots of the shards held. Default: the system's temporary folder. */
  readonly cacheDir?: string
  /** Called after each take-over. */
  readonly onAcquired?: (taken: TakeOver) => void
  /** Tests stop the process or fail a call at named points; nothing else uses this. */
  readonly onPoint?: (point: KafkaPoint, shard: number) => void
}

/** The log of a cluster: any number of processes open it, and each shard obeys its latest owner. One partition is one shard. */
export interface KafkaLog extends EventSink, Required<ShardLog> {
  readonly shards: number
  readonly topics: TopicNames
  /** Writes state that is behind the outputs, so that nobody has to compute anything once more. */
  settle(): Promise<void>
  /** Lets shards go that are somebody else's now, without storing anything. */
  release(shards: readonly number[]): Promise<void>
  /** Position behind the newest record of a shard that is read here, as far as this process has heard. */
  end(shard: number): number | undefined
  /** Called with a shard when records of it have arrived: after `read` said that there were none, it is worth asking again. */
  onRecords(listener: (shards: readonly number[]) => void): () => void
  /** Waits for events under way, lets all shards go, disconnects. */
  close(): Promise<void>
}

/** Longest a partition waits to be read while others are idle. The state reader asks nothing while no state is restored. */
const EVENTS_WAIT_MS = 50
const STATE_WAIT_MS = 10

/** Listeners that are told of shards. */
const createSignal = () => {
  const listeners = new Set<(shards: readonly number[]) => void>()
  return {
    tell(shard: number): void {
      for (const listener of listeners) listener([shard])
    },
    on(listener: (shards: readonly number[]) => void): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/**
 * Opens the log. The topics must be there (`ensureTopics`).
 * Errors: TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS, KAFKA_UNREACHABLE.
 */
export const openKafkaLog = async (
  settings: KafkaSettings,
  options: KafkaLogOptions,
  connect: ConnectProducer = connectProducer,
): Promise<KafkaLog> => {
  const closers = createClosers()
  try {
    return await open(settings, options, connect, closers)
  } catch (error) {
    await closers.close().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', 'The log cannot be opened.', error)
  }
}

const open = async (
  settings: KafkaSettings,
  options: KafkaLogOptions,
  connect: ConnectProducer,
  closers: ReturnType<typeof createClosers>,
): Promise<KafkaLog> => {
  const { prefix = 'plumbline', shards, compression = 'none', groupId = `${prefix}.worker` } = options
  const { bases = NO_BASES, onAcquired = () => {}, onPoint = () => {} } = options
  const baseOf = (shard: number): number => eventBase(bases, shard)
  const names = topicNames(prefix)
  const kafka = createKafka(settings)
  const admin = await connectAdmin(kafka, settings)
  closers.add(() => admin.disconnect())
  const partitions = await checkTopics(admin, options)
  const slots = openSlotCache(options.cacheDir)
  closers.add(slots.close)

  const readerOf = async (topic: string, waitMs: number): Promise<PartitionReader> => {
    const reader = await openPartitionReader({ kafka, topic, partitions: shards, waitMs })
    closers.add(reader.close)
    return reader
  }
  const joining = [readerOf(names.state, STATE_WAIT_MS), readerOf(names.events, EVENTS_WAIT_MS)] as const
  // Both are settled before a failure of one is told: closing must find all there is to close.
  await Promise.allSettled(joining)
  const [state, reader] = await Promise.all(joining)
  const arrived = createSignal()
  const events = createEventReader({
    reader,
    bounds: (shard) => boundsOf(admin, names.events, shard),
    baseOf,
    vouched: (shard, position) => owner.passed(shard, position),
    onArrived: arrived.tell,
  })
  const owner = createOwner({
    kafka,
    admin,
    names,
    partitions,
    state,
    slots,
    prefix,
    groupId,
    compression,
    requestBytes: options.requestBytes ?? MAX_REQUEST_BYTES,
    snapshots: options.snapshots,
    detectorVersion: options.detectorVersion ?? DETECTOR_VERSION,
    connect,
    onAcquired,
    baseOf,
    passed: events.passed,
    onDropped: events.close,
    onLost: arrived.tell,
    onPoint,
  })
  closers.add(owner.close)
  const appender = createAppender({ kafka, topic: names.events, shards, compression, baseOf, onAppended: events.noteEnd })
  closers.add(appender.close)
  const read: ShardLog['read'] = async (shard, fromOffset, maxRecords) => {
    owner.checkLost(shard)
    const records = await events.read(shard, fromOffset, maxRecords)
    // Its stream may have been closed meanwhile: nothing more would come, and nobody would hear of it.
    owner.checkLost(shard)
    if (records.length === 0) owner.caughtUp(shard)
    return records
  }
  const { acquire, load, commit, replay, settle, release } = owner
  return {
    shards,
    topics: names,
    append: appender.append,
    read,
    acquire,
    load,
    commit,
    replay,
    settle,
    release,
    end: events.end,
    onRecords: arrived.on,
    close: closers.close,
  }
}
