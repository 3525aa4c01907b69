import type { DeploymentLog } from '@plumbline/detector'
import type { Admin, Kafka } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { type KafkaCompression, type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { createClosers } from './closers.ts'
import { ensureDeployment } from './deployment-value.ts'
import { type Door, openDoor } from './door.ts'
import { type EventReader, createEventReader } from './events.ts'
import { eventBase, shiftOutbox } from './bases.ts'
import { boundsOf } from './bounds.ts'
import { openHeads } from './heads.ts'
import { type KafkaOutbox, createKafkaOutbox } from './outbox.ts'
import { openPartitionReader } from './reader.ts'
import { type SlotPlace, readStateSlots } from './state-slots.ts'
import { checkTopics } from './topic-check.ts'
import { type TopicNames, topicNames } from './topics.ts'
import type { TransactionPoint } from './transactor.ts'
import { type KafkaValues, openKafkaValues } from './values.ts'

export interface KafkaDeploymentOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  readonly shards: number
  /** 32 secret bytes of the deployment; the topics know a proof of it. */
  readonly masterKey: Uint8Array
  /**
   * Name of this process's door: what it stores is stored under the transactional id `<prefix>.door-<door>`. Whoever opens the
   * same door later takes it from the former one, with everything that one left open, and knows its Idempotency-Keys; two that
   * use one at the same time are exact but slow. Processes that serve different senders have doors of their own.
   */
  readonly door: string
  /** Consumer group of the workers. Default: prefix + ".worker". */
  readonly groupId?: string
  /** How records are compressed on the way and at rest. Default "none". */
  readonly compression?: KafkaCompression
  /** Folder for what this process keeps on disk for its own life. Default: the system's temporary folder. */
  readonly cacheDir?: string
  /** How long a request waits for brokers that are away before it is refused, ms. Default 25,000. */
  readonly waitMs?: number
  /** Tests stop the process or fail a call of the door at named points; nothing else uses this. */
  readonly onPoint?: (point: TransactionPoint) => void
}

/** A deployment on Kafka, for everybody but its workers (they have a KafkaLog). */
export interface KafkaDeployment extends DeploymentLog {
  readonly kv: KafkaValues
  readonly outbox: KafkaOutbox
  readonly topics: TopicNames
  /** Asks for ends and positions now; `head` is as of then. Error: KAFKA_UNREACHABLE. */
  refreshHeads(): Promise<void>
  /** When the brokers answered for `head` last, ms since epoch. */
  headsAsOfMs(): number
  /** Slots of identities from the state topic, for whoever owns no shard; those that are not there are left out. */
  readSlots(places: readonly SlotPlace[]): Promise<readonly Uint8Array[]>
}

/** Readers of events are asked for rarely here, and by few: for the page, erasures and the trainer. */
const EVENTS_WAIT_MS = 100

interface Opened {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: TopicNames
  readonly closers: ReturnType<typeof createClosers>
}

/**
 * Opens a deployment. The topics must be there (`ensureTopics`); the first who opens it decides shards and master key.
 * Errors: TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS, SHARDS_FIXED, MASTER_KEY_WRONG, KAFKA_UNREACHABLE.
 */
export const openKafkaDeployment = async (settings: KafkaSettings, options: KafkaDeploymentOptions): Promise<KafkaDeployment> => {
  const kafka = createKafka(settings)
  const closers = createClosers()
  try {
    const admin = await connectAdmin(kafka, settings)
    closers.add(() => admin.disconnect())
    return await open(settings, options, { kafka, admin, names: topicNames(options.prefix), closers })
  } catch (error) {
    await closers.close().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', 'The deployment cannot be opened.', error)
  }
}

const open = async (settings: KafkaSettings, options: KafkaDeploymentOptions, parts: Opened): Promise<KafkaDeployment> => {
  const { prefix = 'plumbline', shards, masterKey, groupId = `${prefix}.worker`, compression = 'none', door: name, ...rest } = options
  const { kafka, admin, names, closers } = parts
  const partitions = await checkTopics(admin, options)
  const kv = await openKafkaValues(settings, { prefix, compression })
  closers.add(kv.close)
  const { id, bases } = await ensureDeployment(kv, { shards, masterKey })
  const baseOf = (shard: number): number => eventBase(bases, shard)
  const heads = await openHeads({ admin, topic: names.events, groupId, shards, baseOf })
  closers.add(async () => heads.close())
  const events = createLazyEvents(parts, shards, baseOf)
  closers.add(events.close)
  const outbox = shiftOutbox(createKafkaOutbox({ kafka, admin, names, partitions, prefix }), bases.outbox)
  closers.add(outbox.close)
  const door: Door = await openDoor({
    kafka,
    admin,
    names,
    shards,
    compression,
    values: kv,
    transactionalId: `${prefix}.door-${name}`,
    ...rest,
    baseOf,
    onAppended(shard, end) {
      heads.noteEnd(shard, end)
      events.noteEnd(shard, end)
    },
  })
  closers.add(door.close)
  return {
    id,
    shards,
    masterKey,
    kv,
    outbox,
    topics: names,
    ingest: door.ingest,
    publish: door.publish,
    append: async (records) => (await door.ingest({ records })).offsets,
    read: events.read,
    head: heads.head,
    refreshHeads: heads.refresh,
    headsAsOfMs: heads.asOfMs,
    readSlots: (places) => readStateSlots(settings, { prefix, shards }, places),
    close: closers.close,
  }
}

/** Events by position, from a reader that joins when somebody asks for the first. */
const createLazyEvents = ({ kafka, admin, names }: Opened, shards: number, baseOf: (shard: number) => number) => {
  let opening: Promise<{ readonly events: EventReader; close(): Promise<void> }> | undefined
  let opened: EventReader | undefined
  const join = async () => {
    const reader = await openPartitionReader({ kafka, topic: names.events, partitions: shards, waitMs: EVENTS_WAIT_MS })
    opened = createEventReader({ reader, bounds: (shard) => boundsOf(admin, names.events, shard), baseOf, onArrived: () => {} })
    return { events: opened, close: reader.close }
  }
  return {
    read: async (...args: Parameters<EventReader['read']>): ReturnType<EventReader['read']> => {
      opening ??= join()
      opening.catch(() => {
        opening = undefined
      })
      return (await opening).events.read(...args)
    },
    noteEnd: (shard: number, end: number): void => opened?.noteEnd(shard, end),
    async close(): Promise<void> {
      await (await opening?.catch(() => undefined))?.close()
    },
  }
}
