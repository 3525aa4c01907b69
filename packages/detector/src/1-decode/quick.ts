import { EVENT_LIMITS, type Event } from '@plumbline/schemas'
import { N } from '../record.ts'
import { canonicalEvent } from './canonical.ts'
import { decodeFull, type Decoded } from './full.ts'
import { Scanner } from './scan.ts'

export type { Decoded } from './full.ts'

/** What the scanner takes is ASCII. */
const ascii = new TextDecoder('utf-8', { ignoreBOM: true })
let scanner: Scanner | null = null

/**
 * Decodes one event from bytes with the same answer as `decodeFull`, at half the cost for ordinary events: what the scanner
 * takes is valid, so that only the defaults are missing. Everything else goes the full way.
 */
export const decodeEvent = (bytes: Uint8Array): Decoded => {
  scanner ??= new Scanner()
  if (!scanner.scan(bytes, 0, bytes.length, scanner.event)) return decodeFull(bytes)
  const event = JSON.parse(ascii.decode(bytes)) as Event
  event.v ??= 1
  event.time = scanner.event.number[N.time]!
  event.tenant ??= 'default'
  event.outcome ??= 'success'
  const canonical = canonicalEvent(event)
  return canonical.length > EVENT_LIMITS.eventBytes ? decodeFull(bytes) : { ok: true, event, canonical }
}
