import { H } from './layout.ts'
import { PART_FIELDS } from './changes.ts'
import type { Work } from '../work.ts'

/** Six bits a part: what differs is missed once in 63 times, which no score depends on. */
const BITS = 6
const MASK = (1 << BITS) - 1

/** Six bits of a part as the event tells it, never 0; 0 where it does not. */
const told = (w: Work, i: number): number => {
  const field = PART_FIELDS[i]!
  return w.event.has(field) ? 1 + (w.hashes.lo[field]! % MASK) : 0
}

const known = (w: Work, i: number): number => (w.seg.u32[(w.base + H.parts) >> 2]! >>> (BITS * i)) & MASK

/** Bits of the parts that differ from what the identity told last; null where nothing of its version is known. */
export const changedParts = (w: Work): number | null => {
  if (w.seg.u32[(w.base + H.parts) >> 2] === 0) return null
  let mask = 0
  for (let i = 0; i < PART_FIELDS.length; i++) {
    const [before, now] = [known(w, i), told(w, i)]
    if (before !== 0 && now !== 0 && before !== now) mask |= 1 << i
  }
  return mask
}

/** Bits of the parts that the event tells. */
export const toldParts = (w: Work): number => PART_FIELDS.reduce((mask, field, i) => (w.event.has(field) ? mask | (1 << i) : mask), 0)

/** Keeps the parts that the event tells; of those it does not tell what was told before stays. */
export const keepParts = (w: Work): void => {
  let parts = 0
  for (let i = 0; i < PART_FIELDS.length; i++) parts |= (told(w, i) || known(w, i)) << (BITS * i)
  w.seg.u32[(w.base + H.parts) >> 2] = parts
}
