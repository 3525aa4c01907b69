import type { Erasable, ErasureResult } from '@plumbline/recorder'

/** What door, page and trainer know of the recorder: one in this process, or those of a cluster. */
export interface Recording {
  /** Resolves when everything that was in the outbox at this moment is stored. */
  drained(): Promise<void>
  /** See Recorder. */
  erase(what: Erasable): Promise<ErasureResult>
  state(): RecordingState
}

interface RecordingState {
  /** What is in the way, in words; null while nothing is. */
  readonly problem: string | null
  /** Rows of every kind that are not in ClickHouse yet. */
  readonly lagRows: number
  /** Rows stored since this process started; null where other processes store and count them. */
  readonly rows: number | null
}

/** A recording that comes and goes with the store. */
export interface StartedRecording extends Recording {
  start(): Promise<void>
  stop(): Promise<void>
}
