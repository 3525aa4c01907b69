// Streams of one number: bytes per interval of one identity, with spikes, shifts and changes of rhythm.
import { canonicalEvent } from '@plumbline/detector'
import { DAY, generateNumbers, HOUR, NUMBER_ANOMALIES, NUMBER_SHAPES, type NumberCase } from '@plumbline/generator'
import { type Alert, DEFAULT_DETECTION_CONFIG, Event } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'
import { cached } from '../lib/cached.ts'
import { bootstrap, mean } from '../lib/numbers.ts'
import { sourceHash } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'
import type { DetectionPart } from './detection.ts'

const SEEDS = [241, 242, 243]
const OPTIONS = { streams: 60, days: 44, startTime: Date.UTC(2026, 8, 1), anomaliesFromDay: 14 }
const MONTH_MS = 30 * DAY
const FALSE_PER_MONTH = 1
/** An alert this long after the end still speaks of the anomaly: windows of a day are still full of it. */
const AFTER_MS = DAY
/** What looks odd within so long counts once, as alerts group it. */
const GROUP_MS = HOUR

interface Run {
  readonly cases: readonly NumberCase[]
  /** Per hour of an identity: its highest −log10 of the tail. */
  readonly peaks: readonly { readonly identity: string; readonly hour: number; readonly tail: number }[]
  readonly alerts: readonly Alert[]
  readonly streamMonths: number
}

const run = async (seed: number): Promise<Run> => {
  const { events, cases } = generateNumbers({ ...OPTIONS, seed })
  const learner = new Learner({ config: DEFAULT_DETECTION_CONFIG, masterKey: new Uint8Array(16), trains: true })
  const peaks = new Map<string, { readonly identity: string; readonly hour: number; tail: number }>()
  const alerts: Alert[] = []
  const judgeFrom = OPTIONS.startTime + OPTIONS.anomaliesFromDay * DAY
  const step = async (): Promise<void> => {
    const flushed = await learner.step()
    alerts.push(...flushed.alerts.filter(({ revision, firstSeen }) => revision === 1 && firstSeen >= judgeFrom))
    for (const { identity, event_time: time, tail_log10: tail } of flushed.rows) {
      if (time < judgeFrom) continue
      const hour = Math.floor(time / GROUP_MS)
      const name = `${identity}|${hour}`
      const peak = peaks.get(name)
      if (peak === undefined) peaks.set(name, { identity, hour, tail })
      else peak.tail = Math.max(peak.tail, tail)
    }
  }
  for (const [i, event] of events.entries()) {
    const parsed = Event.parse(event)
    learner.instance.append({ tenant: 'default', identity: parsed.identity.id, timeMs: parsed.time, bytes: canonicalEvent(parsed) })
    if (i % 500 === 499) await step()
  }
  await step()
  const streamMonths = (cases.length * (OPTIONS.days - OPTIONS.anomaliesFromDay) * DAY) / MONTH_MS
  return { cases, peaks: [...peaks.values()], alerts, streamMonths }
}

const belongs = (one: NumberCase, identity: string, from: number, to: number): boolean =>
  one.identity === identity && to >= one.from && from < one.to + AFTER_MS

interface Judged {
  readonly caught: ReadonlySet<NumberCase>
  readonly falsePerMonth: number
}

const judge = (
  { cases, streamMonths }: Run,
  signals: readonly { readonly identity: string; readonly from: number; readonly to: number }[],
): Judged => {
  const caught = new Set<NumberCase>()
  const byIdentity = new Map(cases.map((one) => [one.identity, one]))
  let wrong = 0
  for (const { identity, from, to } of signals) {
    const one = byIdentity.get(identity)!
    if (belongs(one, identity, from, to)) caught.add(one)
    else wrong++
  }
  return { caught, falsePerMonth: wrong / streamMonths }
}

/** The lowest threshold at which a stream has at most one false alert a month, by its peaks per hour. */
const atRate = (one: Run): Judged => {
  const tails = [...new Set(one.peaks.map(({ tail }) => tail))].sort((a, b) => b - a)
  const signalsAt = (threshold: number) =>
    one.peaks
      .filter(({ tail }) => tail >= threshold)
      .map(({ identity, hour }) => ({ identity, from: hour * GROUP_MS, to: (hour + 1) * GROUP_MS }))
  let [low, high] = [0, tails.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (judge(one, signalsAt(tails[middle]!)).falsePerMonth <= FALSE_PER_MONTH) low = middle
    else high = middle - 1
  }
  return judge(one, signalsAt(tails[low]!))
}

const asShipped = (one: Run): Judged =>
  judge(
    one,
    one.alerts.map(({ facts, firstSeen, lastSeen }) => ({ identity: facts.identity.id, from: firstSeen, to: lastSeen })),
  )

const percent = (x: number): string => `${Math.round(100 * x)} %`

const recallOf = (cases: readonly NumberCase[], judged: readonly Judged[]): string => {
  const hits = cases.map((one) => (judged.some(({ caught }) => caught.has(one)) ? 1 : 0))
  if (hits.length === 0) return '–'
  const [low, high] = bootstrap(hits)
  return `${percent(mean(hits))} (${Math.round(100 * low)}–${Math.round(100 * high)})`
}

const measured = async (): Promise<DetectionPart> => {
  const runs: Run[] = []
  for (const seed of SEEDS) runs.push(await run(seed))
  const [tuned, shipped] = [runs.map(atRate), runs.map(asShipped)]
  const cases = runs.flatMap((one) => one.cases)
  const row = (name: string, of: (one: NumberCase) => boolean): (string | number)[] => {
    const own = cases.filter(of)
    return [name, own.length, recallOf(own, tuned), recallOf(own, shipped)]
  }
  const recall = (of: (one: NumberCase) => boolean): number =>
    mean(cases.filter(of).map((one) => (tuned.some(({ caught }) => caught.has(one)) ? 1 : 0)))
  const table: Table = {
    title: 'Streams of one number: recall',
    columns: ['anomaly', 'cases', `at ${FALSE_PER_MONTH} false alert a month and stream (95 %)`, 'as shipped (95 %)'],
    rows: [
      ...NUMBER_ANOMALIES.map((anomaly) => row(anomaly, (one) => one.anomaly === anomaly)),
      ...NUMBER_SHAPES.map((shape) => row(`in a ${shape} stream`, (one) => one.shape === shape)),
      row('all', () => true),
    ],
    notes: [
      `As shipped: ${mean(shipped.map((one) => one.falsePerMonth)).toFixed(2)} false alerts a month and stream; at the threshold of the other column ${mean(tuned.map((one) => one.falsePerMonth)).toFixed(2)}.`,
    ],
  }
  return {
    how: [
      `Streams of one number: ${OPTIONS.streams} identities push one number of bytes every 10 to 30 minutes (steady, noisy, constant, following the day, in batches) for ${OPTIONS.days} days; after ${OPTIONS.anomaliesFromDay} days each meets one anomaly: a shift of the level for a day (4 spreads), a spike for an hour (8 spreads), four times the pace for 6 hours. Seeds ${SEEDS.join(', ')}.`,
    ],
    values: { recall: recall(() => true), falsePerMonth: shipped.map((one) => one.falsePerMonth) },
    bars: NUMBER_ANOMALIES.map((anomaly) => ({
      what: `streams of one number: recall of ${anomaly.replace('_', ' ')} at ${FALSE_PER_MONTH} false alert a month`,
      measured: recall((one) => one.anomaly === anomaly),
      bar: 0.8,
      atLeast: true,
      unit: 'of cases',
    })),
    tables: [table],
  }
}

export const numbers = (): Promise<DetectionPart> =>
  cached('numbers', [sourceHash('packages/generator/src', 'bench/detection/numbers.ts', 'bench/lib/numbers.ts')], measured)

export const numbersTable = async (): Promise<Table> => {
  const { how, tables } = await numbers()
  const [table] = tables
  return { ...table!, notes: [...how, ...(table!.notes ?? [])] }
}
