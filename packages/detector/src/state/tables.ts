import type { Segment } from './slots.ts'

/**
 * Counting tables inside a slot. A table is `sets` × 64 bytes; a set is eight 32-bit fingerprints and eight
 * float32 counts. Fingerprint and set come from different halves of one keyed 64-bit hash. When a set is full the
 * rarest entry gives way; a false "seen" needs equal fingerprints in one set: at most 8 × 2^-32 per lookup.
 */

/** A fingerprint is never 0, which marks an empty place. */
export const fingerprint = (lo: number): number => (lo === 0 ? 1 : lo)

/** Float index of the count of `fp`, or -1. */
export const find = (seg: Segment, table: number, sets: number, fp: number, hi: number): number => {
  const u32 = seg.u32
  const at = (table + ((hi & (sets - 1)) << 6)) >> 2
  // A whole number to the compiler too: eight comparisons of integers, not of floats.
  const key = fp >>> 0
  for (let i = 0; i < 8; i++) if (u32[at + i] === key) return at + 8 + i
  return -1
}

export const countOf = (seg: Segment, table: number, sets: number, fp: number, hi: number): number => {
  const at = find(seg, table, sets, fp, hi)
  return at < 0 ? 0 : seg.f32[at]!
}

/** What a refused newcomer takes from the rarest entry, as a share of its own weight: who keeps coming gets in. */
const WEAR = 0.25

/**
 * Adds `weight` to `fp`. In a full set the rarest entry gives way to what is known to be at least as frequent; else it wears.
 * Returns the fingerprint that has no place (that of the rarest, or `fp` itself), 0 where a place was free, -1 where `fp` was there.
 * @param before what is known of `fp` from elsewhere; by default enough for any place
 */
export const add = (
  seg: Segment,
  table: number,
  sets: number,
  fp: number,
  hi: number,
  weight: number,
  before = Number.POSITIVE_INFINITY,
): number => {
  const { u32, f32 } = seg
  const key = fp >>> 0
  const at = (table + ((hi & (sets - 1)) << 6)) >> 2
  let rarest = at
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 8; i++) {
    const entry = u32[at + i]!
    const count = f32[at + 8 + i]!
    if (entry === key) {
      f32[at + 8 + i] = count + weight
      return -1
    }
    if (entry === 0) {
      // Entries fill from the front, so the first empty place ends the search.
      u32[at + i] = key
      f32[at + 8 + i] = weight
      return 0
    }
    if (count < least) {
      least = count
      rarest = at + i
    }
  }
  if (before + weight < least) {
    f32[rarest + 8] = least - WEAR * weight
    return key
  }
  const pushedOut = u32[rarest]!
  u32[rarest] = key
  f32[rarest + 8] = weight + (before === Number.POSITIVE_INFINITY ? 0 : before)
  return pushedOut
}

/** Multiplies all counts of a table; entries that fade below `floor` are forgotten and the set is closed up. */
export const fade = (seg: Segment, table: number, sets: number, factor: number, floor: number): void => {
  const { u32, f32 } = seg
  for (let set = 0; set < sets; set++) {
    const at = (table + (set << 6)) >> 2
    let to = at
    for (let i = 0; i < 8; i++) {
      const fp = u32[at + i]!
      const count = f32[at + 8 + i]! * factor
      u32[at + i] = 0
      f32[at + 8 + i] = 0
      if (fp === 0 || count < floor) continue
      u32[to] = fp
      f32[to + 8] = count
      to++
    }
  }
}

/** Second hash of a name of which a table kept the fingerprint only: from its upper bits, the first probe takes the lower. */
export const overflowHash = (fp: number): number => Math.imul(fp >>> 10, 0x9e3779b1) >>> 8

const PROBES = 6

/** Bloom filter of `bits` bits (a power of two) with six probes from one 64-bit hash: 0.8 % false at ten bits an entry. */
export const filterHas = (u8: Uint8Array, at: number, bits: number, lo: number, hi: number): boolean => {
  const mask = bits - 1
  for (let k = 0; k < PROBES; k++) {
    const bit = (lo + Math.imul(k, hi | 1)) & mask
    if ((u8[at + (bit >> 3)]! & (1 << (bit & 7))) === 0) return false
  }
  return true
}

export const filterAdd = (u8: Uint8Array, at: number, bits: number, lo: number, hi: number): void => {
  const mask = bits - 1
  for (let k = 0; k < PROBES; k++) {
    const bit = (lo + Math.imul(k, hi | 1)) & mask
    u8[at + (bit >> 3)]! |= 1 << (bit & 7)
  }
}

/** Bits set in a filter: how full it is. */
export const filterFill = (u8: Uint8Array, at: number, bits: number): number => {
  let set = 0
  for (let i = at; i < at + (bits >> 3); i++) for (let byte = u8[i]!; byte !== 0; byte &= byte - 1) set++
  return set
}
