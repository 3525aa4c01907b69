import type { Alert, AlertCapsule, DeadLetter } from '@plumbline/schemas'

/**
 * One record of a shard's log. Key prefixes: `e:` event (then tenant and identity), `h:` the same as part of a backfill,
 * in the shard of its `e:` form, `c:` control (then its id).
 * `ingestTimeMs` was stamped once when the record entered the log and is the detector's only "now" (contracts C2).
 */
export interface LogRecord {
  readonly offset: number
  readonly ingestTimeMs: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A record on its way into the log; the log assigns offsets, rising per shard. On Kafka a request of the door leaves a gap behind it. */
export interface AppendRecord {
  readonly shard: number
  readonly ingestTimeMs: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A touched state slot. `key` is the 64-bit identity key as 8 bytes; `bytes` are the packed slot. */
export interface SlotWrite {
  readonly key: Uint8Array
  readonly bytes: Uint8Array
}

/** Scored rows of one chunk: already one ClickHouse RowBinary insert block of SCORED_COLUMNS. */
export interface ScoredBlock {
  readonly schemaVersion: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly rows: number
  readonly bytes: Uint8Array
}

/** Everything one chunk of one shard changes. Stored whole or not at all (INV-2, INV-3). */
export interface ChunkCommit {
  readonly shard: number
  /** Position after the last record of the chunk. */
  readonly nextOffset: number
  readonly slots: readonly SlotWrite[]
  /** Small named state of the shard (per tenant: active release, policy), packed. */
  readonly meta: readonly { readonly name: string; readonly bytes: Uint8Array }[]
  readonly scored: ScoredBlock | null
  readonly alerts: readonly Alert[]
  readonly capsules: readonly AlertCapsule[]
  readonly deadLetters: readonly DeadLetter[]
}

/** Where records enter. Resolves with the assigned offsets, in order, once the records survive a crash. */
export interface EventSink {
  append(records: readonly AppendRecord[]): Promise<readonly number[]>
}

/** State of a shard that outlives memory. Synchronous: it is on the path of an event. */
export interface SlotSource {
  /** Copies the packed slot of `key` into `into` and returns its length, or -1 when the identity is unknown. */
  load(shard: number, key: Uint8Array, into: Uint8Array): number
}

/**
 * The log of one deployment as its worker sees it (embedded: one LMDB environment; cluster: Kafka).
 * `commit` is atomic per ChunkCommit: position, state and outbox together. After any error the outcome is unknown:
 * the caller drops what it holds of the shard and calls `acquire` again. Except RECORD_TOO_LARGE: nothing of any chunk was
 * stored, all shards are still held, and smaller chunks may pass.
 */
export interface ShardLog extends SlotSource {
  /**
   * Takes the shard over, settles what a former owner left open, and returns position and named state. With `replayTo` the state
   * is older than the outputs: the chunks up to there are computed once more and given to `replay` instead of `commit`.
   */
  acquire(
    shard: number,
  ): Promise<{ readonly nextOffset: number; readonly replayTo?: number; readonly meta: ReadonlyMap<string, Uint8Array> }>
  /** Records from `fromOffset` on, in order; empty when there are none yet. */
  read(shard: number, fromOffset: number, maxRecords: number): Promise<readonly LogRecord[]>
  commit(commits: readonly ChunkCommit[]): Promise<void>
  /** Takes state of a chunk whose outputs are stored already; they are not put out again. Only where `acquire` asks for it. */
  replay?(commit: ChunkCommit): void
}

/** Release artifacts by id and hash, verified before they are handed out. */
export interface ReleaseSource {
  /** The artifact's bytes, or undefined when it is not here (yet). */
  artifact(releaseId: string, sha256: string): Uint8Array | undefined
}

/**
 * The detector as a worker drives it. Pure: the same records in the same order give the same commits.
 * `process` computes a chunk on provisional state; the caller stores the commit, then calls `settle`.
 * After any failed or unknown commit it calls `forget` and opens the shard again from the log.
 */
export interface ShardProcessor {
  open(shard: number, from: { readonly nextOffset: number; readonly meta: ReadonlyMap<string, Uint8Array> }): void
  process(shard: number, records: readonly LogRecord[]): ChunkCommit
  settle(shard: number): void
  forget(shard: number): void
}
