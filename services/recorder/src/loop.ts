import { OutboxTrimmed } from '@plumbline/schemas'
import type { LaneRecorder } from './lane.ts'
import { LANE_LOST } from './ownership.ts'

/** What is in the way of a lane. */
export interface LaneError {
  readonly code: string
  readonly message: string
  /** Trying again cannot help: somebody must act. */
  readonly stopped: boolean
}

export interface LoopOptions {
  readonly maxBackoffMs: number
  readonly acceptGaps: boolean
  readonly onGap: (gap: OutboxTrimmed) => void
  readonly onRows: (rows: number) => void
  /** The position has moved, or is known. */
  readonly onProgress: () => void
  readonly onError: (error: LaneError) => void
  /** How long to wait for a bigger block. */
  readonly lingerMs: () => number
  /** Whether there is more than this process has stored, as far as it knows. */
  readonly behind: () => boolean
  /** Called when everything is stored. */
  readonly onIdle: () => Promise<void>
  /** When that is to be called again, ms; null: after the next rows. */
  readonly dueMs: () => number | null
}

/** Runs one lane until it is stopped. */
export interface LaneLoop {
  readonly lane: LaneRecorder
  error(): LaneError | null
  /** There may be something to do; not while a failure is waited out. */
  wake(): void
  /** Ends the wait for a bigger block. */
  hurry(): void
  /** Finishes the block under way. */
  stop(): Promise<void>
}

const FIRST_BACKOFF_MS = 50
/** A lane that another recorder has is left alone for so long: the group of recorders tells meanwhile whose it is. */
const LOST_MS = 5_000
/** After so long without rows ClickHouse is told how far the lane is, also where the last entries were others'. */
const MARK_MS = 2_000

const toError = (error: unknown): LaneError => {
  const { code, retryable } = error as { code?: unknown; retryable?: unknown }
  const message = error instanceof Error ? error.message : String(error)
  const known = typeof code === 'string'
  return { code: known ? code : 'UNEXPECTED', message, stopped: known && retryable === false }
}

export const startLoop = (lane: LaneRecorder, options: LoopOptions): LaneLoop => {
  const { maxBackoffMs, acceptGaps, onGap, onRows, onProgress, onError, lingerMs, behind, onIdle, dueMs } = options
  let running = true
  let failures = 0
  let error: LaneError | null = null
  let wake: (() => void) | null = null
  /** Something has come since the last look: what comes while the lane is at work must not be slept through. */
  let news = false
  let hurry: (() => void) | null = null

  const wait = (ms: number | null, hold: (end: (() => void) | null) => void): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        hold(null)
        resolve()
      }
      const timer = ms === null ? undefined : setTimeout(end, ms)
      hold(end)
    })
  const pause = (ms: number | null): Promise<void> => wait(ms, (end) => (wake = end))
  const linger = (ms: number): Promise<void> => wait(ms, (end) => (hurry = end))

  const succeed = (): void => {
    failures = 0
    error = null
  }

  let markedAt = Number.NEGATIVE_INFINITY
  const idle = async (since: number): Promise<void> => {
    // Once in a while however much of others' passes by: each mark is a part in ClickHouse.
    if (!lane.marked() && performance.now() - Math.max(since, markedAt) >= MARK_MS) {
      await lane.mark()
      markedAt = performance.now()
    }
    await onIdle()
    if (running && !news && !behind()) await pause(lane.marked() ? dueMs() : MARK_MS)
  }

  const turn = async (since: number): Promise<boolean> => {
    news = false
    const rows = await lane.step()
    succeed()
    onProgress()
    if (rows === 0) {
      await idle(since)
      return false
    }
    onRows(rows)
    const ms = lingerMs()
    if (running && ms > 0) await linger(ms)
    return true
  }

  const fail = async (cause: unknown): Promise<void> => {
    error = toError(cause)
    failures++
    onError(error)
    if (!running) return
    const backoff = Math.min(maxBackoffMs, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10))
    await pause(error.stopped ? null : error.code === LANE_LOST ? LOST_MS : backoff)
  }

  const run = async (): Promise<void> => {
    let resumed = false
    let since = performance.now()
    while (running) {
      try {
        if (!resumed) await lane.resume()
        if (!resumed) onProgress()
        resumed = true
        if (await turn(since)) since = performance.now()
      } catch (cause) {
        // The outcome of the last block is unknown: read the position again and send the same range again.
        resumed = false
        if (acceptGaps && cause instanceof OutboxTrimmed) {
          onGap(cause)
          await lane.skipTo(cause.firstThere).catch(fail)
        } else await fail(cause)
      }
    }
    // So that nobody takes what was only passed for missing; a store that is away learns it from the next recorder.
    if (resumed) await lane.mark().catch(() => {})
  }
  const done = run()

  return {
    lane,
    error: () => error,
    wake: () => {
      news = true
      if (failures === 0) wake?.()
    },
    hurry: () => hurry?.(),
    async stop() {
      running = false
      wake?.()
      hurry?.()
      await done
    },
  }
}
