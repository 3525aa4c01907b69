import type { DeadLetter, OutboxEntry, Topic, TopicRecord } from '@plumbline/schemas'
import type { AppendRecord, EventSink, LogRecord } from './ports.ts'

/** Small named values that must survive: versions, artifacts, policies. Reads are synchronous, of a copy in this process. */
export interface KeyValue {
  get(name: string): Uint8Array | undefined
  list(prefix: string): readonly string[]
  /** All of them or none; `null` removes. Resolves when they survive a crash and `get` gives them. */
  put(values: Readonly<Record<string, Uint8Array | null>>): Promise<void>
}

/** Rows of topics that no detector writes. */
export type OutboxRows = { readonly [T in 'feedback' | 'releases' | 'audit' | 'incidents']?: readonly TopicRecord[T][] }

/** One request of a sender, or one act of a service: stored whole or not at all. */
export interface IngestBatch {
  readonly records: readonly AppendRecord[]
  /** What the door refused of the same request. */
  readonly deadLetters?: readonly DeadLetter[]
  readonly idempotency?: {
    readonly tenant: string
    readonly key: string
    /** SHA-256 of what the request says, 32 bytes: the same key with another one is a conflict. Absent: never compared. */
    readonly fingerprint?: Uint8Array
    /** Stored and given back for a repeated request. */
    readonly answer: Uint8Array
    readonly nowMs: number
  }
  /** What is told of it, stored in the same transaction. */
  readonly rows?: OutboxRows
  /** Named values (see KeyValue) stored in the same transaction: how far a feed is, with what it fed. */
  readonly values?: Readonly<Record<string, Uint8Array>>
}

export interface IngestResult {
  /** Assigned offsets in the order of the records; empty when the request was a repetition. */
  readonly offsets: readonly number[]
  /** The first answer to this Idempotency-Key, when there was one within 24 hours. */
  readonly repeated?: Uint8Array
  /** The key was used for a request with another fingerprint within 24 hours: nothing was stored. */
  readonly conflict?: true
}

/** How far a consumer is behind. Rows are an estimate where only entries are known. */
export interface OutboxLag {
  readonly entries: number
  readonly rows: number
}

/**
 * What recorder and forwarders read. A topic has one or more lanes, each in an order of its own; only `scored` may have more
 * than one, so that alerts, and what is decided of them, have one order for everybody. Only what survives a crash is ever seen.
 */
export interface Outbox {
  /** Number of lanes of the topic; lanes are 0 to n − 1. */
  lanes(topic: Topic): number
  /**
   * Entries after sequence `after`, in order, up to about `maxBytes` (at least one when there is one) and up to `through`. On Kafka
   * perhaps fewer than there are: what has come so far. Errors: OUTBOX_TRIMMED.
   */
  read(topic: Topic, after: number, maxBytes: number, through?: number, lane?: number): Promise<readonly OutboxEntry[]>
  /** Called when entries of the topics have come. */
  onEntries(listener: (topics: readonly Topic[]) => void): () => void
  /** Sequence of the newest entry that this process knows of. */
  head(topic: Topic, lane?: number): number
  /** Sequence of the newest entry, asked for now. */
  end(topic: Topic, lane?: number): Promise<number>
  lag(topic: Topic, after: number, lane?: number): OutboxLag
  /**
   * Sequence up to which nothing follows `after`, as far as this process has read: a consumer at `after` is done up to there.
   * On Kafka that passes records of others, transaction markers and aborted records, and so reaches `end`.
   */
  passed(topic: Topic, after: number, lane?: number): number
  /** The lane is not read here for now: drops what was read ahead. */
  leave(topic: Topic, lane?: number): void
  /** Makes a named consumer known: where entries go once they are passed, they stay until every known consumer has passed them. */
  register(consumer: string, topics: readonly Topic[]): Promise<void>
  /** Sequence up to which the consumer is done; 0 for a new one. */
  cursor(consumer: string, topic: Topic, lane?: number): Promise<number>
  advance(consumer: string, topic: Topic, sequence: number, lane?: number): Promise<void>
}

/** The log of one deployment as its services see it: the embedded one, or Kafka. Scoring sees a ShardLog. */
export interface DeploymentLog extends EventSink {
  /** Names this deployment's log for ever. */
  readonly id: string
  readonly shards: number
  /** 32 secret bytes of the deployment; tenants' hash keys are derived from it. */
  readonly masterKey: Uint8Array
  readonly kv: KeyValue
  readonly outbox: Outbox
  /** Stores a request's records, refused lines, values and Idempotency-Key together; resolves when they survive a crash. */
  ingest(batch: IngestBatch): Promise<IngestResult>
  /** Appends JSON rows that are no detector output (verdicts, releases, audit) to a topic; resolves when they survive a crash. */
  publish<T extends Topic>(topic: T, values: readonly TopicRecord[T][]): Promise<void>
  /** See ShardLog. */
  read(shard: number, fromOffset: number, maxRecords: number): Promise<readonly LogRecord[]>
  /**
   * Position after the newest record of the shard, position up to which it is scored, and of its oldest record. On Kafka as of
   * about a second ago.
   */
  head(shard: number): { readonly next: number; readonly position: number; readonly first: number }
  close(): Promise<void>
}
