import { PlumblineError } from '@plumbline/schemas'
import { openScratch } from './scratch.ts'

/** Bytes of an identity's key, in commits and in the state topic. */
export const SLOT_KEY_BYTES = 8

export interface CachedSlot {
  readonly key: Uint8Array
  /** null: removed. */
  readonly bytes: Uint8Array | null
}

/**
 * State slots of the shards this process holds, rebuilt from the state topic at every take-over: a cache on disk that nobody
 * else reads and no crash must leave whole. Memory is the operating system's page cache, so it is bounded by what is free; what
 * was written last is kept here, because most of it is written again before long: with the next chunk of its shard.
 */
export interface SlotCache {
  /** Forgets a shard; in steps, so that other work gets its turn. */
  clear(shard: number): Promise<void>
  /** What a chunk has changed. The bytes are kept as they are: nobody may change them after. */
  put(shard: number, slots: readonly CachedSlot[]): void
  /** What a take-over reads: straight to disk, because the bytes are pieces of whole fetches. */
  fill(shard: number, slots: readonly CachedSlot[]): void
  /** See SlotSource. */
  load(shard: number, key: Uint8Array, into: Uint8Array): number
  close(): Promise<void>
}

const CLEAR_STEP = 2_000

/** Of what was written last: beyond it the oldest goes to disk, some at a time. */
const RECENT_BYTES = 16 * 1024 * 1024
const RECENT_STEP = 256
/** What an entry takes besides the slot, about. */
const OVERHEAD = 150

/** Four letters of 16 bits that stand for a key: cheaper to make than any other name for it. */
export const nameOfKey = (key: Uint8Array): string =>
  String.fromCharCode((key[0]! << 8) | key[1]!, (key[2]! << 8) | key[3]!, (key[4]! << 8) | key[5]!, (key[6]! << 8) | key[7]!)
const nameOf = (shard: number, key: Uint8Array): string => String.fromCharCode(shard) + nameOfKey(key)

interface Recent extends CachedSlot {
  readonly shard: number
}
const sizeOf = ({ bytes }: Recent): number => OVERHEAD + (bytes?.length ?? 0)

const keyInto = (into: Buffer, shard: number, key: Uint8Array): Buffer => {
  into.writeUInt16BE(shard, 0)
  into.set(key, 2)
  return into
}
const keyOf = (shard: number, key: Uint8Array): Buffer => keyInto(Buffer.allocUnsafe(2 + SLOT_KEY_BYTES), shard, key)

export const openSlotCache = (parent?: string): SlotCache => {
  const { env, close } = openScratch('slots', parent)
  const lookup = Buffer.alloc(2 + SLOT_KEY_BYTES)
  /** By name, the one written longest ago first. */
  const recent = new Map<string, Recent>()
  let recentBytes = 0

  const forget = (name: string): void => {
    const known = recent.get(name)
    if (known === undefined) return
    recent.delete(name)
    recentBytes -= sizeOf(known)
  }

  const write = (shard: number, { key, bytes }: CachedSlot): void => {
    if (bytes === null) env.removeSync(keyOf(shard, key))
    else env.putSync(keyOf(shard, key), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  }

  const oldestToDisk = (): void =>
    env.transactionSync(() => {
      let left = RECENT_STEP
      for (const [name, one] of recent) {
        if (left-- === 0) break
        write(one.shard, one)
        forget(name)
      }
    })

  const clearStep = (shard: number): number => {
    const start = keyOf(shard, Buffer.alloc(SLOT_KEY_BYTES))
    const end = Buffer.alloc(3 + SLOT_KEY_BYTES, 255)
    end.writeUInt16BE(shard, 0)
    const keys = [...env.getKeys({ start, end, limit: CLEAR_STEP })]
    env.transactionSync(() => {
      for (const key of keys) env.removeSync(key)
    })
    return keys.length
  }

  return {
    async clear(shard) {
      for (const [name, one] of recent) if (one.shard === shard) forget(name)
      while (clearStep(shard) === CLEAR_STEP) await new Promise((resolve) => setImmediate(resolve))
    },
    put(shard, slots) {
      for (const { key, bytes } of slots) {
        const name = nameOf(shard, key)
        const one = { shard, key, bytes }
        forget(name)
        recent.set(name, one)
        recentBytes += sizeOf(one)
      }
      while (recentBytes > RECENT_BYTES) oldestToDisk()
    },
    fill(shard, slots) {
      if (slots.length === 0) return
      env.transactionSync(() => {
        for (const slot of slots) {
          forget(nameOf(shard, slot.key))
          write(shard, slot)
        }
      })
    },
    load(shard, key, into) {
      const known = recent.get(nameOf(shard, key))
      // On disk the buffer is LMDB's reused one: longer than the value, valid until the next read.
      const found = known === undefined ? env.getBinaryFast(keyInto(lookup, shard, key)) : known.bytes
      if (found === undefined || found === null) return -1
      const length = found.length
      if (length > into.length) throw new PlumblineError('SLOT_TOO_LARGE', `A slot of ${length} bytes does not fit into ${into.length}.`)
      if (known === undefined) (found as Buffer).copy(into, 0, 0, length)
      else into.set(found)
      return length
    },
    close,
  }
}
