import type { SlotSource } from '../ports.ts'
import { H, SLOT_BYTES, SLOT_VERSION } from './layout.ts'
import { packSlot, unpackSlot } from './pack.ts'

/** Typed views over one block of slots. Functions get a segment and a byte offset inside it. */
export interface Segment {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly f32: Float32Array
  readonly f64: Float64Array
}

const SEGMENT_SHIFT = 12
const SEGMENT_SLOTS = 1 << SEGMENT_SHIFT
const NONE = -1

/** Low half of a key as the table knows it: the same identity in another shard is another entry (INV-1). */
const inShard = (shard: number, lo: number): number => (lo ^ Math.imul(shard, 0x9e3779b1)) >>> 0

const newSegment = (): Segment => {
  const buffer = new ArrayBuffer(SEGMENT_SLOTS * SLOT_BYTES)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
}

/**
 * Resident slots of all shards of one process: at most `capacity`, the rest waits in the SlotSource.
 * A slot touched since the last commit stays until it is settled, so eviction never loses anything (INV-6).
 */
export class Slots {
  readonly capacity: number
  /** Slots thrown out and slots brought back, for metrics. */
  evictions = 0
  loads = 0
  #source: SlotSource
  #segments: Segment[] = []
  #used = 0
  #free: number[] = []
  /** Places beyond the cap, used only while everything resident was touched since the last commit. */
  #spare: number[] = []
  #shard: Uint32Array
  /** 0 clean and not recently used, 1 recently used, 2 touched since the last commit. */
  #state: Uint8Array
  #hand = 0
  #mask: number
  #keyLo: Uint32Array
  #keyHi: Uint32Array
  #place: Int32Array
  #packed = new Uint8Array(SLOT_BYTES * 2)
  #key = new Uint8Array(8)
  #keyView = new DataView(this.#key.buffer)

  constructor(capacity: number, source: SlotSource) {
    this.capacity = Math.max(64, capacity)
    this.#source = source
    this.#shard = new Uint32Array(this.capacity)
    this.#state = new Uint8Array(this.capacity)
    let size = 1024
    while (size < this.capacity * 2) size *= 2
    this.#mask = size - 1
    this.#keyLo = new Uint32Array(size)
    this.#keyHi = new Uint32Array(size)
    this.#place = new Int32Array(size).fill(NONE)
  }

  get resident(): number {
    return this.#used - this.#free.length - this.#spare.length
  }

  segment(slot: number): Segment {
    return this.#segments[slot >> SEGMENT_SHIFT]!
  }

  base(slot: number): number {
    return (slot & (SEGMENT_SLOTS - 1)) * SLOT_BYTES
  }

  /** The resident slot of a key, brought in or made when it is not here. Marks it as touched. */
  touch(shard: number, lo: number, hi: number, dirty: number[]): number {
    let at = this.#find(inShard(shard, lo), hi)
    if (at === NONE) at = this.#bringIn(shard, lo, hi)
    if (this.#state[at] !== 2) {
      this.#state[at] = 2
      dirty.push(at)
    }
    return at
  }

  /** Makes the slot of `to` a copy of the slot of `from` unless `to` has one. Returns the copy's slot, else -1. */
  copyOnFirstUse(shard: number, fromLo: number, fromHi: number, toLo: number, toHi: number, dirty: number[]): number {
    if (this.known(shard, toLo, toHi)) return NONE
    const known = this.known(shard, fromLo, fromHi)
    const from = known ? this.touch(shard, fromLo, fromHi, dirty) : NONE
    const to = this.touch(shard, toLo, toHi, dirty)
    if (from === NONE) return NONE
    const base = this.base(from)
    const target = this.base(to)
    const seg = this.segment(to)
    seg.u8.set(this.segment(from).u8.subarray(base, base + SLOT_BYTES), target)
    seg.u32[(target + H.keyLo) >> 2] = toLo
    seg.u32[(target + H.keyHi) >> 2] = toHi
    return to
  }

  /** The resident slot of a key without touching it, or -1. */
  peek(lo: number, hi: number, shard = 0): number {
    return this.#find(inShard(shard, lo), hi)
  }

  /** Whether the identity is known, here or in the source. */
  known(shard: number, lo: number, hi: number): boolean {
    return this.peek(lo, hi, shard) !== NONE || this.#read(shard, lo, hi) > 0
  }

  pack(slot: number): Uint8Array {
    return packSlot(this.segment(slot), this.base(slot))
  }

  keyOf(slot: number): Uint8Array {
    const base = this.base(slot)
    return this.segment(slot).u8.slice(base + H.keyLo, base + H.keyLo + 8)
  }

  settle(dirty: readonly number[]): void {
    for (const slot of dirty) {
      if (slot < this.capacity) this.#state[slot] = 1
      else {
        this.#drop(slot)
        this.evictions++
      }
    }
  }

  /** Drops all resident slots of a shard, touched or not. */
  forget(shard: number): void {
    for (let slot = 0; slot < this.#used; slot++) if (this.#shard[slot] === shard + 1) this.#drop(slot)
  }

  #find(lo: number, hi: number): number {
    const mask = this.#mask
    const keyLo = this.#keyLo
    const keyHi = this.#keyHi
    const place = this.#place
    for (let i = (lo ^ (hi << 7)) & mask; ; i = (i + 1) & mask) {
      const slot = place[i]!
      if (slot === NONE) return NONE
      if (keyLo[i] === lo && keyHi[i] === hi) return slot
    }
  }

  #read(shard: number, lo: number, hi: number): number {
    this.#keyView.setUint32(0, lo, true)
    this.#keyView.setUint32(4, hi, true)
    return this.#source.load(shard, this.#key, this.#packed)
  }

  #bringIn(shard: number, lo: number, hi: number): number {
    const slot = this.#allocate()
    const seg = this.segment(slot)
    const base = this.base(slot)
    try {
      this.#fill(shard, lo, hi, seg, base)
    } catch (error) {
      this.#release(slot)
      throw error
    }
    seg.u32[(base + H.keyLo) >> 2] = lo
    seg.u32[(base + H.keyHi) >> 2] = hi
    this.#shard[slot] = shard + 1
    this.#insert(inShard(shard, lo), hi, slot)
    return slot
  }

  /** The stored slot, else an empty one. */
  #fill(shard: number, lo: number, hi: number, seg: Segment, base: number): void {
    const length = this.#read(shard, lo, hi)
    if (length > 0) {
      unpackSlot(this.#packed.subarray(0, length), seg, base)
      this.loads++
      return
    }
    seg.u8.fill(0, base, base + SLOT_BYTES)
    seg.u8[base + H.version] = SLOT_VERSION
  }

  #allocate(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#used < this.capacity) {
      if (this.#used >> SEGMENT_SHIFT >= this.#segments.length) this.#segments.push(newSegment())
      return this.#used++
    }
    // Clock: a recently used slot gets a second chance, a touched one is passed over.
    for (let passes = this.capacity * 2; passes > 0; passes--) {
      const slot = this.#hand
      this.#hand = slot + 1 === this.capacity ? 0 : slot + 1
      if (this.#state[slot] === 1) this.#state[slot] = 0
      else if (this.#state[slot] === 0) {
        this.#drop(slot)
        this.evictions++
        return this.#free.pop()!
      }
    }
    // Everything resident was touched by this one chunk: grow beyond the cap rather than lose an event.
    return this.#grow()
  }

  #grow(): number {
    const spare = this.#spare.pop()
    if (spare !== undefined) return spare
    if (this.#used >= this.#shard.length) {
      const shard = new Uint32Array(this.#shard.length + SEGMENT_SLOTS)
      shard.set(this.#shard)
      this.#shard = shard
      const state = new Uint8Array(shard.length)
      state.set(this.#state)
      this.#state = state
      while (shard.length * 2 > this.#mask + 1) this.#rehash()
    }
    if (this.#used >> SEGMENT_SHIFT >= this.#segments.length) this.#segments.push(newSegment())
    return this.#used++
  }

  #rehash(): void {
    const keyLo = this.#keyLo
    const keyHi = this.#keyHi
    const place = this.#place
    const size = (this.#mask + 1) * 2
    this.#mask = size - 1
    this.#keyLo = new Uint32Array(size)
    this.#keyHi = new Uint32Array(size)
    this.#place = new Int32Array(size).fill(NONE)
    for (let i = 0; i < place.length; i++) if (place[i] !== NONE) this.#insert(keyLo[i]!, keyHi[i]!, place[i]!)
  }

  #insert(lo: number, hi: number, slot: number): void {
    let i = (lo ^ (hi << 7)) & this.#mask
    while (this.#place[i] !== NONE) i = (i + 1) & this.#mask
    this.#keyLo[i] = lo
    this.#keyHi[i] = hi
    this.#place[i] = slot
  }

  #drop(slot: number): void {
    const at = (this.base(slot) + H.keyLo) >> 2
    const u32 = this.segment(slot).u32
    this.#remove(inShard(this.#shard[slot]! - 1, u32[at]!), u32[at + 1]!)
    this.#release(slot)
  }

  #release(slot: number): void {
    this.#state[slot] = 0
    this.#shard[slot] = 0
    if (slot < this.capacity) this.#free.push(slot)
    else this.#spare.push(slot)
  }

  /** Open addressing without tombstones: close the gap by moving later entries of the run back. */
  #remove(lo: number, hi: number): void {
    const mask = this.#mask
    let i = (lo ^ (hi << 7)) & mask
    while (this.#keyLo[i] !== lo || this.#keyHi[i] !== hi || this.#place[i] === NONE) i = (i + 1) & mask
    for (let j = (i + 1) & mask; this.#place[j] !== NONE; j = (j + 1) & mask) {
      const home = (this.#keyLo[j]! ^ (this.#keyHi[j]! << 7)) & mask
      if (((j - home) & mask) < ((j - i) & mask)) continue
      this.#keyLo[i] = this.#keyLo[j]!
      this.#keyHi[i] = this.#keyHi[j]!
      this.#place[i] = this.#place[j]!
      i = j
    }
    this.#place[i] = NONE
  }
}
