import { PlumblineError } from '@plumbline/schemas'
import type { Producer } from 'kafkajs'
import { isFenced } from './client.ts'
import type { ShardSnapshot } from './snapshots.ts'

/** A shard that is held here. */
export interface Held {
  readonly producer: Producer
  readonly state: ShardSnapshot
  position: number
  /** The group's offset. */
  told: number
  /** Up to here only markers follow the position, as the state topic says. */
  passed: number
  telling: Promise<void> | null
  storing: boolean
}

/** The shards that this process holds, and why it does not hold others any more. */
export interface HeldShards {
  get(shard: number): Held | undefined
  /** Whether this hold is still the one that counts. */
  is(shard: number, owner: Held): boolean
  entries(): readonly (readonly [number, Held])[]
  hold(shard: number, owner: Held): void
  /** Lets go, whatever is there; its producer leaves. */
  drop(shard: number): void
  /** The producer of an idle shard cannot be used any more: whoever works on the shard is told to take it anew, or that it has another owner. */
  lose(shard: number, owner: Held, cause: unknown): void
  /** A shard was lost while nobody was busy with it: the error says why, until it is taken over or let go. */
  lost(shard: number): PlumblineError | undefined
  forgetLost(shard: number): void
  /** What to throw for a shard that is not held. */
  notHeld(shard: number): PlumblineError
  /** A producer disconnects behind everybody's back; `left` waits for all that do. */
  leave(producer: Producer): void
  left(): Promise<void>
}

export const createHeldShards = (options: {
  readonly onDropped: (shard: number) => void
  readonly onLost: (shard: number) => void
}): HeldShards => {
  const held = new Map<number, Held>()
  const lost = new Map<number, PlumblineError>()
  const leaving = new Set<Promise<void>>()

  const leave = (producer: Producer): void => {
    const left = producer
      .disconnect()
      .catch(() => {})
      .then(() => void leaving.delete(left))
    leaving.add(left)
  }

  const drop = (shard: number): void => {
    const owner = held.get(shard)
    held.delete(shard)
    if (owner !== undefined) leave(owner.producer)
    options.onDropped(shard)
  }

  return {
    get: (shard) => held.get(shard),
    is: (shard, owner) => held.get(shard) === owner,
    entries: () => [...held],
    hold: (shard, owner) => void held.set(shard, owner),
    drop,
    lose(shard, owner, cause) {
      if (held.get(shard) !== owner) return
      drop(shard)
      const fenced = isFenced(cause) || (cause as { code?: unknown } | null)?.code === 'SHARD_FENCED'
      const message = fenced ? `Shard ${shard} has another owner now.` : `Shard ${shard} was lost while it was idle. Acquire it again.`
      lost.set(shard, new PlumblineError(fenced ? 'SHARD_FENCED' : 'SHARD_NOT_HELD', message, { retryable: true, cause }))
      options.onLost(shard)
    },
    lost: (shard) => lost.get(shard),
    forgetLost: (shard) => void lost.delete(shard),
    notHeld: (shard) =>
      lost.get(shard) ?? new PlumblineError('SHARD_NOT_HELD', `Shard ${shard} is not held here. Acquire it first.`, { retryable: true }),
    leave,
    left: async () => void (await Promise.all(leaving)),
  }
}
