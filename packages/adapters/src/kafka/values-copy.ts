import type { ReadRecord } from './record.ts'
import { putOf, readValue } from './values-codec.ts'

/** Named values as their topics have them, in memory. */
export interface ValuesCopy {
  get(name: string): Uint8Array | undefined
  list(prefix: string): readonly string[]
  /** In how many parts the value is stored; 0 when it is one record or not there. */
  partsOf(name: string): number
  /** Records in the order of their topic. */
  take(messages: readonly ReadRecord[]): void
  /** From now on a put is taken as a whole; before, while the copy is filled, record by record. */
  goLive(): void
  /** Called with the names that changed. */
  onChange(listener: (names: readonly string[]) => void): () => void
  close(): void
}

/**
 * So long a copy waits for the rest of a put. What does not come was compacted away: there is a newer value of the same name
 * behind it.
 */
const REST_MS = 10_000

interface Parts {
  readonly of: string
  readonly pieces: Map<number, Buffer>
}
interface Pending {
  readonly messages: ReadRecord[]
  readonly timer: NodeJS.Timeout
}

export const createValuesCopy = (): ValuesCopy => {
  const values = new Map<string, { readonly bytes: Uint8Array; readonly parts: number }>()
  /** Offset of the record that decided a name, also where that removed it: each name has one topic. */
  const decided = new Map<string, number>()
  const parts = new Map<string, Parts>()
  const pending = new Map<string, Pending>()
  /** Records of a put that came while the copy was filled; the rest of it may come later. */
  const early = new Map<string, number>()
  const listeners = new Set<(names: readonly string[]) => void>()
  let live = false

  const keepPart = (name: string, of: string, index: number, bytes: Buffer | null): void => {
    if (bytes === null) return
    let own = parts.get(name)
    if (own?.of !== of) parts.set(name, (own = { of, pieces: new Map() }))
    own.pieces.set(index, Buffer.from(bytes))
  }

  const joined = (name: string, of: string, count: number): Buffer | undefined => {
    const own = parts.get(name)
    if (own?.of !== of || own.pieces.size < count) return undefined
    parts.delete(name)
    return Buffer.concat(Array.from({ length: count }, (_, i) => own.pieces.get(i)!))
  }

  /** Takes one record in; the name, when its value is another one now. */
  const apply = (message: ReadRecord): string | undefined => {
    const record = readValue(message)
    if (record === undefined) return undefined
    const { name, of } = record
    const { offset } = message
    if (offset <= (decided.get(name) ?? -1)) return undefined
    if (record.kind === 'part') {
      keepPart(name, of, record.index, record.bytes)
      return undefined
    }
    decided.set(name, offset)
    if (record.bytes === null) return values.delete(name) ? name : undefined
    // Copied: the bytes are a piece of a whole fetch, which would stay in memory with them.
    const bytes = record.parts === 0 ? Buffer.from(record.bytes) : joined(name, of, record.parts)
    if (bytes === undefined) return undefined
    values.set(name, { bytes, parts: record.parts })
    return name
  }

  const applyAll = (messages: readonly ReadRecord[]): void => {
    const changed = new Set(messages.map((message) => apply(message)).filter((name) => name !== undefined))
    if (changed.size > 0) for (const listener of listeners) listener([...changed])
  }

  const settle = (put: string): void => {
    const whole = pending.get(put)
    if (whole === undefined) return
    clearTimeout(whole.timer)
    pending.delete(put)
    applyAll(whole.messages)
  }

  const takeLive = (message: ReadRecord): void => {
    const put = putOf(message)
    if (put === undefined) return applyAll([message])
    let own = pending.get(put.name)
    if (own === undefined) pending.set(put.name, (own = { messages: [], timer: setTimeout(() => settle(put.name), REST_MS) }))
    own.messages.push(message)
    if (own.messages.length + (early.get(put.name) ?? 0) === put.count) settle(put.name)
  }

  const takeEarly = (messages: readonly ReadRecord[]): void => {
    for (const put of messages.map((message) => putOf(message)?.name)) if (put !== undefined) early.set(put, (early.get(put) ?? 0) + 1)
    applyAll(messages)
  }

  return {
    get: (name) => values.get(name)?.bytes,
    list: (prefix) => [...values.keys()].filter((name) => name.startsWith(prefix)).sort(),
    partsOf: (name) => values.get(name)?.parts ?? 0,
    take(messages) {
      if (live) for (const message of messages) takeLive(message)
      else takeEarly(messages)
    },
    goLive() {
      live = true
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      for (const { timer } of pending.values()) clearTimeout(timer)
      pending.clear()
    },
  }
}
