// Role swaps: an identity does for one session what another role does, with a role that shares at least half of its tools.
import { canonicalEvent } from '@plumbline/detector'
import { alikeRoles, type GenerateOptions, generate, scriptsOf } from '@plumbline/generator'
import { DEFAULT_DETECTION_CONFIG, Event, FEATURE_INDEX } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'
import { bootstrap, random } from '../lib/numbers.ts'
import type { Table } from '../lib/result.ts'
import { auroc } from './adbench.ts'
import { masterKeyOf, type Scored } from './vectors.ts'

const SEEDS = [241, 242, 243]
const LEAST_SHARED = 0.5
const DAY_MS = 86_400_000
const DAYS = 11
/** The last days are judged. */
const JUDGED_DAYS = 2
/** A swap of fewer calls is too little to be one. */
const LEAST_CALLS = 3
/** Sessions of each victim that are swapped, at most. */
const SWAPS_PER_IDENTITY = 1

const companyOf = (seed: number): GenerateOptions => ({
  seed,
  identities: 200,
  days: DAYS,
  eventsPerIdentityDay: 60,
  attacks: 'none',
})

type Company = readonly Event[]

const sessionsOf = (events: Company): Map<string, Event[]> => {
  const sessions = new Map<string, Event[]>()
  for (const event of events) {
    if (event.session === undefined) continue
    const name = `${event.identity.id} ${event.session}`
    const known = sessions.get(name)
    if (known === undefined) sessions.set(name, [event])
    else known.push(event)
  }
  return sessions
}

/** What the donor's call did, done by the victim: who, from where, at which version and in which group stay the victim's. */
const swapped = (victim: Event, donor: Event, time: number): Event => {
  const { identity, peerGroup, session, segment, source, delegation } = victim
  const own = { identity, peerGroup, session, segment, source, delegation }
  return Event.parse(JSON.parse(JSON.stringify({ ...donor, ...own, id: `swap-${donor.id}`, time })))
}

/** The company with one judged session of every identity that has an alike role replaced by a session of that role. */
const withSwaps = (
  events: Company,
  judgedFrom: number,
  seed: number,
): { readonly events: Company; readonly swaps: ReadonlySet<string> } => {
  const draw = random(seed)
  const sessions = [...sessionsOf(events).values()].filter((s) => s.length >= LEAST_CALLS && s[0]!.time >= judgedFrom)
  const roleOf = (s: readonly Event[]): string => s[0]!.peerGroup ?? ''
  const pairs = alikeRoles(LEAST_SHARED)
  const scripts = new Map(pairs.map(([a]) => [a, scriptsOf(a)]))
  /** Everybody reads mail: a session that one script of the victim's own role could be is no swap. */
  const isOwnWork = (role: string, session: readonly Event[]): boolean =>
    scripts.get(role)?.some((tools) => session.every(({ action }) => tools.has(action))) === true
  const replaced = new Map<Event, readonly Event[]>()
  const gone = new Set<Event>()
  const swaps = new Set<string>()
  const taken = new Map<string, number>()
  for (const session of sessions) {
    const first = session[0]!
    const others = new Set(pairs.filter(([a]) => a === roleOf(session)).map(([, b]) => b))
    const donors = sessions.filter((d) => others.has(roleOf(d)) && !isOwnWork(roleOf(session), d))
    if (donors.length === 0 || (taken.get(first.identity.id) ?? 0) >= SWAPS_PER_IDENTITY || draw() < 0.5) continue
    const donor = donors[Math.floor(draw() * donors.length)]!
    taken.set(first.identity.id, (taken.get(first.identity.id) ?? 0) + 1)
    swaps.add(`${first.identity.id} ${first.session!}`)
    replaced.set(
      first,
      donor.map((event) => swapped(first, event, first.time + event.time - donor[0]!.time)),
    )
    for (const event of session) gone.add(event)
  }
  const out = events.flatMap((event) => replaced.get(event) ?? (gone.has(event) ? [] : [event]))
  return { events: out.sort((a, b) => a.time - b.time), swaps }
}

interface Judged extends Scored {
  readonly identity: string
}

/** Everything before is learned from as in a deployment, with releases when due; then baselines go on learning while it scores. */
const scoresOf = async (events: Company, judgedFrom: number, seed: number): Promise<readonly Judged[]> => {
  const learner = new Learner({ config: DEFAULT_DETECTION_CONFIG, masterKey: masterKeyOf(seed), trains: true })
  const rows: Judged[] = []
  let training = true
  const drain = async (): Promise<void> => {
    const flushed = training ? await learner.step() : learner.instance.flush()
    if (!training) rows.push(...(flushed.rows as unknown as readonly Judged[]).map((r) => ({ ...r, features: r.features.slice() })))
  }
  for (const event of events) {
    if (training && event.time >= judgedFrom) {
      await drain()
      await learner.train(event.tenant)
      learner.instance.flush()
      training = false
    }
    learner.instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes: canonicalEvent(event) })
    if (learner.instance.due) await drain()
  }
  await drain()
  return rows
}

export type Rated = { readonly score: number; readonly swap: boolean }

/** Share of swaps above the threshold that 5 % of other sessions pass. */
export const recallOf = (rated: readonly Rated[]): { readonly found: readonly number[]; readonly area: number } => {
  const others = rated.flatMap(({ score, swap }) => (swap ? [] : [score])).sort((a, b) => b - a)
  const threshold = others[Math.floor(0.05 * (others.length - 1))]!
  const area = auroc(
    Float32Array.from(rated, ({ score }) => score),
    (i) => rated[i]!.swap,
  )
  return { found: rated.filter(({ swap }) => swap).map(({ score }) => (score > threshold ? 1 : 0)), area: area / 100 }
}

const ACTION = FEATURE_INDEX['action_own']!
const worst = (values: readonly number[]): number => Math.max(...values)
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

export const DETECTORS: readonly (readonly [string, (rows: readonly Scored[]) => number])[] = [
  ['Plumbline (worst call)', (rows) => worst(rows.map((r) => r.score))],
  ['sum of surprise alone (worst call)', (rows) => worst(rows.map((r) => r.surprise))],
  ['autoencoder alone (worst call)', (rows) => worst(rows.map((r) => r.reconstruction))],
  ['tool surprise alone (worst call)', (rows) => worst(rows.map((r) => r.features[ACTION]!))],
  ['tool surprise alone (mean of the session)', (rows) => mean(rows.map((r) => r.features[ACTION]!))],
  ['session length (trivial)', (rows) => rows.length],
]

export const roleSwaps = async (): Promise<
  ReadonlyMap<string, { readonly found: readonly number[]; readonly areas: readonly number[] }>
> => {
  const byDetector = new Map(DETECTORS.map(([name]) => [name, { found: [] as number[], areas: [] as number[] }]))
  for (const seed of SEEDS) {
    const life = [...generate(companyOf(seed))].map(({ event }) => Event.parse(event))
    const judgedFrom = life[0]!.time + (DAYS - JUDGED_DAYS) * DAY_MS
    const { events, swaps } = withSwaps(life, judgedFrom, seed)
    const sessions = new Map<string, Judged[]>()
    for (const row of await scoresOf(events, judgedFrom, seed)) {
      const name = `${row.identity} ${row.session}`
      if (row.session !== '') sessions.set(name, [...(sessions.get(name) ?? []), row])
    }
    for (const [name, score] of DETECTORS) {
      const { found, area } = recallOf([...sessions].map(([key, rows]) => ({ score: score(rows), swap: swaps.has(key) })))
      byDetector.get(name)!.found.push(...found)
      byDetector.get(name)!.areas.push(area)
    }
  }
  return byDetector
}

export const rolesTable = async (): Promise<Table> => {
  const measured = await roleSwaps()
  const [first] = measured.values()
  return {
    title: 'Role swaps between alike roles',
    columns: ['detector', 'AUROC', 'session recall at 5 % (95 %)'],
    rows: [...measured].map(([name, { found, areas }]) => {
      const [low, high] = bootstrap(found)
      return [name, mean(areas), `${mean(found).toFixed(3)} (${low.toFixed(2)}–${high.toFixed(2)})`]
    }),
    notes: [
      `Generated companies of 200, seeds ${SEEDS.join(', ')}, ${first!.found.length} swaps: for one session an identity does what another role does that shares at least half of the smaller one's tools; who, from where, group and hour stay its own. Sessions that use only tools of one script of its own role (everybody reads mail) are no swaps. Baselines go on learning while it scores.`,
    ],
  }
}
