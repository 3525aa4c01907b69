import { type GenerateOptions, type Labelled, settle } from './options.ts'
import { type PlacedEvent, streamHours } from './stream.ts'
import { buildWorld } from './world.ts'
import { eventJson, LineWriter } from './write.ts'

export * from './options.ts'
export { eventJson } from './write.ts'

const NONE: readonly PlacedEvent[] = []

/** Events of a seeded company with their labels, in event-time order. The same options give the same stream. */
export function* generate(options: GenerateOptions = {}): Generator<Labelled, void, undefined> {
  for (const hour of streamHours(buildWorld(settle(options)), NONE)) yield* hour
}

/** The events of `generate` as NDJSON chunks of about 256 KB, without labels. Returns the number of events. */
export const generateNdjson = (options: GenerateOptions, write: (chunk: Buffer) => void): number => {
  const out = new LineWriter(write)
  let n = 0
  for (const hour of streamHours(buildWorld(settle(options)), NONE)) {
    for (const { event } of hour) out.line(eventJson(event))
    n += hour.length
  }
  out.flush()
  return n
}
