import { USUAL_KINDS, type GenerateOptions } from '@plumbline/generator'
import { bootstrap, mean, median, sum } from '../lib/numbers.ts'
import type { Bar, Table } from '../lib/result.ts'
import { type CaseOutcome, type CompanyRun, companyRun } from './company-run.ts'
import type { DetectionPart } from './detection.ts'

/** Shared with the peers' bench, which reads the vectors of the same runs. */
export const SEEDS = [211, 212, 213]
export const companyOf = (seed: number): GenerateOptions => ({ seed, identities: 200, days: 15, eventsPerIdentityDay: 100 })

const percent = (x: number): string => (Number.isNaN(x) ? '–' : `${Math.round(100 * x)} %`)
const share = (cases: readonly CaseOutcome[], of: (c: CaseOutcome) => boolean): number =>
  cases.length === 0 ? Number.NaN : cases.filter(of).length / cases.length

/** "83 % (67–100), n 12", of the cases that are so. */
const interval = (cases: readonly CaseOutcome[], of: (c: CaseOutcome) => boolean): string => {
  if (cases.length === 0) return '–'
  const [low, high] = bootstrap(cases.map((c) => (of(c) ? 1 : 0)))
  return `${percent(share(cases, of))} (${Math.round(100 * low)}–${Math.round(100 * high)})`
}

const caught = (c: CaseOutcome): boolean => c.delivered

export const recallTable = (title: string, runs: readonly CompanyRun[]): Table => {
  const cases = runs.flatMap((r) => r.cases)
  const row = (name: string, kind: (c: CaseOutcome) => boolean): (string | number)[] => {
    const attacks = cases.filter((c) => !c.twin && kind(c))
    const twins = cases.filter((c) => c.twin && kind(c))
    return [
      name,
      attacks.length,
      interval(attacks, caught),
      percent(share(attacks, (c) => c.raised)),
      percent(share(attacks.filter(caught), (c) => c.explained)),
      percent(share(attacks.filter(caught), (c) => c.explainedFirst === true)),
      twins.length === 0 ? '–' : `${twins.filter(caught).length} of ${twins.length}`,
    ]
  }
  const variants = ['flow', 'internal', 'model_output', 'stock']
  return {
    title,
    columns: [
      'attack',
      'cases',
      'caught (95 %)',
      'raised before the ceiling',
      'of those caught, explained',
      'by the first alert',
      'twins that alerted',
    ],
    rows: [
      ...USUAL_KINDS.map((kind) => row(kind, (c) => c.kind === kind)),
      ...variants.map((v) => row(`hijack: ${v}`, (c) => c.kind === 'hijack' && c.variant === v)),
      row('all', () => true),
    ],
  }
}

export const falseTable = (title: string, runs: readonly CompanyRun[], names: readonly string[]): Table => ({
  title,
  columns: [
    'run',
    'events',
    'days judged',
    'false alerts a day, median',
    'most',
    'held back a day, median',
    'all alerts a day, most',
    'families of false alerts',
  ],
  rows: runs.map((r, i) => [
    names[i]!,
    r.events,
    r.days.length,
    median(r.days.map((d) => d.false)),
    Math.max(...r.days.map((d) => d.false)),
    median(r.days.map((d) => d.falseHeld)),
    Math.max(...r.days.map((d) => d.delivered)),
    Object.entries(r.falseFamilies)
      .sort((a, b) => b[1] - a[1])
      .map(([f, n]) => `${f} ${n}`)
      .join(', ') || '–',
  ]),
})

/** Every case of a seed kind is caught, and by the right reason. */
export const seedCaseBars = (runs: readonly CompanyRun[]): Bar[] => {
  const attacks = runs.flatMap((r) => r.cases).filter((c) => !c.twin)
  const bar = (what: string, measured: number): Bar => ({ what, measured, bar: 1, atLeast: true, unit: 'of cases' })
  const both = (what: string, cases: readonly CaseOutcome[]): Bar[] => [
    bar(`${what}: share caught`, share(cases, caught)),
    bar(
      `${what}: share caught and explained by an accepted reason`,
      share(cases, (c) => c.explained),
    ),
  ]
  const of = (kind: string) => attacks.filter((c) => c.kind === kind)
  return [
    ...both('HR records', of('hr_access')),
    ...both('gigabytes overnight', of('exfil_overnight')),
    ...both(
      'hijacked agent (untrusted read, sensitive read, write to a place outside)',
      of('hijack').filter((c) => c.variant === 'flow'),
    ),
    bar('hijacked agent, all four variants: share caught', share(of('hijack'), caught)),
    bar('zero-variance burst: share caught', share(of('burst'), caught)),
  ]
}

export const caseValues = (runs: readonly CompanyRun[]) => {
  const attacks = runs.flatMap((r) => r.cases).filter((c) => !c.twin)
  const twins = runs.flatMap((r) => r.cases).filter((c) => c.twin)
  return {
    recall: share(attacks, caught),
    recall_interval: bootstrap(attacks.map((c) => (caught(c) ? 1 : 0))),
    explained: share(attacks.filter(caught), (c) => c.explained),
    explained_first: share(attacks.filter(caught), (c) => c.explainedFirst === true),
    twins_alerted: share(twins, caught),
    false_per_day: mean(runs.map((r) => mean(r.days.map((d) => d.false)))),
    missed: attacks.filter((c) => !caught(c)).map((c) => `${c.kind}/${c.variant} ×${c.size.toFixed(1)}${c.raised ? ' (held)' : ''}`),
    seconds: sum(runs.map((r) => r.seconds)),
  }
}

export const company200 = async (): Promise<DetectionPart> => {
  const runs: CompanyRun[] = []
  for (const seed of SEEDS) runs.push(await companyRun({ generate: companyOf(seed), keepVectors: true }))
  return {
    how: [
      `200 identities: 15 days at 100 events per identity and day, attacks in the last 3, two cases of each kind (one of each hijack variant) and a twin each, seeds ${SEEDS.join(', ')}.`,
    ],
    values: caseValues(runs),
    bars: seedCaseBars(runs),
    tables: [
      recallTable('Recall, 200 identities, 20 alerts a day', runs),
      falseTable(
        'False alerts on the labelled days, 200 identities',
        runs,
        SEEDS.map((s) => `seed ${s}`),
      ),
    ],
  }
}

export const company5000 = async (): Promise<DetectionPart> => {
  const generate: GenerateOptions = {
    seed: 214,
    identities: 5_000,
    days: 8,
    eventsPerIdentityDay: 20,
    attacks: { perKind: 3, labelledDays: 3 },
  }
  const run = await companyRun({ generate })
  const cases = run.cases.filter((c) => !c.twin)
  return {
    how: [
      `5,000 identities at the same 20 alerts a day: one seed (${generate.seed}), 8 days at 20 events per identity and day to keep the run short; identities know less of themselves than in the other runs.`,
    ],
    values: caseValues([run]),
    bars: [
      {
        what: '5,000 identities: share of HR, overnight and hijack cases caught',
        measured: share(
          cases.filter((c) => ['hr_access', 'exfil_overnight', 'hijack'].includes(c.kind)),
          caught,
        ),
        bar: 1,
        atLeast: true,
        unit: 'of cases',
      },
    ],
    tables: [
      recallTable('Recall, 5,000 identities, 20 alerts a day', [run]),
      falseTable('False alerts on the labelled days, 5,000 identities', [run], [`seed ${generate.seed}`]),
    ],
  }
}

export const benignMonth = async (): Promise<DetectionPart> => {
  const month = await companyRun({
    generate: { seed: 221, identities: 200, days: 37, eventsPerIdentityDay: 60, attacks: 'none' },
    judgeFromDay: 7,
  })
  const many = await companyRun({
    generate: { seed: 222, identities: 5_000, days: 10, eventsPerIdentityDay: 20, attacks: 'none' },
    judgeFromDay: 5,
  })
  const alerts = (r: CompanyRun): number[] => r.days.map((d) => d.delivered)
  const names = ['200 identities, 30 days', '5,000 identities, 5 days']
  const calibration = calibrationOf([month, many], names)
  const most = (what: string, run: CompanyRun): Bar => ({
    what,
    // Before the ceiling, which nearly no day can pass.
    measured: Math.max(...run.days.map((d) => d.false + d.falseHeld)),
    bar: 20,
    atLeast: false,
    unit: 'a day',
    digits: 0,
  })
  return {
    how: [
      'A month without attacks (deploys, joiners, month end, leave, travel): 200 identities, 60 events per identity and day, 7 days to learn, then 30 judged. 5,000 identities: 5 days to learn, 5 judged, 20 events per identity and day.',
    ],
    values: {
      median_200: median(alerts(month)),
      most_200: Math.max(...alerts(month)),
      per_day_200: alerts(month),
      median_5000: median(alerts(many)),
      most_5000: Math.max(...alerts(many)),
      per_day_5000: alerts(many),
    },
    bars: [
      {
        what: 'alerts a day in a month without attacks, median, 200 identities',
        measured: median(alerts(month)),
        bar: 2,
        atLeast: false,
        unit: 'a day',
        digits: 1,
      },
      {
        what: 'alerts a day without attacks, median, 5,000 identities (5 days)',
        measured: median(alerts(many)),
        bar: 2,
        atLeast: false,
        unit: 'a day',
        digits: 1,
      },
      most('alerts a day in a month without attacks, most, before the ceiling, 200 identities', month),
      most('alerts a day without attacks, most, before the ceiling, 5,000 identities (5 days)', many),
      ...calibration.bars,
    ],
    tables: [falseTable('Life without attacks', [month, many], names), calibration.table],
  }
}

/** Observed over expected exceedances; off by a factor either way is as wrong. */
const calibrationOf = (runs: readonly CompanyRun[], names: readonly string[]): { readonly bars: Bar[]; readonly table: Table } => {
  const ratios = runs.map(({ tails }) => tails.atMost.map((n, i) => n / (tails.rows * 10 ** -(i + 2))))
  return {
    bars: [2, 3, 4].map((p, i) => ({
      what: `calibration: observed ÷ expected events at 1e-${p}, or its inverse, benign month of 200`,
      measured: Math.max(ratios[0]![i]!, 1 / ratios[0]![i]!),
      bar: 2,
      atLeast: false,
      unit: '×',
    })),
    table: {
      title: 'Calibration on benign life that no model was fitted to: observed ÷ expected',
      columns: ['run', 'events', 'tail ≤ 1e-2', '≤ 1e-3', '≤ 1e-4'],
      rows: runs.map((r, i) => [names[i]!, r.tails.rows, ...ratios[i]!.map((x) => Number(x.toFixed(2)))]),
    },
  }
}

const BINS = [1.2, 3, 10, 30, 100, 1_000.1]

export const sizeCurve = async (): Promise<DetectionPart> => {
  const runs: CompanyRun[] = []
  for (const seed of [231, 232]) {
    runs.push(
      await companyRun({
        generate: {
          seed,
          identities: 200,
          days: 16,
          eventsPerIdentityDay: 60,
          attacks: { size: [1.2, 1_000], perKind: 5, labelledDays: 6 },
        },
      }),
    )
  }
  const cases = runs.flatMap((r) => r.cases)
  const within = (i: number) => (c: CaseOutcome) => c.size >= BINS[i]! && c.size < BINS[i + 1]!
  const bins = BINS.slice(1).map((_to, i) => i)
  const label = (i: number): string => `${BINS[i]}–${Math.floor(BINS[i + 1]!)} ×`
  const rows = bins.map((i) => {
    const attacks = cases.filter((c) => !c.twin && within(i)(c))
    return [label(i), attacks.length, interval(attacks, caught), percent(share(attacks, (c) => c.raised))]
  })
  const twins = cases.filter((c) => c.twin)
  rows.push(['benign twins (must not)', twins.length, interval(twins, caught), percent(share(twins, (c) => c.raised))])
  const kinds = USUAL_KINDS.map((kind) => [
    kind,
    ...bins.map((i) => {
      const list = cases.filter((c) => !c.twin && c.kind === kind && within(i)(c))
      return list.length === 0 ? '–' : `${list.filter(caught).length} of ${list.length}`
    }),
  ])
  return {
    how: [
      'Recall over size: sizes drawn evenly on the log scale from 1.2 to 1,000 times normal, five cases of each kind over six days, seeds 231 and 232; so many attacks at once meet the ceiling, so what was raised before it stands beside.',
    ],
    values: { by_size: Object.fromEntries(rows.map((r) => [r[0], r[2]])) },
    bars: [],
    tables: [
      { title: 'Recall over size', columns: ['size', 'cases', 'caught (95 %)', 'raised before the ceiling'], rows },
      { title: 'Recall over size, by kind (caught of cases)', columns: ['attack', ...bins.map(label)], rows: kinds },
    ],
  }
}
