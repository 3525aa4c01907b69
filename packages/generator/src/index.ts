import { labelledFrom, placeAttacks } from './attacks/plan.ts'
import { applies } from './attacks/victims.ts'
import { type AttackKind, DAY, type GenerateOptions, HOUR, type Label, type Labelled, settle } from './options.ts'
import { type PlacedEvent, streamHours } from './stream.ts'
import { buildWorld } from './world.ts'
import { eventJson, LineWriter } from './write.ts'

export * from './options.ts'
export {
  generateNumbers,
  NUMBER_ANOMALIES,
  NUMBER_SHAPES,
  type NumberAnomaly,
  type NumberCase,
  type NumberOptions,
  type NumberShape,
} from './numbers.ts'
export { parseParams } from './params.ts'
export { companyPolicy } from './policy.ts'
export { alikeRoles, scriptsOf } from './roles.ts'
export { eventJson } from './write.ts'

/** Events of a seeded company with their labels, in event-time order. The same options give the same stream. */
export function* generate(options: GenerateOptions = {}): Generator<Labelled, void, undefined> {
  const world = buildWorld(settle(options))
  for (const hour of streamHours(world, placeAttacks(world))) yield* hour
}

/** The events of `generate` as NDJSON chunks of about 256 KB, without labels. Returns the number of events. */
export const generateNdjson = (options: GenerateOptions, write: (chunk: Buffer) => void): number => {
  const out = new LineWriter(write)
  const world = buildWorld(settle(options))
  let n = 0
  for (const hour of streamHours(world, placeAttacks(world))) {
    for (const { event } of hour) out.line(eventJson(event))
    n += hour.length
  }
  out.flush()
  return n
}

const placedInOrder = (options: GenerateOptions): PlacedEvent[] =>
  placeAttacks(buildWorld(settle(options))).sort((a, b) => a.event.time - b.event.time || (a.event.id < b.event.id ? -1 : 1))

/**
 * The labels that belong to `generateNdjson` with the same options, as NDJSON in event-time order:
 * `{"event","time","identity","session","attack","case","variant","subtlety","size","twin","key"}`.
 * Events without a line are benign life. Does not make the benign stream, so it is quick. Returns the number of lines.
 */
export const writeLabels = (options: GenerateOptions, write: (chunk: Buffer) => void): number => {
  const out = new LineWriter(write)
  const all = placedInOrder(options)
  for (const { event: e, label } of all)
    out.line(JSON.stringify({ event: e.id, time: e.time, identity: e.identity.id, session: e.session ?? null, ...label }))
  out.flush()
  return all.length
}

/** The time that carries attacks and twins, ms since epoch; a slow ramp begins before it. */
export const labelledWindow = (options: GenerateOptions): { readonly from: number; readonly to: number } => {
  const settings = settle(options)
  return { from: labelledFrom(settings), to: settings.endTime }
}

/** One attack or twin as a whole. */
export interface CaseSummary extends Omit<Label, 'key'> {
  readonly identities: readonly string[]
  readonly sessions: readonly string[]
  /** Times of the first and the last event, ms since epoch. */
  readonly from: number
  readonly to: number
  readonly events: number
  readonly keyEvents: number
}

/** Every case of the options, in order of its first event. */
export const listCases = (options: GenerateOptions): CaseSummary[] => {
  const byCase = Map.groupBy(placedInOrder(options), (p) => p.label.case)
  return [...byCase.values()].map((list): CaseSummary => {
    const { key: _, ...label } = list[0]!.label
    return {
      ...label,
      identities: [...new Set(list.map((p) => p.event.identity.id))],
      sessions: [...new Set(list.flatMap((p) => p.event.session ?? []))],
      from: list[0]!.event.time,
      to: list[list.length - 1]!.event.time,
      events: list.length,
      keyEvents: list.filter((p) => p.label.key).length,
    }
  })
}

/** Identities an attack (or with `twin` its benign twin) can be placed on, for `AttackSpec.identity`. */
export const listVictims = (options: GenerateOptions, kind: AttackKind, twin = false): string[] =>
  buildWorld(settle(options)).members.flatMap((m) => (applies(kind, twin, m) ? [m.id] : []))

/** Events of the attacks and twins alone, in event-time order: for trying one on a live company. */
export const generateCases = (options: GenerateOptions): Labelled[] => placedInOrder(options)

/**
 * A small company for the demonstration: 40 identities, 15 days up to `endTime` (default Thursday 2026-10-15 09:00 UTC;
 * cut down to the hour), about 50,000 events. The seed cases end it: gigabytes out in the last night, HR records two hours
 * before the end, the hijacked agent last.
 */
export const demoDay = (seed = 1, endTime = Date.UTC(2026, 9, 15, 9)): GenerateOptions => {
  const days = 15
  const end = Math.floor(endTime / HOUR) * HOUR
  const night = Math.floor((end - 3 * HOUR) / DAY) * DAY + 1.4 * HOUR
  return {
    seed,
    days,
    startTime: end - days * DAY,
    identities: 40,
    eventsPerIdentityDay: 85,
    attacks: [
      { kind: 'exfil_overnight', spread: 'piece', at: night },
      { kind: 'hr_access', spread: 'piece', at: end - 1.9 * HOUR, size: 70 },
      { kind: 'hijack', variant: 'flow', at: end - 0.7 * HOUR, subtlety: 2 },
    ],
  }
}
