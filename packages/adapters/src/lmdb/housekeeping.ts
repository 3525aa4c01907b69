import { SHARD_FIRST, SHARD_POSITION, SHARD_STATE, eventKey, storedTimeOf, offsetOf, shardKey, shardOf, decodeRecord } from './codec.ts'
import type { Environment } from './environment.ts'
import { type Heads, writeShardHead } from './staging.ts'
import type { Writer } from './writer.ts'

const STEP = 2_000

/** Removes processed events that were stored before `beforeMs`, oldest first, never past `floor` of a shard. Returns how many went. */
export const trimEvents = async (
  env: Environment,
  heads: Heads,
  writer: Writer,
  beforeMs: number,
  floor?: (shard: number) => number,
): Promise<number> => {
  let removed = 0
  for (let shard = 0; shard < heads.shards; shard++) {
    let step: number
    do {
      step = await writer.run({ bytes: 0, apply: () => trimStep(env, heads, shard, beforeMs, floor) })
      removed += step
    } while (step === STEP)
  }
  return removed
}

const trimStep = (env: Environment, heads: Heads, shard: number, beforeMs: number, floor?: (shard: number) => number): number => {
  const head = heads.stagedShard(shard)
  const end = Math.min(head.position, floor?.(shard) ?? head.position)
  const keys: Buffer[] = []
  for (const { key, value } of env.events.getRange({ start: eventKey(shard, head.first), end: eventKey(shard, end), limit: STEP })) {
    if (storedTimeOf(value) >= beforeMs) break
    keys.push(key)
  }
  if (keys.length === 0) return 0
  for (const key of keys) env.events.removeSync(key)
  head.first = offsetOf(keys.at(-1)!) + 1
  writeShardHead(env, shard, SHARD_FIRST, head.first)
  return keys.length
}

/**
 * Says which stored things belong to the tenant being removed; only the detector knows how it names them. All records are
 * asked for first, so that `record` can collect the identities whose slots `slot` then claims.
 */
export interface TenantOwnership {
  readonly record: (key: Uint8Array, value: Uint8Array, offset: number) => boolean
  readonly slot: (key: Uint8Array, bytes: Uint8Array) => boolean
  readonly state: (name: string) => boolean
  readonly kv?: (name: string) => boolean
}

export interface TenantRemoval {
  readonly events: number
  readonly slots: number
  readonly states: number
}

/** Removes keys in steps, each its own transaction, so that other writers get their turn. */
const removeWhere = async (
  writer: Writer,
  table: {
    getRange(o: { start?: Buffer; limit: number; exclusiveStart?: boolean }): Iterable<{ key: Buffer; value: Buffer }>
    removeSync(key: Buffer): unknown
  },
  belongs: (key: Buffer, value: Buffer) => boolean,
): Promise<number> => {
  let removed = 0
  let after: Buffer | undefined
  for (;;) {
    const seen = await writer.run({
      bytes: 0,
      apply() {
        const rows = [...table.getRange(after === undefined ? { limit: STEP } : { start: after, exclusiveStart: true, limit: STEP })]
        const own = rows.filter(({ key, value }) => belongs(key, value))
        for (const { key } of own) table.removeSync(key)
        return { count: rows.length, removed: own.length, last: rows.at(-1)?.key }
      },
    })
    removed += seen.removed
    if (seen.count < STEP || seen.last === undefined) return removed
    after = seen.last
  }
}

/**
 * Removes everything a tenant left in the log: records, slots, named state. Offsets of other tenants do not move.
 * The tenant must be idle: stop the worker, call `forget` on the detector, then start again; not so where only processed
 * records go. What still is in the outbox goes to ClickHouse first and is removed there by the recorder's erasure.
 */
export const removeTenant = async (env: Environment, heads: Heads, writer: Writer, owns: TenantOwnership): Promise<TenantRemoval> => {
  const events = await removeWhere(writer, env.events, (key, value) => {
    const record = decodeRecord(offsetOf(key), value)
    return owns.record(record.key, record.value, record.offset)
  })
  const slots = await removeWhere(writer, env.slots, (key, value) => owns.slot(key.subarray(2), value))
  const states = await removeWhere(writer, env.shards, (key) => key[2] === SHARD_STATE && owns.state(key.subarray(3).toString()))
  const ownKv = owns.kv
  if (ownKv !== undefined) await removeWhere(writer, env.kv, (key) => key.toString().startsWith('kv:') && ownKv(key.toString().slice(3)))
  await passGaps(env, heads, writer)
  return { events, slots, states }
}

/** Records that were removed before they were processed will never come: positions move on to the next one that is there. */
const passGaps = (env: Environment, heads: Heads, writer: Writer): Promise<void> =>
  writer.run({
    bytes: 0,
    apply() {
      for (let shard = 0; shard < heads.shards; shard++) {
        if (heads.position(shard) >= heads.next(shard)) continue
        const head = heads.stagedShard(shard)
        const [key] = env.events.getKeys({ start: eventKey(shard, head.position), end: eventKey(shard, head.next), limit: 1 })
        const there = key === undefined ? head.next : offsetOf(key)
        if (there === head.position) continue
        head.position = there
        writeShardHead(env, shard, SHARD_POSITION, there)
      }
    },
  })

/** All slots of a shard, or of all shards, in key order. Iterates over a snapshot; copy what is kept. */
export function* iterateSlots(env: Environment, shard?: number): Generator<{ shard: number; key: Uint8Array; bytes: Uint8Array }> {
  const range =
    shard === undefined
      ? {}
      : { start: shardKey(shard, 0).subarray(0, 2), end: shard === 65_535 ? Buffer.alloc(11, 255) : shardKey(shard + 1, 0).subarray(0, 2) }
  for (const { key, value } of env.slots.getRange({ ...range, snapshot: true }))
    yield { shard: shardOf(key), key: key.subarray(2), bytes: value }
}
