// What River and PyOD would have caught of a generated company's attacks: their scores turned into alerts under our ceiling.
import { USUAL_KINDS } from '@plumbline/generator'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { bootstrap, mean, random, sum } from '../lib/numbers.ts'
import type { Table } from '../lib/result.ts'
import { type CeilingOutcome, outcomeAtCeiling, type RatedRow } from './ceiling.ts'
import { type CaseOutcome, type CompanyRun, companyRun } from './company-run.ts'
import { readVectors, type Vectors } from './company-vectors.ts'
import type { DetectionPart } from './detection.ts'
import { companyOf, SEEDS } from './generated.ts'
import { MOST_TRAINING, PEER_SEED, peerScoresOfFile, peersLeftOut } from './peer-rows.ts'

const PER_DAY = DEFAULT_DETECTION_CONFIG.alertBudgetPerDay
/** Vectors before this many events were made without statistics of peers; nobody is trained on them. */
const COLD = 20_000

/** Seeds of the peers' own chance. */
const DRAWS = [PEER_SEED, 1, 2, 3, 4]

const OURS = 'Plumbline'
/** What one draw of a detector's own chance came to on one company. */
interface Drawn extends CeilingOutcome {
  /** What would have been caught, had no case taken more than one place under the ceiling. Not known of our own alerts. */
  readonly merged: ReadonlySet<number> | null
}
/** One company as a detector saw it. */
interface Seen {
  readonly cases: readonly CaseOutcome[]
  readonly draws: readonly Drawn[]
}
/** By detector, one of each seed. */
type Board = ReadonlyMap<string, readonly Seen[]>
type Score = (row: number) => number

/** The alerts that were delivered, as the section before counts them. */
const ourAlerts = ({ cases, days }: CompanyRun): Drawn => ({
  caught: new Set(cases.flatMap((c, i) => (c.delivered ? [i] : []))),
  days,
  merged: null,
})

/** A fleet's bad tool shows in dozens of sessions a day. Told from the labels that they are one thing, none is in another's way. */
const asOneSession = (row: RatedRow): RatedRow => (row.case < 0 ? row : { ...row, session: -1 - row.case })

const alertsBy = (v: Vectors, judgedFrom: number, cases: readonly CaseOutcome[], score: Score): Drawn => {
  const rows = Array.from({ length: v.count - judgedFrom }, (_, n): RatedRow => {
    const i = judgedFrom + n
    const of = v.of('case', i)
    const tells = of >= 0 && (cases[of]!.twin || v.of('label', i) === 1)
    return { day: v.of('day', i), session: v.of('session', i), score: score(i), case: of, tells }
  })
  return { ...outcomeAtCeiling(rows, PER_DAY), merged: outcomeAtCeiling(rows.map(asOneSession), PER_DAY).caught }
}

/** Knows the first judged key event of each attack. */
const perfect = (v: Vectors, judgedFrom: number): Score => {
  const first = new Map<number, number>()
  for (let i = judgedFrom; i < v.count; i++) if (v.of('label', i) === 1 && !first.has(v.of('case', i))) first.set(v.of('case', i), i)
  const rows = new Set(first.values())
  return (i) => (rows.has(i) ? 1 : Number.NEGATIVE_INFINITY)
}

const detectorsOn = async (seed: number): Promise<ReadonlyMap<string, Seen>> => {
  const run = await companyRun({ generate: companyOf(seed), keepVectors: true })
  const { cases } = run
  const v = readVectors(run.vectors!)
  let judgedFrom = 0
  while (v.of('judged', judgedFrom) === 0) judgedFrom++
  process.stderr.write(`peers on the company of seed ${seed} …\n`)
  const job = { file: `${run.vectors!}.f32`, from: Math.min(COLD, judgedFrom >> 1), judgedFrom, count: v.count }
  const peers = [...peerScoresOfFile(job, DRAWS)].map(([name, draws]): readonly [string, readonly Score[]] => [
    name,
    draws.map((scores) => (i) => scores[i - judgedFrom]!),
  ])
  const scores: readonly (readonly [string, readonly Score[]])[] = [
    ['our joint score alone', [(i) => v.of('score', i)]],
    ...peers,
    ['random', DRAWS.map((draw) => random(seed * 1_000 + draw))],
    ['perfect', [perfect(v, judgedFrom)]],
  ]
  const seen = scores.map(([name, draws]) => [name, { cases, draws: draws.map((score) => alertsBy(v, judgedFrom, cases, score)) }] as const)
  return new Map<string, Seen>([[OURS, { cases, draws: [ourAlerts(run)] }], ...seen])
}

const boardOf = async (): Promise<Board> => {
  const seeds: ReadonlyMap<string, Seen>[] = []
  for (const seed of SEEDS) seeds.push(await detectorsOn(seed))
  return new Map([...seeds[0]!.keys()].map((name) => [name, seeds.map((s) => s.get(name)!)]))
}

const isAttack = (c: CaseOutcome): boolean => !c.twin
const caughtBy = (draw: Drawn): ReadonlySet<number> => draw.caught

/** Of each case that is so, the share of draws of which it is among those that `by` names. */
const catches = (seen: readonly Seen[], is: (c: CaseOutcome) => boolean, by = caughtBy): number[] =>
  seen.flatMap(({ cases, draws }) => cases.flatMap((c, i) => (is(c) ? [mean(draws.map((d) => (by(d).has(i) ? 1 : 0)))] : [])))

/** Null of our own alerts. */
const mergedCatches = (seen: readonly Seen[]): number[] | null =>
  seen.some(({ draws }) => draws.some((d) => d.merged === null)) ? null : catches(seen, isAttack, (d) => d.merged!)

/** Attacks caught with each draw, all companies together. */
const totals = (seen: readonly Seen[]): number[] =>
  seen[0]!.draws.map((_, n) =>
    sum(
      catches(
        seen.map(({ cases, draws }) => ({ cases, draws: [draws[n]!] })),
        isAttack,
      ),
    ),
  )

const aDay = (seen: readonly Seen[], what: 'delivered' | 'false'): number =>
  mean(seen.flatMap(({ draws }) => draws.flatMap(({ days }) => days.map((d) => d[what]))))

/** Means over draws are told to a tenth. */
const tenth = (x: number): string => x.toFixed(1).replace(/\.0$/, '')

const count = (list: readonly number[] | null): string => (list === null ? '–' : `${tenth(sum(list))} of ${list.length}`)

const share = (list: readonly number[]): string => {
  const [low, high] = bootstrap(list)
  return `${Math.round(100 * mean(list))} % (${Math.round(100 * low)}–${Math.round(100 * high)})`
}

const range = (list: readonly number[]): string => (list.length === 1 ? '–' : `${Math.min(...list)}–${Math.max(...list)}`)

const tableOf = (board: Board): Table => {
  const row = (name: string, cell: (seen: readonly Seen[]) => string): string[] => [name, ...[...board.values()].map(cell)]
  const attacks = (name: string, is: (c: CaseOutcome) => boolean): string[] =>
    row(name, (seen) => count(catches(seen, (c) => isAttack(c) && is(c))))
  const variants = ['flow', 'internal', 'model_output', 'stock']
  return {
    title: `Generated company of 200, peers at the same ${PER_DAY} alerts a day, L2, seeds ${SEEDS.join(', ')}`,
    columns: ['attacks caught', ...board.keys()],
    rows: [
      ...USUAL_KINDS.map((kind) => attacks(kind, (c) => c.kind === kind)),
      ...variants.map((v) => attacks(`hijack: ${v}`, (c) => c.kind === 'hijack' && c.variant === v)),
      attacks('all', () => true),
      row('all (95 %)', (seen) => share(catches(seen, isAttack))),
      row('all, lowest to highest draw', (seen) => range(totals(seen))),
      row('all, were each case one alert', (seen) => count(mergedCatches(seen))),
      row('twins that alerted', (seen) => count(catches(seen, (c) => c.twin))),
      row('alerts a day', (seen) => tenth(aDay(seen, 'delivered'))),
      row('false alerts a day', (seen) => tenth(aDay(seen, 'false'))),
    ],
    notes: [
      `${OURS}: its own alerts as delivered, in the order raised, with nothing known of what the day still brings; the first critical one of a reason family passes the ceiling. The other columns are scores on the same vectors, turned into alerts to their advantage: the threshold of each day is set when the day is over, so that ${PER_DAY} new sessions pass it (identity and session, or identity and hour where there is none), and all that a session does above it is one alert, where ${OURS} raises one for each reason family. A case is caught as it is by ${OURS}: when an alert holds one of its key events, here one above the threshold. Twins and surroundings of attacks make no alert false.`,
      `Were each case one alert: told from the labels, all sessions of a case take one place under the ceiling (a bad tool in a fleet shows in dozens of sessions a day and takes it up; ${OURS} gives one reason family at most half of it).`,
      `River: \`MinMaxScaler | HalfSpaceTrees\` with defaults, warmed up on the ${MOST_TRAINING} vectors before the judged days, score then learn. PyOD: defaults, fitted on ${MOST_TRAINING} vectors of the days before. Which trees are drawn weighs much: means of ${DRAWS.length} draws, of the nets too. Random: as many. Perfect: the first key event of each attack, and nothing else.`,
      ...peersLeftOut(),
    ],
  }
}

export const companyPeersTable = async (): Promise<Table> => tableOf(await boardOf())

const attackOf = (c: CaseOutcome): string => (c.kind === 'hijack' ? `hijack/${c.variant}` : c.kind)

const valuesOf = (seen: readonly Seen[]): Readonly<Record<string, unknown>> => {
  const caught = catches(seen, isAttack)
  const merged = mergedCatches(seen)
  const kinds = [...new Set(seen.flatMap(({ cases }) => cases.map(attackOf)))]
  return {
    recall: mean(caught),
    recall_interval: bootstrap(caught),
    caught_by_draw: totals(seen),
    recall_were_each_case_one_alert: merged === null ? null : mean(merged),
    by_attack: Object.fromEntries(kinds.map((kind) => [kind, count(catches(seen, (c) => isAttack(c) && attackOf(c) === kind))])),
    twins_alerted: mean(catches(seen, (c) => c.twin)),
    alerts_per_day: aDay(seen, 'delivered'),
    false_per_day: aDay(seen, 'false'),
  }
}

export const companyPeers = async (): Promise<DetectionPart> => {
  const board = await boardOf()
  return {
    how: [
      'Peers on the same companies of 200: River and PyOD score the vectors that our detector recorded; below their table stands how scores become alerts.',
    ],
    values: Object.fromEntries([...board].map(([name, seen]) => [name, valuesOf(seen)])),
    bars: [],
    tables: [tableOf(board)],
  }
}
