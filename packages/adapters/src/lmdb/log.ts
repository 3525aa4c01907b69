import { mkdirSync } from 'node:fs'
import type { ChunkCommit, DeploymentLog, KeyValue, LogRecord, ShardLog } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { MAX_SHARDS, SHARD_STATE, decodeRecord, eventKey, offsetOf, shardKey, slotKeyInto } from './codec.ts'
import { SLOT_KEY_BYTES, type StoreChunks, storeTogether } from './commit.ts'
import { type Environment, checkVersion, kvKey, logId, masterKey, openTables } from './environment.ts'
import { type TenantOwnership, type TenantRemoval, iterateSlots, removeTenant, trimEvents } from './housekeeping.ts'
import { ingestOp, publishJson, purgeIdempotencyOp } from './ingest.ts'
import { claimInProcess, takeOwnership } from './lock.ts'
import { type EmbeddedOutbox, createOutbox } from './outbox.ts'
import { type Heads, createHeads } from './staging.ts'
import { type WritePoint, type Writer, createWriter } from './writer.ts'

export interface EmbeddedLogOptions {
  /** Folder of the log; created when absent. One process at a time. */
  readonly dir: string
  /** Number of shards, fixed when the folder is created (contracts C1). Default 64. */
  readonly shards?: number
  /** Wall clock for the time of storing, ms since epoch. */
  readonly now?: () => number
  /** Tests stop the process at named points of a write; nothing else uses this. */
  readonly onPoint?: (point: WritePoint) => void
}

/** How many of each were removed. */
export interface Maintenance {
  readonly events: number
  readonly outboxEntries: number
  readonly idempotencyKeys: number
}

/** The embedded log: events, state, position and outbox of all shards in one LMDB environment. */
export interface EmbeddedLog extends DeploymentLog, ShardLog {
  /** 32 random bytes made once for this data folder; tenant hash keys are derived from it. */
  readonly masterKey: Uint8Array
  /** Names this data folder's log for ever; a new folder is another log. */
  readonly id: string
  readonly outbox: EmbeddedOutbox
  /** Position after the last durable record of the shard, and the position of its last commit. */
  head(shard: number): { readonly next: number; readonly position: number; readonly first: number }
  /** Called after each durable write with the shards that got records. */
  onRecords(listener: (shards: readonly number[]) => void): () => void
  slots(shard?: number): Iterable<{ readonly shard: number; readonly key: Uint8Array; readonly bytes: Uint8Array }>
  /** Removes processed events that were stored before `beforeMs` (ms since epoch), whatever arrival they are stamped with. Returns how many went. */
  trimEvents(beforeMs: number, floor?: (shard: number) => number): Promise<number>
  /** Forgets Idempotency-Keys whose 24 hours are over. Returns how many went. */
  purgeIdempotency(nowMs: number): Promise<number>
  /** Removes what the predicates claim for a tenant; see TenantOwnership. */
  removeTenant(owns: TenantOwnership): Promise<TenantRemoval>
  /** What has to be done every few minutes: retention, passed outbox entries, old Idempotency-Keys. `keepEventsMs` in ms. */
  maintain(options: {
    readonly nowMs: number
    readonly keepEventsMs: number
    readonly floor?: (shard: number) => number
  }): Promise<Maintenance>
  /** Waits for what is under way, then gives the folder free. */
  close(): Promise<void>
}

/**
 * Opens the log of a data folder. Errors: DATA_DIR_LOCKED, STORE_TOO_NEW, SHARDS_FIXED, MASTER_KEY_MISSING, MASTER_KEY_WRONG.
 */
export const openEmbeddedLog = async (options: EmbeddedLogOptions, storeChunks: StoreChunks = storeTogether): Promise<EmbeddedLog> => {
  const { dir, shards = 64, now = Date.now, onPoint = () => {} } = options
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_SHARDS)
    throw new PlumblineError('SHARDS_INVALID', `The number of shards must be 1 to ${MAX_SHARDS}.`)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const leave = claimInProcess(dir)
  let env: Environment | undefined
  let release = (): void => {}
  try {
    env = openTables(dir)
    release = takeOwnership(dir, env)
    await checkVersion(env, shards)
    const key = await masterKey(dir, env)
    const id = await logId(env)
    const heads = createHeads(env, shards)
    const writer = createWriter(env, heads, onPoint)
    const tables = env
    return assemble(tables, heads, writer, storeChunks, { id, masterKey: key }, now, async () => {
      await writer.close()
      release()
      await tables.root.close()
      leave()
    })
  } catch (error) {
    if ((error as PlumblineError).code !== 'DATA_DIR_LOCKED') release()
    await env?.root.close()
    leave()
    throw error
  }
}

const purgeAll = async (env: Environment, writer: Writer, nowMs: number): Promise<number> => {
  const limit = 2_000
  let total = 0
  for (let last = limit; last === limit; total += last) last = await writer.run(purgeIdempotencyOp(env, nowMs, limit))
  return total
}

const assemble = (
  env: Environment,
  heads: Heads,
  writer: Writer,
  storeChunks: StoreChunks,
  names: { readonly id: string; readonly masterKey: Uint8Array },
  now: () => number,
  close: () => Promise<void>,
): EmbeddedLog => {
  const outbox = createOutbox(env, heads, writer)
  return {
    shards: heads.shards,
    ...names,
    outbox,
    kv: createKeyValue(env, writer),
    ...eventSide(env, heads, writer, now),
    ...workerSide(env, heads, writer, storeChunks),
    publish: (topic, values) =>
      writer.run({
        bytes: values.length * 1024,
        apply() {
          for (const value of values) publishJson(heads, topic, 0, 0, value)
        },
      }),
    trimEvents: (beforeMs, floor) => trimEvents(env, heads, writer, beforeMs, floor),
    purgeIdempotency: (nowMs) => purgeAll(env, writer, nowMs),
    maintain: async ({ nowMs, keepEventsMs, floor }) => ({
      events: await trimEvents(env, heads, writer, nowMs - keepEventsMs, floor),
      outboxEntries: await outbox.trim(),
      idempotencyKeys: await purgeAll(env, writer, nowMs),
    }),
    removeTenant: (owns) => removeTenant(env, heads, writer, owns),
    slots: (shard) => iterateSlots(env, shard),
    close,
  }
}

const eventSide = (
  env: Environment,
  heads: Heads,
  writer: Writer,
  now: () => number,
): Pick<EmbeddedLog, 'append' | 'ingest' | 'head' | 'onRecords'> => ({
  append: async (records) => (records.length === 0 ? [] : (await writer.run(ingestOp(env, heads, { records }, now))).offsets),
  ingest: (batch) => writer.run(ingestOp(env, heads, batch, now)),
  head: (shard) => ({ next: heads.next(shard), position: heads.position(shard), first: heads.first(shard) }),
  onRecords: (listener) => heads.onGrown((shards) => shards.length > 0 && listener(shards)),
})

const workerSide = (env: Environment, heads: Heads, writer: Writer, storeChunks: StoreChunks): ShardLog => {
  const lookup = Buffer.alloc(2 + SLOT_KEY_BYTES)
  return {
    load(shard, key, into) {
      const found = env.slots.getBinaryFast(slotKeyInto(lookup, shard, key))
      if (found === undefined) return -1
      // The buffer is LMDB's reused one: longer than the value, valid until the next read.
      const length = found.length
      if (length > into.length) throw new PlumblineError('SLOT_TOO_LARGE', `A slot of ${length} bytes does not fit into ${into.length}.`)
      found.copy(into, 0, 0, length)
      return length
    },
    async acquire(shard) {
      // A commit whose outcome the caller does not know is still in this process: once the queue is empty it is settled.
      await writer.idle()
      const meta = new Map<string, Uint8Array>()
      const range = { start: shardKey(shard, SHARD_STATE), end: shardKey(shard, SHARD_STATE + 1) }
      for (const { key, value } of env.shards.getRange(range)) meta.set(key.subarray(3).toString(), value)
      return { nextOffset: heads.position(shard), meta }
    },
    async read(shard, fromOffset, maxRecords) {
      const end = heads.next(shard)
      if (fromOffset >= end) return []
      if (fromOffset < heads.first(shard)) {
        throw new PlumblineError(
          'RECORDS_TRIMMED',
          `Shard ${shard} starts at ${heads.first(shard)}; records from ${fromOffset} on were removed by retention.`,
        )
      }
      const records: LogRecord[] = []
      for (const { key, value } of env.events.getRange({
        start: eventKey(shard, fromOffset),
        end: eventKey(shard, end),
        limit: maxRecords,
      })) {
        records.push(decodeRecord(offsetOf(key), value))
      }
      return records
    },
    commit: (commits: readonly ChunkCommit[]) => storeChunks(env, heads, writer, commits),
  }
}

const createKeyValue = (env: Environment, writer: Writer): KeyValue => {
  const stored = (name: string): Buffer => kvKey(`kv:${name}`)
  return {
    get: (name) => env.kv.get(stored(name)),
    list: (prefix) =>
      [...env.kv.getKeys({ start: stored(prefix), end: stored(`${prefix}\uffff`) })]
        .map((key) => key.toString())
        .filter((key) => key.startsWith(`kv:${prefix}`))
        .map((key) => key.slice(3)),
    put: (values) =>
      writer.run({
        bytes: Object.values(values).reduce((sum, value) => sum + (value?.length ?? 0), 0),
        apply() {
          for (const [name, value] of Object.entries(values)) {
            if (value === null) env.kv.removeSync(stored(name))
            else env.kv.putSync(stored(name), Buffer.from(value))
          }
        },
      }),
  }
}
