// From how much on the identities of a generated company would alert, and what would go unseen, on copies of their baselines.
import { canonicalEvent } from '@plumbline/detector'
import { createProber } from '@plumbline/detector/replay'
import { generate } from '@plumbline/generator'
import { BLIND_SPOT_KINDS, type BlindSpot, DEFAULT_DETECTION_CONFIG, Event, PlumblineError, SCORED_FLAGS } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'
import { mean, median } from '../lib/numbers.ts'
import type { Table } from '../lib/result.ts'
import type { DetectionPart } from './detection.ts'

const SEED = 251
const OPTIONS = {
  seed: SEED,
  days: 21,
  identities: 80,
  eventsPerIdentityDay: 60,
  attacks: 'none',
  startTime: Date.UTC(2026, 8, 7),
} as const
const RECENT = 200
const MASTER_KEY = new Uint8Array(16)
const CONFIG = { ...DEFAULT_DETECTION_CONFIG, shards: 1 }

/** Three weeks of an ordinary company, and each identity's newest acts that did not alert. */
const live = async (): Promise<{ readonly learner: Learner; readonly recent: ReadonlyMap<string, readonly Event[]> }> => {
  const learner = new Learner({ config: CONFIG, masterKey: MASTER_KEY, trains: true })
  const recent = new Map<string, Event[]>()
  let pending: Event[] = []
  const step = async (): Promise<void> => {
    const { rows } = await learner.step()
    for (const [i, row] of rows.entries()) {
      if ((row.flags & SCORED_FLAGS.withheld) !== 0) continue
      const acts = recent.get(row.identity) ?? []
      acts.push(pending[i]!)
      if (acts.length > RECENT) acts.shift()
      recent.set(row.identity, acts)
    }
    pending = []
  }
  for (const { event } of generate(OPTIONS)) {
    const parsed = Event.parse(event)
    pending.push(parsed)
    learner.instance.append({ tenant: 'default', identity: parsed.identity.id, timeMs: parsed.time, bytes: canonicalEvent(parsed) })
    if (learner.instance.due) await step()
  }
  await step()
  return { learner, recent }
}

const proberOf = (learner: Learner) => {
  const { releaseId } = learner.instance.detector.tenantsOf(0).get('default')!
  const bytes = learner.instance.artifactOf(releaseId)
  if (bytes === undefined) throw new PlumblineError('RELEASE_UNSUPPORTED', `release ${releaseId} is not at hand`)
  return createProber({ config: CONFIG, masterKey: MASTER_KEY, tenant: 'default', release: { id: releaseId, bytes }, policy: undefined })
}

const quantile = (values: readonly number[], q: number): number | null =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] ?? null

const kindRow = (kind: BlindSpot['kind'], all: readonly BlindSpot[]): (string | number | null)[] => {
  const spots = all.filter((spot) => spot.kind === kind)
  const tried = spots.filter(({ skipped }) => skipped === null)
  const limits = tried.flatMap(({ alertsFrom }) => alertsFrom ?? [])
  const times = tried.flatMap(({ alertsFrom, usual }) => (alertsFrom !== null && usual !== null && usual >= 1 ? [alertsFrom / usual] : []))
  return [
    kind,
    spots[0]?.unit ?? '',
    tried.length,
    tried.length - limits.length,
    quantile(limits, 0.5),
    quantile(limits, 0.9),
    times.length === 0 ? null : Math.round(10 * median(times)) / 10,
  ]
}

export const blind = async (): Promise<DetectionPart> => {
  const { learner, recent } = await live()
  const prober = proberOf(learner)
  const tenant = learner.instance.detector.tenantsOf(0).get('default')!
  const costs: number[] = []
  const spots = [...recent].flatMap(([identity, acts]) => {
    const [slot] = learner.instance.slotsOf(tenant, [identity])
    const before = process.cpuUsage()
    const found = prober.probe({ identity, slot: slot!, recent: acts.toReversed() }).spots
    const { user, system } = process.cpuUsage(before)
    costs.push((user + system) / 1000)
    return found
  })
  const table: Table = {
    title: 'Blind spots: least amount in an hour that would alert',
    columns: ['kind', 'unit', 'identities tried', 'blind at any amount', 'median', '90 %', 'median, times the usual hour'],
    rows: BLIND_SPOT_KINDS.map((kind) => kindRow(kind, spots)),
    notes: [
      `Processor time per identity of ${BLIND_SPOT_KINDS.length} kinds: median ${Math.round(median(costs))} ms, mean ${Math.round(mean(costs))} ms, at most ${Math.round(Math.max(...costs))} ms. How it is measured and what it cannot tell: docs/blind-spots.md.`,
    ],
  }
  return {
    how: [
      `Blind spots: a generated company of ${OPTIONS.identities} identities without attacks (seed ${SEED}, ${OPTIONS.days} days, about ${OPTIONS.eventsPerIdentityDay} events a day each), then each kind of deviation in rising amounts on a copy of each baseline, in the way that is seen last.`,
    ],
    values: Object.fromEntries(table.rows.map(([kind, , tried, blindTo, half, most]) => [String(kind), { tried, blindTo, half, most }])),
    bars: [],
    tables: [table],
  }
}
