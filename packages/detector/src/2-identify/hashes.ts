import { type DecodedEvent, STRING_FIELDS } from '../record.ts'
import type { SipHash } from '../math/siphash.ts'

/** Keyed 64-bit hashes of an event's names. Not cached: finding a name in a cache costs as much as hashing it. */
export class Hashes {
  readonly lo = new Uint32Array(STRING_FIELDS)
  readonly hi = new Uint32Array(STRING_FIELDS)

  /** Hashes one present field into `lo` and `hi`. */
  field(event: DecodedEvent, field: number, sip: SipHash): void {
    sip.hash(event.bytes, event.start[field]!, event.end[field]!)
    this.lo[field] = sip.lo
    this.hi[field] = sip.hi
  }
}
