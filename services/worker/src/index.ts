export type { WorkerPoint } from './points.ts'
export { countedLog, type Unaccounted, type WorkerMetrics } from './counted-log.ts'
export type { ShardPhase } from './shard.ts'
export { createWorker, type Ownership, type Worker, type WorkerFailure, type WorkerOptions, type WorkerStats } from './worker.ts'
