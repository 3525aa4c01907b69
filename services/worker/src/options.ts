import type { ShardLog, ShardProcessor } from '@plumbline/detector'
import type { ChunkCounts } from './chunks.ts'
import type { WorkerPoint } from './points.ts'
import type { ShardPhase } from './shard.ts'

/** How shards are shared out where there are several workers. */
export interface Ownership {
  /** Whether the shard is this worker's, asked for now: two that both took it for their own would fence each other for ever. */
  owns(shard: number): Promise<boolean>
  /** Lets a shard of somebody else go, storing nothing. */
  release(shards: readonly number[]): Promise<void>
}

export interface WorkerOptions {
  readonly log: ShardLog
  readonly processor: ShardProcessor
  /** Shards this worker owns from the start on; `assign` changes them. */
  readonly shards: readonly number[]
  /** Without it, the shards are this worker's alone. */
  readonly ownership?: Ownership
  /** Most records of one shard in one chunk. Default 1,000. */
  readonly chunkRecords?: number
  /** Target for the time one chunk keeps the event loop, ms. Default 10: with one chunk under way HTTP stays within 20. */
  readonly chunkMs?: number
  /** Most chunks stored in one commit. Default 16; 1 where the log stores each shard by itself. */
  readonly chunksPerCommit?: number
  /** Most commits under way at once. Default 1; chunks are computed meanwhile. */
  readonly commitsAtOnce?: number
  /** Most shards that are read at once or whose records wait. Default 1. */
  readonly readAhead?: number
  /** Most shards taken over at once, beside the work on others. Default 4. */
  readonly takeOvers?: number
  /** Tells of shards that got records; returns how to stop. Without it the log is asked every `pollMs`. */
  readonly onRecords?: (listener: (shards: readonly number[]) => void) => () => void
  /** Default 50 ms; only used without `onRecords`. */
  readonly pollMs?: number
  readonly onPoint?: (point: WorkerPoint) => void
  /** Called for each chunk that was processed. */
  readonly onChunk?: (chunk: { readonly shard: number; readonly records: number; readonly tookMs: number }) => void
  /** Called for each failure; the worker goes on by itself. */
  readonly onFailure?: (failure: WorkerFailure) => void
}

export interface WorkerFailure {
  readonly shards: readonly number[]
  readonly code: string
  readonly message: string
  readonly stopped: boolean
}

export interface WorkerStats extends ChunkCounts {
  readonly commits: number
  readonly failures: number
  readonly shards: readonly { readonly shard: number; readonly phase: ShardPhase; readonly next: number; readonly error: string | null }[]
}

/** Moves records of its shards through the detector into the outbox, exactly once in effect (INV-3). */
export interface Worker {
  start(): void
  /** Finishes the commits under way and begins nothing more; what is known of the shards stays to be asked for. */
  finish(): Promise<void>
  /** The same, then lets all shards go. */
  stop(): Promise<void>
  /** These shards are this worker's from now on and no others; resolves when those that went are let go. */
  assign(shards: readonly number[]): Promise<void>
  /** Resolves when every shard that is not stopped has processed and stored all its records. */
  drained(): Promise<void>
  /** Tries a shard again that was stopped, or that waits before its next try, after the cause was removed. */
  resume(shard: number): void
  stats(): WorkerStats
}
