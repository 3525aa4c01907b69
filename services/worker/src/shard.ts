import type { ChunkCommit } from '@plumbline/detector'

/** Where one shard stands with its worker. */
export type ShardPhase =
  /** Not held; the next turn takes it over. */
  | 'lost'
  /** Being taken over: its state is restored. */
  | 'acquiring'
  /** Held in the log; `next` is the position of the next record to process. */
  | 'held'
  /** Records are being read, or wait to be processed. */
  | 'reading'
  /** Its chunk is processed, or being stored. */
  | 'storing'
  /** Stopped on purpose until an operator acts, like a release this build cannot run. */
  | 'stopped'

export interface ShardState {
  readonly shard: number
  phase: ShardPhase
  next: number
  /** Outputs are stored up to here: what lies before is computed once more and put out by nobody. */
  replayTo: number
  /** Named state as it is stored, while the shard is held. */
  meta: Map<string, Uint8Array>
  /** The processor has the state as of `next`. */
  opened: boolean
  /** Most records of the next chunk; small after a chunk that failed, then growing again. */
  limit: number
  /** Failures since the last stored chunk. */
  failures: number
  /** Not before this time, ms of the monotonic clock. */
  retryAt: number
  /** Code and message of the last failure; cleared by the next stored chunk. */
  error: { readonly code: string; readonly message: string } | null
  /** Another owner was met: it is taken over again only once it is known to be still ours. */
  fenced: boolean
  /** It is being taken over, read or stored right now. */
  busy: boolean
  /** No longer this worker's: whoever is busy with it drops what it has, then it is let go. */
  gone: boolean
}

export const newShard = (shard: number): ShardState => ({
  shard,
  phase: 'lost',
  next: 0,
  replayTo: 0,
  meta: new Map(),
  opened: false,
  limit: Number.POSITIVE_INFINITY,
  failures: 0,
  retryAt: 0,
  error: null,
  fenced: false,
  busy: false,
  gone: false,
})

const BACKOFF_FIRST_MS = 50
const BACKOFF_LAST_MS = 10_000

/** Codes that end a shard until somebody acts, unless the error says that trying again may help; going on would be wrong. */
const STOPPING = new Set([
  'RELEASE_UNSUPPORTED',
  'RECORDS_TRIMMED',
  'STATE_VERSION',
  'LOG_SHORTER_THAN_POSITION',
  'STATE_RECORD_UNKNOWN',
  'STATE_MISSING',
  // Of a chunk of one record: it cannot get smaller.
  'RECORD_TOO_LARGE',
])

const describe = (error: unknown): { code: string; message: string } => {
  const code = (error as { code?: unknown } | null)?.code
  return { code: typeof code === 'string' ? code : 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) }
}

const endsShard = (error: unknown, code: string): boolean =>
  STOPPING.has(code) && (error as { retryable?: unknown } | null)?.retryable !== true

/** The log does not hold the shard any more, whoever noticed it. */
const NOT_HELD = new Set(['SHARD_NOT_HELD', 'SHARD_FENCED'])
export const isNotHeld = (error: unknown): boolean => NOT_HELD.has(describe(error).code)

/** The log takes no record of this size; nothing was stored, and the shard is still held. */
export const isTooLarge = (error: unknown): boolean => describe(error).code === 'RECORD_TOO_LARGE'

/** The chunk of so many records is tried again in a half of it. */
export const halveShard = (state: ShardState, records: number): void => {
  state.opened = false
  state.phase = 'held'
  state.limit = records >> 1
}

/**
 * Notes a failure: the shard is tried again later, or stopped. It is lost when what is stored, or whose it is, is in doubt;
 * after a failure to read or to process it is still held.
 */
export const failShard = (state: ShardState, error: unknown, from: 'ownership' | 'work', nowMs: number): void => {
  state.error = describe(error)
  state.failures++
  state.phase = endsShard(error, state.error.code) ? 'stopped' : from === 'work' && !isNotHeld(error) ? 'held' : 'lost'
  state.fenced ||= state.error.code === 'SHARD_FENCED'
  state.retryAt = nowMs + Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(state.failures - 1, 10))
}

export const isReplaying = ({ next, replayTo }: ShardState): boolean => next < replayTo

/** Notes that its chunk is stored, or replayed. */
export const settleShard = (state: ShardState, { nextOffset, meta }: ChunkCommit): void => {
  state.next = nextOffset
  for (const { name, bytes } of meta) state.meta.set(name, bytes)
  state.phase = 'held'
  state.failures = 0
  state.limit *= 2
  state.error = null
}
