import { randomUUID } from 'node:crypto'
import type { KeyValue } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'

export const LANE_LOST = 'LANE_LOST'

/** A block that was begun: the same entries go out again after any crash. */
export interface Intent {
  readonly from: number
  readonly to: number
  /** Deciding state before and after the block; only for alerts. */
  readonly before?: unknown
  readonly after?: unknown
}

/** From taking a lane until the block of the former owner is copied; null: it had begun none. */
interface Heir {
  readonly heirOf: string | null
}

/**
 * Who has a lane, and which block the owner has begun. Each time a lane is taken the owner writes under a name of its own, so that
 * one who was paused, and has not heard that the lane is another's, writes over nothing that the next owner goes on from.
 */
export interface Ownership {
  /** Takes the lane, or makes sure that it is still ours. Error: LANE_LOST. */
  hold(): Promise<void>
  /** After a value of our own: that is behind everything written before, so the copy of this process is as new as that. */
  check(): void
  intent(): Intent | null
  /** Error: LANE_LOST, when nothing may be sent any more. */
  begin(intent: Intent): Promise<void>
}

const text = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : Buffer.from(value).toString())
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

/** `owner`: name of this recorder among several; null: it is the only one. */
export const createOwnership = (kv: KeyValue, lane: string, owner: string | null): Ownership => {
  const [alone, ownerKey, lookKey] = [`recorder:intent:${lane}`, `recorder:owner:${lane}`, `recorder:look:${lane}`]
  const keyOf = (claim: string): string => `${alone}:${claim}`
  /** Our name on the lane, from when we took it until we see another's there. */
  let claim: string | null = null

  const check = (): void => {
    if (owner === null || (claim !== null && text(kv.get(ownerKey)) === claim)) return
    claim = null
    throw new PlumblineError(LANE_LOST, `Another recorder has taken lane ${lane}.`, { retryable: true })
  }

  /** The block that `name` began or goes on from, and the keys that lead there; an older build wrote all in one place. */
  const follow = (name: string): { readonly intent: Intent | null; readonly keys: readonly string[] } => {
    const keys: string[] = []
    for (let at: string | null = name; at !== null; ) {
      const written = text(kv.get(keyOf(at)))
      if (written === undefined) break
      keys.push(keyOf(at))
      const found = JSON.parse(written) as Intent | Heir
      if (!('heirOf' in found)) return { intent: found, keys }
      at = found.heirOf
      if (at === null) return { intent: null, keys }
    }
    const written = text(kv.get(alone))
    return written === undefined ? { intent: null, keys } : { intent: JSON.parse(written) as Intent, keys: [...keys, alone] }
  }

  const take = async (): Promise<void> => {
    // Behind this the copy here knows of every owner so far.
    await kv.put({ [lookKey]: Buffer.from(String(owner)) })
    const heirOf = text(kv.get(ownerKey)) ?? ''
    const name = `${owner}/${randomUUID()}`
    await kv.put({ [ownerKey]: Buffer.from(name), [keyOf(name)]: bytes({ heirOf } satisfies Heir) })
    claim = name
    check()
    // Behind our name on the lane: what the former one begins now, it does not send.
    const { intent, keys } = follow(name)
    const old = Object.fromEntries(keys.map((key) => [key, null]))
    await kv.put({ ...old, [keyOf(name)]: bytes(intent ?? ({ heirOf: null } satisfies Heir)) })
  }

  const intentNow = (): Intent | null => {
    if (claim !== null) return follow(claim).intent
    const written = text(kv.get(alone))
    return written === undefined ? null : (JSON.parse(written) as Intent)
  }

  return {
    check,
    async hold() {
      if (owner === null) return
      // One that was paused for long, and has not heard that its lanes are another's, must not take them back.
      if (claim === null) await take()
      else await kv.put({ [lookKey]: Buffer.from(owner) })
      check()
    },
    intent: intentNow,
    async begin(intent) {
      check()
      await kv.put({ [claim === null ? alone : keyOf(claim)]: bytes(intent) })
      check()
    },
  }
}
