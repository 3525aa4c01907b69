import type { ChunkCommit, LogRecord, ShardLog, ShardProcessor } from '@plumbline/detector'
import type { ShardState } from './shard.ts'

/** Places where a test may stop the process. */
export type WorkerPoint =
  | 'worker:acquired'
  | 'worker:read'
  | 'worker:processed'
  | 'worker:committing'
  | 'worker:committed'
  | 'worker:settled'

export interface ChunksOptions {
  readonly log: ShardLog
  readonly processor: ShardProcessor
  readonly chunkRecords: number
  readonly chunkMs: number
  /** Queue of shards that may have work. */
  readonly turn: Set<number>
  readonly onPoint: (point: WorkerPoint) => void
}

export interface ChunkCounts {
  readonly records: number
  readonly chunks: number
  /** Time spent in the processor, ms. */
  readonly busyMs: number
  readonly longestChunkMs: number
}

export interface Chunks {
  /** One chunk of one shard, or null when it has nothing to do now. Takes the shard over first where that is needed. */
  advance(state: ShardState): Promise<ChunkCommit | null>
  counts(): ChunkCounts
}

const FIRST_CHUNK = 64
const SMALLEST_CHUNK = 8

export const createChunks = ({ log, processor, chunkRecords, chunkMs, turn, onPoint }: ChunksOptions): Chunks => {
  const counts = { records: 0, chunks: 0, busyMs: 0, longestChunkMs: 0 }
  let size = Math.min(FIRST_CHUNK, chunkRecords)

  const acquire = async (state: ShardState): Promise<void> => {
    const held = await log.acquire(state.shard)
    processor.open(state.shard, held)
    state.next = held.nextOffset
    state.phase = 'held'
    onPoint('worker:acquired')
  }

  /** Keeps the next chunks near `chunkMs`, whatever an event costs on this machine. */
  const adapt = (records: number, tookMs: number): void => {
    const fitting = tookMs <= 0 ? chunkRecords : (records / tookMs) * chunkMs
    size = Math.floor(Math.min(chunkRecords, Math.max(SMALLEST_CHUNK, Math.min(size * 2, fitting))))
  }

  /**
   * A chunk that fails is tried again in halves, so that everything before the record at fault is processed and stored;
   * only a chunk of one record counts as a failure of the shard.
   */
  const processChunk = (state: ShardState, records: readonly LogRecord[]): ChunkCommit | null => {
    try {
      return processor.process(state.shard, records)
    } catch (error) {
      if (records.length === 1) throw error
      processor.forget(state.shard)
      state.phase = 'lost'
      state.limit = records.length >> 1
      turn.add(state.shard)
      return null
    }
  }

  const note = (records: number, tookMs: number): void => {
    adapt(records, tookMs)
    counts.records += records
    counts.chunks++
    counts.busyMs += tookMs
    counts.longestChunkMs = Math.max(counts.longestChunkMs, tookMs)
  }

  return {
    async advance(state) {
      if (state.phase === 'lost') await acquire(state)
      // Out of the queue before looking: records that arrive while reading put the shard back in.
      turn.delete(state.shard)
      const records = await log.read(state.shard, state.next, Math.min(size, state.limit))
      if (records.length === 0) return null
      onPoint('worker:read')
      const begun = performance.now()
      const commit = processChunk(state, records)
      if (commit === null) return null
      note(records.length, performance.now() - begun)
      state.phase = 'storing'
      // At the end of the queue: every other shard gets its turn before this one's next chunk.
      turn.add(state.shard)
      onPoint('worker:processed')
      return commit
    },
    counts: () => ({ ...counts }),
  }
}
