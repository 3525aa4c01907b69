import type { Admin, Kafka } from 'kafkajs'
import type { KafkaCompression } from './client.ts'
import type { PartitionReader } from './reader.ts'
import type { ConnectProducer, KafkaPoint } from './shard.ts'
import type { SlotCache } from './slots.ts'
import type { SnapshotOptions } from './snapshots.ts'
import type { TopicKind, TopicNames } from './topics.ts'

/** What a take-over found. */
export interface TakeOver {
  readonly shard: number
  readonly nextOffset: number
  /** Where its state ends, at most `nextOffset`: what lies between is computed once more. */
  readonly stateOffset: number
  /** Version of the detector that made the state, where the topic says it; what is computed once more is computed by this build. */
  readonly stateBy: string | null
  /** Offset of the consumer group, -1 without one. Differs from `nextOffset` only when somebody moved it by hand. */
  readonly groupOffset: number
  /** Records and bytes of the state topic that were read, and how long all of it took. */
  readonly records: number
  readonly bytes: number
  readonly tookMs: number
}

export interface OwnerOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: TopicNames
  /** Number of partitions of each topic. */
  readonly partitions: ReadonlyMap<TopicKind, number>
  readonly state: PartitionReader
  readonly slots: SlotCache
  readonly prefix: string
  readonly groupId: string
  readonly compression: KafkaCompression
  readonly requestBytes: number
  readonly snapshots: SnapshotOptions | undefined
  readonly detectorVersion: string
  readonly connect: ConnectProducer
  readonly onAcquired: (taken: TakeOver) => void
  /** What is added to offsets of the events topic to get positions (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Position behind the markers that follow a position; see EventReader. */
  readonly passed: (shard: number, position: number) => number
  /** A shard was dropped or is about to be taken anew. */
  readonly onDropped: (shard: number) => void
  /** A shard was lost while nobody was busy with it: whoever works on it must hear of it. */
  readonly onLost: (shard: number) => void
  readonly onPoint: (point: KafkaPoint, shard: number) => void
}
