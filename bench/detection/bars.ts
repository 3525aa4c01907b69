// What detection is held to, beside what was measured: read from the sections of the board and the parts of the bench as they were last made.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RESULTS } from '../lib/paths.ts'
import { type Bar, isHit, type Table } from '../lib/result.ts'

export const BOARD = join(RESULTS, 'board')

/** A row of the table: what is measured, what it should beat, and where its figure stands. */
interface Held {
  readonly what: string
  readonly reference: string
  readonly bar: number
  readonly stretch?: number
  readonly atMost?: boolean
  measured(): number | null
}

/** A section of the board as it was last made; null where it never was. */
const sectionOf = (set: string): Table | null => {
  const path = join(BOARD, `${set}.json`)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Table) : null
}

/** The number that a cell begins with; "83 % (50–100)" is .83, "1 of 72" is 1/72. */
export const numberIn = (cell: string | number | null | undefined): number | null => {
  if (typeof cell === 'number') return cell
  const [, number, unit, of] = /^(-?[\d.]+)(?: (%|of) ?([\d.]+)?)?/.exec(cell ?? '') ?? []
  if (number === undefined) return null
  return unit === '%' ? Number(number) / 100 : unit === 'of' ? Number(number) / Number(of) : Number(number)
}

/** A figure of a section. A row or column that is not there is a mistake here, not a missing figure. */
const cellOf =
  (set: string, column: string, ...row: readonly string[]) =>
  (): number | null => {
    const table = sectionOf(set)
    if (table === null) return null
    const at = table.columns.findIndex((name) => name.startsWith(column))
    const found = table.rows.find((cells) => row.every((cell, i) => cells[i] === cell))
    if (at < 0 || found === undefined) throw new Error(`the section ${set} has no ${column} of ${row.join(', ')}`)
    return numberIn(found[at])
  }

/** A bar of a part of the bench, by what it says; null where the part was last run before it had that bar. */
const barOf = (part: string, what: string) => (): number | null => {
  const path = join(RESULTS, 'detection', `${part}.json`)
  if (!existsSync(path)) return null
  const { bars } = JSON.parse(readFileSync(path, 'utf8')) as { readonly bars: readonly Bar[] }
  return bars.find((one) => one.what.startsWith(what))?.measured ?? null
}

/** A value of a part, unrounded. */
const valueOf = (part: string, name: string) => (): number | null => {
  const path = join(RESULTS, 'detection', `${part}.json`)
  if (!existsSync(path)) return null
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly values: Readonly<Record<string, number>> }).values[name] ?? null
}

const minus = (a: () => number | null, b: () => number | null) => (): number | null => {
  const [left, right] = [a(), b()]
  return left === null || right === null ? null : left - right
}

const MEAN = 'Plumbline, L2, mean of 3 hash keys'
const agents = (split: string, column: string, detector = MEAN) => cellOf('agentdyn', column, split, detector)
const kind = (name: string) => cellOf('company', 'caught', name)
const river = (name: string): string => {
  const found = sectionOf('companypeers')?.rows.find(([attack]) => attack === name)
  const at = sectionOf('companypeers')?.columns.findIndex((column) => column.startsWith('River')) ?? -1
  return found === undefined || at < 0 ? 'River on the same features' : `River ${String(found[at])}`
}
const hijackFlow = 'hijack: flow'

const agentBars = (split: 'unseen' | 'seen', reference: readonly string[], bars: readonly (readonly [number, number])[]): Held[] => [
  {
    what: `agentdyn ${split}, AUROC A`,
    reference: reference[0]!,
    bar: bars[0]![0],
    stretch: bars[0]![1],
    measured: agents(split, 'AUROC A'),
  },
  {
    what: `agentdyn ${split}, recall at 5 %`,
    reference: reference[1]!,
    bar: bars[1]![0],
    stretch: bars[1]![1],
    measured: agents(split, 'recall at 5 %'),
  },
  {
    what: `agentdyn ${split}, AUROC B − A`,
    reference: '–',
    bar: -0.02,
    measured: minus(agents(split, 'AUROC B'), agents(split, 'AUROC A')),
  },
  {
    what: `agentdyn ${split}, average precision online − frozen`,
    reference: '–',
    bar: -0.03,
    measured: minus(
      agents(split, 'AP on the stream', 'Plumbline, L2, online on the stream'),
      agents(split, 'AP on the stream', 'Plumbline, L2, frozen on the stream'),
    ),
  },
]

const HELD = (): readonly Held[] => [
  ...agentBars(
    'unseen',
    ['.80', '.25; supervised .34'],
    [
      [0.84, 0.9],
      [0.4, 0.6],
    ],
  ),
  ...agentBars(
    'seen',
    ['.95', '.60'],
    [
      [0.96, 0.98],
      [0.75, 0.85],
    ],
  ),
  {
    what: 'role swap, session recall at 5 %',
    reference: `tool surprise ${cellOf('roles', 'session recall', 'tool surprise alone (worst call)')()?.toFixed(3) ?? ''}`,
    bar: 0.95,
    measured: cellOf('roles', 'session recall', 'Plumbline (worst call)'),
  },
  { what: 'CloudTrail, average precision', reference: '.54', bar: 0.75, measured: cellOf('cloudtrail', 'average precision', 'Plumbline') },
  ...['level_shift', 'spike', 'rhythm'].map((anomaly) => ({
    what: `stream of one number, ${anomaly.replace('_', ' ')}, recall at 1 false alert a month`,
    reference: '–',
    bar: 0.8,
    measured: cellOf('numbers', 'at 1 false alert', anomaly),
  })),
  {
    what: 'ADBench, mean AUROC of 22 sets, percent',
    reference: '83.3',
    bar: 85,
    measured: cellOf('adbench', 'mean AUROC', 'Plumbline, bare autoencoder scorer, mean of 3 seeds'),
  },
  ...['hr_access', 'exfil_overnight', hijackFlow, 'credential_misuse', 'lateral_movement', 'burst', 'probing'].map((name) => ({
    what: `company of 200, ${name}, caught at 20 alerts a day`,
    reference: river(name),
    bar: 0.9,
    measured: kind(name),
  })),
  {
    what: 'company of 200, slow_ramp, caught by the end of its seven days (asked for: within five)',
    reference: river('slow_ramp'),
    bar: 0.7,
    measured: kind('slow_ramp'),
  },
  {
    what: 'company of 200, a delivered alert of a caught case leads with the right reason',
    reference: '–',
    bar: 0.95,
    measured: valueOf('company200', 'explained'),
  },
  {
    what: 'the same of its first alert, which may tell of what the attack began with',
    reference: '–',
    bar: 0.95,
    measured: valueOf('company200', 'explained_first'),
  },
  { what: 'company of 200, twins that alert', reference: '–', bar: 0.05, atMost: true, measured: valueOf('company200', 'twins_alerted') },
  {
    what: '5,000 identities over 15 days, the three seed cases, no other attacks',
    reference: '–',
    bar: 0.9,
    measured: barOf('seeds5000', '5,000 identities'),
  },
  {
    what: '5,000 identities over 8 days, the same and all hijacks among 38 attacks in three days',
    reference: '–',
    bar: 0.9,
    measured: barOf('company5000', '5,000 identities'),
  },
  {
    what: 'benign month, 200 identities, alerts a day, median',
    reference: '–',
    bar: 2,
    atMost: true,
    measured: barOf('benign', 'alerts a day in a month without attacks, median'),
  },
  {
    what: 'the same, most, before the ceiling',
    reference: '–',
    bar: 20,
    atMost: true,
    measured: barOf('benign', 'alerts a day in a month without attacks, most'),
  },
  {
    what: 'benign days, 5,000 identities, alerts a day, median',
    reference: '–',
    bar: 2,
    atMost: true,
    measured: barOf('benign', 'alerts a day without attacks, median'),
  },
  {
    what: 'the same, most, before the ceiling',
    reference: '–',
    bar: 20,
    atMost: true,
    measured: barOf('benign', 'alerts a day without attacks, most'),
  },
  { what: 'incident: flow split over three agents', reference: 'one partition', bar: 0.9, measured: barOf('incidents', 'incidents: flow') },
  {
    what: 'incident: bad tool across the fleet',
    reference: 'one partition',
    bar: 0.9,
    measured: barOf('incidents', 'incidents: bad tool'),
  },
]

/** Shown with as many digits as the bar is judged by. */
const shown = (value: number): string => (Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3))

const verdictOf = ({ bar, stretch, atMost = false }: Held, measured: number | null): string => {
  if (measured === null) return 'not measured'
  const atLeast = !atMost
  const is = (wanted: number): boolean => isHit({ what: '', measured, bar: wanted, atLeast, unit: '' })
  if (!is(bar)) return `**missed by ${shown(Math.abs(measured - bar))}**`
  return stretch !== undefined && is(stretch) ? 'met, stretch too' : 'met'
}

export const barsTable = (): Table => ({
  title: 'What is met, and what is not',
  columns: ['what', 'to beat', 'bar', 'measured', 'verdict'],
  rows: HELD().map((held) => {
    const measured = held.measured()
    const bar = `${held.atMost === true ? '≤' : '≥'} ${held.bar}${held.stretch === undefined ? '' : `, stretch ${held.stretch}`}`
    return [held.what, held.reference, bar, measured === null ? '–' : shown(measured), verdictOf(held, measured)]
  }),
  notes: [
    'Figures of the sections below and of the parts of the bench in results.md (benign life, 5,000 identities, incidents), each as last measured.',
  ],
})
