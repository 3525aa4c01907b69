import type { ChunkCommit, LogRecord, ShardProcessor } from '@plumbline/detector'
import { type ShardState, halveShard, isNotHeld } from './shard.ts'

export interface ChunksOptions {
  readonly processor: ShardProcessor
  readonly chunkRecords: number
  readonly chunkMs: number
  /** Queue of shards that may have work. */
  readonly turn: Set<number>
  readonly onChunk: (chunk: { readonly shard: number; readonly records: number; readonly tookMs: number }) => void
}

export interface ChunkCounts {
  readonly records: number
  readonly chunks: number
  /** Time spent in the processor, ms. */
  readonly busyMs: number
  readonly longestChunkMs: number
}

export interface Chunks {
  /** How many records the next chunk of a shard should have at most. */
  sizeFor(state: ShardState): number
  /** The chunk of these records, or null when it failed and is tried again in a smaller one. */
  process(state: ShardState, records: readonly LogRecord[]): ChunkCommit | null
  counts(): ChunkCounts
}

const FIRST_CHUNK = 64
const SMALLEST_CHUNK = 8

export const createChunks = ({ processor, chunkRecords, chunkMs, turn, onChunk }: ChunksOptions): Chunks => {
  const counts = { records: 0, chunks: 0, busyMs: 0, longestChunkMs: 0 }
  let size = Math.min(FIRST_CHUNK, chunkRecords)

  /** Keeps the next chunks near `chunkMs`, whatever an event costs on this machine. */
  const adapt = (records: number, tookMs: number): void => {
    const fitting = tookMs <= 0 ? chunkRecords : (records / tookMs) * chunkMs
    size = Math.floor(Math.min(chunkRecords, Math.max(SMALLEST_CHUNK, Math.min(size * 2, fitting))))
  }

  /**
   * A chunk that fails is tried again in halves, so that everything before the record at fault is processed and stored;
   * only a chunk of one record counts as a failure of the shard.
   */
  const attempt = (state: ShardState, records: readonly LogRecord[]): ChunkCommit | null => {
    try {
      return processor.process(state.shard, records)
    } catch (error) {
      if (records.length === 1 || isNotHeld(error)) throw error
      processor.forget(state.shard)
      halveShard(state, records.length)
      turn.add(state.shard)
      return null
    }
  }

  return {
    sizeFor: (state) => Math.min(size, state.limit),
    process(state, records) {
      const begun = performance.now()
      const commit = attempt(state, records)
      if (commit === null) return null
      const tookMs = performance.now() - begun
      adapt(records.length, tookMs)
      counts.records += records.length
      counts.chunks++
      counts.busyMs += tookMs
      counts.longestChunkMs = Math.max(counts.longestChunkMs, tookMs)
      onChunk({ shard: state.shard, records: records.length, tookMs })
      return commit
    },
    counts: () => ({ ...counts }),
  }
}
