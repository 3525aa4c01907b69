/** Where one shard stands with its worker. */
export type ShardPhase =
  /** Not held; the next turn acquires it. */
  | 'lost'
  /** Held; `next` is the position of the next record to process. */
  | 'held'
  /** Its chunk is being stored. */
  | 'storing'
  /** Stopped on purpose until an operator acts, like a release this build cannot run. */
  | 'stopped'

export interface ShardState {
  readonly shard: number
  phase: ShardPhase
  next: number
  /** Most records of the next chunk; small after a chunk that failed, then growing again. */
  limit: number
  /** Failures since the last stored chunk. */
  failures: number
  /** Not before this time, ms of the monotonic clock. */
  retryAt: number
  /** Code and message of the last failure; cleared by the next stored chunk. */
  error: { readonly code: string; readonly message: string } | null
}

export const newShard = (shard: number): ShardState => ({
  shard,
  phase: 'lost',
  next: 0,
  limit: Number.POSITIVE_INFINITY,
  failures: 0,
  retryAt: 0,
  error: null,
})

const BACKOFF_FIRST_MS = 50
const BACKOFF_LAST_MS = 10_000

/** Codes that end a shard until somebody acts; trying again cannot help and going on would be wrong. */
const STOPPING = new Set([
  'RELEASE_UNSUPPORTED',
  'RECORDS_TRIMMED',
  'SLOT_VERSION_UNSUPPORTED',
  'LOG_SHORTER_THAN_POSITION',
  'STATE_RECORD_UNKNOWN',
])

const describe = (error: unknown): { code: string; message: string } => {
  const code = (error as { code?: unknown } | null)?.code
  return { code: typeof code === 'string' ? code : 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) }
}

/** Notes a failure: the shard is lost and tried again later, or stopped. */
export const failShard = (state: ShardState, error: unknown, nowMs: number): void => {
  state.error = describe(error)
  state.failures++
  state.phase = STOPPING.has(state.error.code) ? 'stopped' : 'lost'
  state.retryAt = nowMs + Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(state.failures - 1, 10))
}
