export { createWorker, type Worker, type WorkerOptions, type WorkerPoint, type WorkerStats } from './worker.ts'
export type { ShardPhase } from './shard.ts'
