import type { EventInput, Provenance } from '@plumbline/schemas'
import { edgeHash, freshDestination } from './destinations.ts'
import { mix, type Rng } from './prng.ts'
import type { Tool } from './tools.ts'

type Content = NonNullable<EventInput['content']>

/** What a caller may pin about the text of an event. */
export interface TextPin {
  /** Likeness to instructions of what is read, 0 to 1; makes the read untrusted. */
  readonly instructions?: number
  /** A destination that stands in what is read. */
  readonly mentions?: string
  /** Bits per byte of what is sent. */
  readonly entropy?: number
}

/** Features of text as the edge of an agent would send them; undefined where there is no text to speak of. */
export const contentOf = (seed: number, rng: Rng, t: Tool, provenance: Provenance | undefined, pin: TextPin): Content | undefined => {
  if (t.op === 'read') {
    if (pin.instructions === undefined && (t.untrusted === 0 || !rng.chance(t.untrusted))) return undefined
    const u = rng.unit()
    // Mail and web pages ask for things too: a few look much like instructions.
    const likeness = pin.instructions ?? u * u * u * 0.5 + (rng.chance(0.012) ? 0.35 * rng.unit() : 0)
    const mentioned: string[] = []
    for (let i = rng.below(3); i > 0; i--) mentioned.push(edgeHash(seed, freshDestination('contact', rng)))
    if (pin.mentions !== undefined)
      mentioned.splice(rng.below(mentioned.length + 1), mentioned.length > 1 ? 1 : 0, edgeHash(seed, pin.mentions))
    const base: Content = { untrusted: true, instructionLikeness: Math.round(likeness * 1000) / 1000 }
    return mentioned.length === 0 ? base : { ...base, destinationHashes: mentioned }
  }
  if (t.op === 'chat') return undefined
  const args = 1 + rng.below(4)
  const fromTool = provenance === 'tool' ? 1 + rng.below(2) : rng.chance(0.3) ? 1 : 0
  const entropy = pin.entropy ?? (rng.chance(0.06) ? 7.2 + 0.7 * rng.unit() : 4.4 + 0.3 * rng.normal())
  return {
    entropy: Math.round(Math.min(7.99, Math.max(1, entropy)) * 100) / 100,
    argumentsFromUser: provenance === 'user' ? args + 1 : args,
    argumentsFromTool: fromTool,
    argumentsNew: provenance === 'new' ? 1 : rng.chance(0.1) ? 1 : 0,
  }
}

const WORDS =
  'open emea last quarter status priority customer renewal draft region apac pending review owner team invoice order refund weekly summary'.split(
    ' ',
  )

/** Arguments of the call as an instrumented tool would report them. Follows from the event's id, so it draws nothing. */
export const argumentsOf = (t: Tool, h: number): Record<string, string | number | boolean> => {
  const word = (i: number): string => WORDS[(mix(h, i) >>> 0) % WORDS.length]!
  if (t.op === 'chat')
    return {
      'arg.temperature': ((h >>> 4) % 10) / 10,
      'arg.prompt_name': `${word(1)}-${word(2)}`,
      'arg.max_tokens': 256 << (h & 3),
      'arg.stream': (h & 8) !== 0,
    }
  const query = `${word(1)} ${word(2)} ${word(3)} ${word(4)}`
  return {
    'arg.query': query,
    'arg.limit': 10 + ((h >>> 3) % 190),
    'arg.format': (h & 16) !== 0 ? 'json' : 'text',
    'arg.include_archived': (h & 32) !== 0,
    'arg.page': (h >>> 9) % 7,
  }
}
