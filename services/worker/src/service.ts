export { startWorkerService, type WorkerHooks, type WorkerService } from './compose.ts'
export { loadWorkerConfig, WorkerConfig } from './config.ts'
