/** Places where a test may stop the process. */
export type WorkerPoint =
  | 'worker:acquired'
  | 'worker:read'
  | 'worker:processed'
  | 'worker:committing'
  | 'worker:committed'
  | 'worker:settled'
