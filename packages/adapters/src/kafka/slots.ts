import { PlumblineError } from '@plumbline/schemas'
import { openScratch } from './scratch.ts'

/** Bytes of an identity's key, in commits and in the state topic. */
export const SLOT_KEY_BYTES = 8

/**
 * State slots of the shards this process holds, rebuilt from the state topic at every take-over: a cache on disk that nobody
 * else reads and no crash must leave whole. Memory is the operating system's page cache, so it is bounded by what is free.
 */
export interface SlotCache {
  /** Forgets a shard; in steps, so that other work gets its turn. */
  clear(shard: number): Promise<void>
  /** null removes. */
  put(shard: number, slots: readonly { readonly key: Uint8Array; readonly bytes: Uint8Array | null }[]): void
  /** See SlotSource. */
  load(shard: number, key: Uint8Array, into: Uint8Array): number
  close(): Promise<void>
}

const CLEAR_STEP = 2_000

const keyInto = (into: Buffer, shard: number, key: Uint8Array): Buffer => {
  into.writeUInt16BE(shard, 0)
  into.set(key, 2)
  return into
}
const keyOf = (shard: number, key: Uint8Array): Buffer => keyInto(Buffer.allocUnsafe(2 + SLOT_KEY_BYTES), shard, key)

export const openSlotCache = (parent?: string): SlotCache => {
  const { env, close } = openScratch('slots', parent)
  const lookup = Buffer.alloc(2 + SLOT_KEY_BYTES)

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
      while (clearStep(shard) === CLEAR_STEP) await new Promise((resolve) => setImmediate(resolve))
    },
    put(shard, slots) {
      if (slots.length === 0) return
      env.transactionSync(() => {
        for (const { key, bytes } of slots) {
          if (bytes === null) env.removeSync(keyOf(shard, key))
          else env.putSync(keyOf(shard, key), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
        }
      })
    },
    load(shard, key, into) {
      const found = env.getBinaryFast(keyInto(lookup, shard, key))
      if (found === undefined) return -1
      // The buffer is LMDB's reused one: longer than the value, valid until the next read.
      const length = found.length
      if (length > into.length) throw new PlumblineError('SLOT_TOO_LARGE', `A slot of ${length} bytes does not fit into ${into.length}.`)
      found.copy(into, 0, 0, length)
      return length
    },
    close,
  }
}
