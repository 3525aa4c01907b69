import { EVENT_LIMITS, type RejectCode } from '@plumbline/schemas'

/** What one pass over the raw bytes finds out before any parser sees them. */
export interface ByteGuard {
  readonly code: RejectCode | undefined
  /** Colons outside strings: the number of keys, when the bytes turn out to be JSON. */
  readonly keys: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * Size, nesting and key count in one pass (B1, B2). JSON.parse happily builds five million levels
 * that later kill JSON.stringify, so this runs first; it judges bounds only, never whether the bytes are JSON.
 */
export const guardBytes = (bytes: Uint8Array): ByteGuard => {
  if (bytes.length > EVENT_LIMITS.eventBytes) return { code: 'EVENT_TOO_LARGE', keys: 0 }
  let depth = 0
  let keys = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i] as number
    if (inString) {
      if (c === BACKSLASH) i++
      else if (c === QUOTE) inString = false
    } else if (c === QUOTE) inString = true
    else if (c === COLON) {
      if (++keys > EVENT_LIMITS.jsonKeys) return { code: 'JSON_TOO_WIDE', keys }
    } else if ((c | 0x20) === 0x7b) {
      // { or [
      if (++depth > EVENT_LIMITS.jsonDepth) return { code: 'JSON_TOO_DEEP', keys }
    } else if ((c | 0x20) === 0x7d) depth--
  }
  return { code: undefined, keys }
}
