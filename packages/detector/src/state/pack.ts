import { PlumblineError } from '@plumbline/schemas'
import type { Segment } from './slots.ts'
import { H, SLOT_BYTES, SLOT_VERSION } from './layout.ts'

/**
 * A slot as it is stored: most of a young slot is zero, so only non-zero words travel.
 * u8 version, u8 zero, u16 zero, u32 checksum, 8 bytes bitmap of 64-byte lines that hold anything,
 * then per such line a u16 bitmap of words and the words. Little-endian.
 */
const LINES = SLOT_BYTES / 64
const scratch = new Uint8Array(16 + LINES * 66)
const scratchView = new DataView(scratch.buffer)
const words = new Uint32Array(16 + LINES * 16)

const mix = (h: number, word: number): number => {
  const x = Math.imul(h ^ word, 0x9e3779b1)
  return x ^ (x >>> 15)
}

/** Packs the slot at `base` of a segment; the result is a fresh copy. */
export const packSlot = (seg: Segment, base: number): Uint8Array => {
  const u32 = seg.u32
  const first = base >> 2
  let count = 0
  let linesLo = 0
  let linesHi = 0
  let check = 0x51ab1e
  let p = 16
  for (let line = 0; line < LINES; line++) {
    const at = first + line * 16
    let bits = 0
    const from = count
    for (let i = 0; i < 16; i++) {
      const word = u32[at + i]!
      if (word !== 0) {
        bits |= 1 << i
        words[count++] = word
      }
    }
    if (bits === 0) continue
    if (line < 32) linesLo |= 1 << line
    else linesHi |= 1 << (line - 32)
    scratch[p] = bits & 255
    scratch[p + 1] = bits >>> 8
    p += 2
    check = mix(check, bits)
    for (let i = from; i < count; i++) {
      const word = words[i]!
      scratch[p] = word & 255
      scratch[p + 1] = (word >>> 8) & 255
      scratch[p + 2] = (word >>> 16) & 255
      scratch[p + 3] = word >>> 24
      p += 4
      check = mix(check, word)
    }
  }
  check = mix(mix(check, linesLo), linesHi)
  scratchView.setUint32(0, SLOT_VERSION, true)
  scratchView.setUint32(4, check >>> 0, true)
  scratchView.setUint32(8, linesLo >>> 0, true)
  scratchView.setUint32(12, linesHi >>> 0, true)
  return scratch.slice(0, p)
}

const damaged = (what: string): PlumblineError =>
  new PlumblineError('STATE_DAMAGED', `A stored baseline cannot be read (${what}). Restore it from a backup or from the log.`)

/** Unpacks stored bytes into the slot at `base`. Throws STATE_DAMAGED or STATE_VERSION. */
export const unpackSlot = (bytes: Uint8Array, seg: Segment, base: number): void => {
  if (bytes.length < 16) throw damaged('too short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = view.getUint32(0, true)
  if (version !== SLOT_VERSION) {
    throw new PlumblineError('STATE_VERSION', `A stored baseline has version ${version}; this build reads version ${SLOT_VERSION}. Upgrade Plumbline.`)
  }
  const linesLo = view.getUint32(8, true) | 0
  const linesHi = view.getUint32(12, true) | 0
  const u32 = seg.u32
  const first = base >> 2
  u32.fill(0, first, first + SLOT_BYTES / 4)
  let check = 0x51ab1e
  let p = 16
  for (let line = 0; line < LINES; line++) {
    const present = line < 32 ? linesLo & (1 << line) : linesHi & (1 << (line - 32))
    if (present === 0) continue
    if (p + 2 > bytes.length) throw damaged('cut short')
    const bits = view.getUint16(p, true)
    p += 2
    check = mix(check, bits)
    for (let i = 0; i < 16; i++) {
      if ((bits & (1 << i)) === 0) continue
      if (p + 4 > bytes.length) throw damaged('cut short')
      const word = view.getUint32(p, true)
      u32[first + line * 16 + i] = word
      check = mix(check, word)
      p += 4
    }
  }
  check = mix(mix(check, linesLo), linesHi)
  if (p !== bytes.length || check >>> 0 !== view.getUint32(4, true)) throw damaged('checksum')
  if (seg.u8[base + H.version] !== SLOT_VERSION) throw damaged('version byte')
}
