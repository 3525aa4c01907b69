import { PlumblineError } from '@plumbline/schemas'
import type { Segment } from './slots.ts'
import { H, HG, HISTOGRAM_BUCKETS, HISTOGRAMS, SLOT_BYTES, SLOT_VERSION, TOKEN_BUCKETS } from './layout.ts'

/**
 * A slot as it is stored: most of a young slot is zero, so only non-zero words travel. All little-endian u32:
 * version, checksum, two words of bitmap over the 64-byte lines that hold anything, then per such line a bitmap of
 * its words and the words.
 */
const LINES = SLOT_BYTES / 64
const HEAD = 4
const out32 = new Uint32Array(HEAD + LINES * 17)
const out8 = new Uint8Array(out32.buffer)

const mix = (h: number, word: number): number => {
  const x = Math.imul(h ^ word, 0x9e3779b1)
  return x ^ (x >>> 15)
}

/** Packs the slot at `base` of a segment; the result is a fresh copy. */
export const packSlot = (seg: Segment, base: number): Uint8Array => {
  const u = seg.u32
  const first = base >> 2
  let linesLo = 0
  let linesHi = 0
  let check = 0x51ab1e
  let p = HEAD
  for (let line = 0; line < LINES; line++) {
    const a = first + line * 16
    const any =
      u[a]! |
      u[a + 1]! |
      u[a + 2]! |
      u[a + 3]! |
      u[a + 4]! |
      u[a + 5]! |
      u[a + 6]! |
      u[a + 7]! |
      u[a + 8]! |
      u[a + 9]! |
      u[a + 10]! |
      u[a + 11]! |
      u[a + 12]! |
      u[a + 13]! |
      u[a + 14]! |
      u[a + 15]!
    if (any === 0) continue
    let bits = 0
    const at = p++
    for (let i = 0; i < 16; i++) {
      const word = u[a + i]!
      if (word === 0) continue
      bits |= 1 << i
      out32[p++] = word
      check = mix(check, word)
    }
    out32[at] = bits
    check = mix(check, bits)
    if (line < 32) linesLo |= 1 << line
    else linesHi |= 1 << (line - 32)
  }
  out32[0] = SLOT_VERSION
  out32[1] = mix(mix(check, linesLo), linesHi)
  out32[2] = linesLo
  out32[3] = linesHi
  return out8.slice(0, p * 4)
}

const damaged = (what: string): PlumblineError =>
  new PlumblineError('STATE_DAMAGED', `A stored baseline cannot be read (${what}). Restore it from a backup or from the log.`)

/**
 * What a new layout of the slot comes with: from a version, how the slot at `base` becomes one of the next. Pure, and kept for
 * ever: a baseline is migrated when its identity is next seen, however long after the upgrade that is (contracts C5).
 */
export type SlotMigration = (seg: Segment, base: number) => void
export const SLOT_MIGRATIONS = new Map<number, SlotMigration>([[1, (seg, base) => fromVersion1(seg, base)]])

/** Version 1 had longer counts of tokens, and nothing of the hours of the day: nothing is known of them yet. */
const fromVersion1 = ({ u16 }: Segment, base: number): void => {
  const at = (base + HISTOGRAMS + HG.tokens * HISTOGRAM_BUCKETS * 2) >> 1
  for (let i = TOKEN_BUCKETS; i < HISTOGRAM_BUCKETS; i++) {
    u16[at + TOKEN_BUCKETS - 1] = Math.min(65_535, u16[at + TOKEN_BUCKETS - 1]! + u16[at + i]!)
    u16[at + i] = 0
  }
}

const migrate = (seg: Segment, base: number, from: number): void => {
  for (let version = from; version < SLOT_VERSION; version++) SLOT_MIGRATIONS.get(version)!(seg, base)
  seg.u8[base + H.version] = SLOT_VERSION
}

const isReadable = (version: number): boolean => {
  for (let at = version; at < SLOT_VERSION; at++) if (!SLOT_MIGRATIONS.has(at)) return false
  return version <= SLOT_VERSION
}

/** Unpacks stored bytes of this version or an earlier one into the slot at `base`. Throws STATE_DAMAGED or STATE_VERSION. */
export const unpackSlot = (bytes: Uint8Array, seg: Segment, base: number): void => {
  if (bytes.length < 16) throw damaged('too short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = view.getUint32(0, true)
  if (version !== SLOT_VERSION && !isReadable(version)) {
    const remedy = version > SLOT_VERSION ? 'Start the newer Plumbline that wrote it.' : 'Upgrade by way of a version that reads it.'
    throw new PlumblineError(
      'STATE_VERSION',
      `A stored baseline has version ${version}; this build reads version ${SLOT_VERSION}. ${remedy}`,
    )
  }
  const linesLo = view.getUint32(8, true) | 0
  const linesHi = view.getUint32(12, true) | 0
  const u32 = seg.u32
  const first = base >> 2
  u32.fill(0, first, first + SLOT_BYTES / 4)
  let check = 0x51ab1e
  let p = HEAD * 4
  const next = (): number => {
    if (p + 4 > bytes.length) throw damaged('cut short')
    p += 4
    return view.getUint32(p - 4, true)
  }
  for (let line = 0; line < LINES; line++) {
    const present = line < 32 ? linesLo & (1 << line) : linesHi & (1 << (line - 32))
    if (present === 0) continue
    const bits = next()
    for (let i = 0; i < 16; i++) {
      if ((bits & (1 << i)) === 0) continue
      const word = next()
      u32[first + line * 16 + i] = word
      check = mix(check, word)
    }
    check = mix(check, bits)
  }
  check = mix(mix(check, linesLo), linesHi)
  if (p !== bytes.length || check >>> 0 !== view.getUint32(4, true)) throw damaged('checksum')
  if (seg.u8[base + H.version] !== version) throw damaged('version byte')
  if (version !== SLOT_VERSION) migrate(seg, base, version)
}

/** A segment of one slot, at 0, unpacked from stored bytes. Throws as `unpackSlot`. */
export const segmentOf = (packed: Uint8Array): Segment => {
  const buffer = new ArrayBuffer(SLOT_BYTES)
  const seg = {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
  unpackSlot(packed, seg, 0)
  return seg
}

/** The key that a packed slot is kept under, 8 bytes. Throws as `unpackSlot`. */
export const keyOfSlot = (packed: Uint8Array): Uint8Array => segmentOf(packed).u8.slice(H.keyLo, H.keyLo + 8)
