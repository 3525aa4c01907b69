import { PlumblineError } from '@plumbline/schemas'
import type { Environment } from './environment.ts'

/** What a piece of work is, for the names of its points. */
export type WriteKind = 'append' | 'commit' | 'other'

/** Places in a write where a test may stop the process. */
export type WritePoint = `${WriteKind}:${'begin' | 'inside' | 'flushing' | 'durable'}`

/**
 * One piece of work in a group commit. `check` refuses this piece alone and must not write; `apply` writes, and a throw
 * takes back the whole transaction; `after` runs once everything is on disk.
 */
export interface WriteOp<T> {
  readonly kind?: WriteKind
  readonly bytes: number
  check?(): void
  apply(): T
}

interface Pending {
  readonly op: WriteOp<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Group state that is provisional while a transaction is open. */
export interface Staged {
  begin(): void
  merge(): void
  discard(): void
}

/** LMDB gives the reason of a failed commit as a rejecting promise beside the error. */
const reasonOf = async (cause: unknown): Promise<string> => {
  try {
    await (cause as { commitError?: Promise<never> }).commitError
    return cause instanceof Error ? cause.message : String(cause)
  } catch (reason) {
    return reason instanceof Error ? reason.message : String(reason)
  }
}

const MAX_BYTES = 8 * 1024 * 1024
const MAX_OPS = 512

export interface Writer {
  run<T>(op: WriteOp<T>): Promise<T>
  /** Resolves when nothing is queued or under way. */
  idle(): Promise<void>
  close(): Promise<void>
}

/**
 * All writes of the log go through one queue: whatever waits while a transaction is being flushed shares the next one.
 * One transaction at a time, so a failed one leaves no later one behind it and offsets stay without gaps.
 */
export const createWriter = (env: Environment, staged: Staged, onPoint: (point: WritePoint) => void): Writer => {
  let queue: Pending[] = []
  let running: Promise<void> | null = null
  let closed = false

  const take = (): Pending[] => {
    let bytes = 0
    let n = 0
    while (n < queue.length && n < MAX_OPS && (n === 0 || bytes + queue[n]!.op.bytes <= MAX_BYTES)) bytes += queue[n++]!.op.bytes
    const batch = queue.slice(0, n)
    queue = queue.slice(n)
    return batch
  }

  const writeBatch = async (batch: readonly Pending[]): Promise<void> => {
    const accepted: { pending: Pending; value: unknown }[] = []
    const kinds = new Set(batch.map(({ op }) => op.kind ?? 'other'))
    const passed = (place: 'begin' | 'flushing' | 'durable'): void => {
      for (const kind of kinds) onPoint(`${kind}:${place}`)
    }
    passed('begin')
    try {
      await env.root.childTransaction(() => {
        staged.begin()
        for (const pending of batch) {
          try {
            pending.op.check?.()
          } catch (error) {
            pending.reject(error)
            continue
          }
          accepted.push({ pending, value: pending.op.apply() })
          onPoint(`${pending.op.kind ?? 'other'}:inside`)
        }
        setImmediate(() => passed('flushing'))
      })
    } catch (cause) {
      staged.discard()
      const error = new PlumblineError(
        'STORE_WRITE_FAILED',
        `The data folder could not be written: ${await reasonOf(cause)}. Check free space and permissions.`,
        {
          retryable: true,
          cause,
        },
      )
      for (const { reject } of batch) reject(error)
      return
    }
    staged.merge()
    passed('durable')
    for (const { pending, value } of accepted) pending.resolve(value)
  }

  const drain = async (): Promise<void> => {
    // One turn of waiting lets every caller of this turn into the same transaction.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (queue.length > 0) await writeBatch(take())
    running = null
  }

  return {
    run<T>(op: WriteOp<T>): Promise<T> {
      if (closed) return Promise.reject(new PlumblineError('STORE_CLOSED', 'The data folder is closed.'))
      return new Promise<T>((resolve, reject) => {
        queue.push({ op, resolve: resolve as (value: unknown) => void, reject })
        running ??= drain()
      })
    },
    async idle() {
      while (running !== null) await running
    },
    async close() {
      closed = true
      while (running !== null) await running
    },
  }
}
