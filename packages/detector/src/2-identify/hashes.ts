import { type DecodedEvent, STRING_FIELDS } from '../record.ts'
import type { SipHash } from '../math/siphash.ts'

const ENTRIES = 1 << 15
const LANE = 64

/**
 * Keyed 64-bit hashes of an event's names. Names repeat, so results are cached by their bytes: a direct-mapped cache
 * whose hits are proven byte by byte, so neither its size nor its history can change a result.
 */
export class Hashes {
  readonly lo = new Uint32Array(STRING_FIELDS)
  readonly hi = new Uint32Array(STRING_FIELDS)
  #lanes = new Uint8Array(ENTRIES * LANE)
  /** tenant × 256 + length; 0 is empty. */
  #tag = new Int32Array(ENTRIES)
  #cacheLo = new Uint32Array(ENTRIES)
  #cacheHi = new Uint32Array(ENTRIES)

  /** Hashes one present field into `lo` and `hi`. `tenant` numbers the key in use, from 1. */
  field(event: DecodedEvent, field: number, sip: SipHash, tenant: number): void {
    const start = event.start[field]!
    const end = event.end[field]!
    const length = end - start
    const bytes = event.bytes
    if (length > LANE) {
      sip.hash(bytes, start, end)
      this.lo[field] = sip.lo
      this.hi[field] = sip.hi
      return
    }
    const fnv = event.hash[field]!
    const at = (fnv ^ (fnv >>> 15)) & (ENTRIES - 1)
    const tag = tenant * 256 + length
    const lane = at * LANE
    const lanes = this.#lanes
    if (this.#tag[at] === tag) {
      let i = 0
      while (i < length && lanes[lane + i] === bytes[start + i]) i++
      if (i === length) {
        this.lo[field] = this.#cacheLo[at]!
        this.hi[field] = this.#cacheHi[at]!
        return
      }
    }
    sip.hash(bytes, start, end)
    this.#tag[at] = tag
    for (let i = 0; i < length; i++) lanes[lane + i] = bytes[start + i]!
    this.lo[field] = this.#cacheLo[at] = sip.lo
    this.hi[field] = this.#cacheHi[at] = sip.hi
  }

  /** Hashes a field whose values hardly ever repeat (event ids), past the cache. */
  once(event: DecodedEvent, field: number, sip: SipHash): void {
    sip.hash(event.bytes, event.start[field]!, event.end[field]!)
    this.lo[field] = sip.lo
    this.hi[field] = sip.hi
  }
}
