import type { BlindSpot, BlindSpotKind, EventInput } from '@plumbline/schemas'
import { judge } from '../../policy/index.ts'
import type { CompiledPolicy } from '../../policy/compile.ts'
import { W } from '../../state/layout.ts'
import type { Habits } from './habits.ts'

/** An act of the identity as it was recorded, to be done again in another amount. */
export type Act = Omit<EventInput, 'id' | 'time' | 'tenant' | 'identity'>

/** One way in which an amount comes about: how many acts, and what each is. */
export interface Way {
  acts(amount: number): number
  /** The act with this number of so many. */
  act(i: number, n: number, amount: number): Act
}

/** How a kind of deviation is tried, or why it is not. */
export interface Plan extends Pick<BlindSpot, 'kind' | 'unit' | 'usual'> {
  readonly floor: number
  readonly ceiling: number
  /** Start of the hour it is tried in. */
  readonly hourMs: number
  /** The amount alerts where it does in each of these ways. */
  readonly ways: readonly Way[]
  readonly skipped: BlindSpot['skipped']
}

export interface Known {
  readonly identity: string
  readonly habits: Habits
  /** Oldest first. */
  readonly acts: readonly Act[]
  readonly policy: CompiledPolicy
}

/** A kilobyte to a terabyte. */
const LEAST_BYTES = 1024
const MOST_BYTES = 1_099_511_627_776
/** Acts that are tried in an hour, at least and at most, and how many times the usual they must reach. */
const FEWEST_ACTS = 4096
const MOST_ACTS = 16_384
const TIMES_USUAL = 2
/** Once a minute is as even as sending gets. */
const MANY_SENDS = 60

/** Names that nobody has: `.example` is nobody's (RFC 2606). */
const NOWHERE = 'blind-spot.example'
const UNTOUCHED = 'blind-spot'

/** One plan per kind, in the order of BLIND_SPOT_KINDS. */
export const plansOf = (all: Known): readonly Plan[] => {
  // What was refused or failed would be told for that.
  const acts = all.acts.filter(({ outcome = 'success' }) => outcome === 'success')
  const known = { ...all, acts }
  const { habits } = known
  const sends = acts.filter(({ bytesOut = 0 }) => bytesOut > 0)
  const reads = acts.filter(({ bytesIn = 0 }) => bytesIn > 0)
  const usualSends = toUsualPlace(sends)
  const writes = sends.filter((act) => judged(known, act).write)
  // By an act that is made for sending; whoever has none would have to do it with what it has.
  const ownSends = mostFrequent([writes, sends, acts].find((some) => some.length > 0) ?? [])
  const ownReads = acts.filter((act) => !judged(known, act).write)
  return [
    ofBytes(known, 'volume_out', W.bytesOutHour, usualSends, (act, bytesOut) => ({ ...act, bytesOut })),
    ofBytes(known, 'new_destination', null, ownSends, (act, bytesOut) => ({ ...act, bytesOut, destination: NOWHERE })),
    ofBytes(known, 'volume_in', W.bytesInHour, reads, (act, bytesIn) => ({ ...act, bytesIn })),
    ofActs(
      known,
      'sensitive_reads',
      W.sensitiveHour,
      ownReads.filter((act) => isSensitive(known, act)),
    ),
    ofActs(known, 'foreign_reads', null, ownReads, foreign),
    ofActs(known, 'foreign_tool', null, ownReads, byNewTool),
    ofActs(
      known,
      'resources',
      W.resourcesHour,
      acts.filter(({ resource }) => resource.id !== undefined),
      another,
    ),
    ofActs(known, 'rate', W.eventsHour, acts),
    ofActs(known, 'denied', W.deniedHour, acts, (act) => ({ ...act, outcome: 'denied' })),
    ofActs(known, 'failed', W.failuresHour, acts, (act) => ({ ...act, outcome: 'failure' })),
    {
      ...ofActs(known, 'off_hours', null, acts),
      ...(habits.oddHourMs === null ? { skipped: 'always_active' as const } : { hourMs: habits.oddHourMs }),
    },
  ]
}

const judged = ({ policy, identity }: Known, { action, resource, destination, segment }: Act) =>
  judge(policy, { identity, action, class: resource.class, resource: resource.id, destination, from: segment, to: resource.segment })
    .resource

const isSensitive = (known: Known, act: Act): boolean => Math.max(act.resource.sensitivity ?? 0, judged(known, act).sensitivity) >= 2

const foreign = (act: Act): Act => ({ ...act, resource: { class: UNTOUCHED, sensitivity: 3 } })
const byNewTool = (act: Act): Act => ({ ...foreign(act), action: `${UNTOUCHED}.read` })
const another = (act: Act, i: number): Act => ({ ...act, resource: { ...act.resource, id: `${UNTOUCHED}-${i}` } })

/** The acts that name what is named most often. */
const most = (acts: readonly Act[], nameOf: (act: Act) => string): readonly Act[] => {
  const counts = new Map<string, number>()
  for (const act of acts) counts.set(nameOf(act), (counts.get(nameOf(act)) ?? 0) + 1)
  const top = [...counts].reduce<readonly [string, number]>((best, entry) => (entry[1] > best[1] ? entry : best), ['', 0])
  return acts.filter((act) => nameOf(act) === top[0])
}
const mostFrequent = (acts: readonly Act[]): readonly Act[] =>
  most(acts, ({ action, resource }) => JSON.stringify([action, resource.class]))

/** Sends to the place that it sends to most, or where no place is told, all. */
const toUsualPlace = (sends: readonly Act[]): readonly Act[] => {
  const placed = sends.filter(({ destination }) => destination !== undefined)
  return placed.length === 0 ? sends : most(placed, ({ destination }) => destination ?? '')
}

const usualIn = ({ habits }: Known, metric: number | null): number | null => (metric === null ? null : habits.usualOf(metric))

/** Sent at once, in as many acts as it does in a usual hour, and in one a minute: whoever wants to hide picks the best. */
const ofBytes = (
  known: Known,
  kind: BlindSpotKind,
  metric: number | null,
  acts: readonly Act[],
  make: (act: Act, bytes: number) => Act,
): Plan => {
  const share = known.acts.length === 0 ? 0 : acts.length / known.acts.length
  const spread = [1, Math.max(1, Math.min(MANY_SENDS, Math.round(known.habits.actsPerHour * share))), MANY_SENDS]
  return {
    kind,
    unit: 'bytes',
    usual: usualIn(known, metric),
    floor: LEAST_BYTES,
    ceiling: MOST_BYTES,
    hourMs: known.habits.usualHourMs,
    skipped: acts.length === 0 ? 'nothing_alike' : null,
    ways: [...new Set(spread)].map((n) => ({
      acts: () => n,
      act: (i, _, amount) => make(acts[i % acts.length]!, Math.max(1, Math.round(amount / n))),
    })),
  }
}

const ofActs = (
  known: Known,
  kind: BlindSpotKind,
  metric: number | null,
  acts: readonly Act[],
  make: (act: Act, i: number) => Act = (act) => act,
): Plan => {
  const { habits } = known
  let ceiling = FEWEST_ACTS
  while (ceiling < 8 * habits.actsPerHour && ceiling < MOST_ACTS) ceiling *= 2
  const skipped = acts.length === 0 ? 'nothing_alike' : TIMES_USUAL * habits.actsPerHour > ceiling ? 'too_fast' : null
  return {
    kind,
    unit: kind === 'resources' ? 'resources' : 'acts',
    usual: usualIn(known, metric),
    floor: 1,
    ceiling,
    hourMs: habits.usualHourMs,
    skipped,
    ways: [{ acts: (amount) => amount, act: (i) => make(acts[i % acts.length]!, i) }],
  }
}
