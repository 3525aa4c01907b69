export type { WorkerPoint } from './chunks.ts'
export { countedLog, type Unaccounted, type WorkerMetrics } from './counted-log.ts'
export type { ShardPhase } from './shard.ts'
export { createWorker, type Worker, type WorkerOptions, type WorkerStats } from './worker.ts'
