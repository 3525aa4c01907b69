// What goes over several identities: incidents of the correlator on generated companies, beside what alerts alone say of the same cases.
import type { AttackKind, GenerateOptions } from '@plumbline/generator'
import { labelledWindow } from '@plumbline/generator'
import { DEFAULT_DETECTION_CONFIG, type Incident, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { Correlator } from '../../services/correlator/src/core/correlator.ts'
import { LATENESS_MS } from '../../services/correlator/src/core/limits.ts'
import { RowReader } from '../../services/correlator/src/rows.ts'
import { mean } from '../lib/numbers.ts'
import { type CaseResult, type CompanyResult, runCompany } from './company.ts'
import type { DetectionPart } from './detection.ts'

const SEEDS = [233, 234]
const KINDS = ['split_flow', 'bad_tool_fleet', 'credential_misuse'] as const satisfies readonly AttackKind[]
/** Which kind of incident tells of which attack. */
const TELLS: Readonly<Record<(typeof KINDS)[number], Incident['kind']>> = {
  split_flow: 'split_flow',
  bad_tool_fleet: 'common_cause',
  credential_misuse: 'shared_source',
}
const DAY_MS = 86_400_000
const SHARED_TOOL = 'pdf.convert'

const companyOf = (seed: number): GenerateOptions => ({
  seed,
  identities: 200,
  days: 15,
  handoffs: true,
  attacks: { kinds: KINDS, perKind: 6 },
})

interface Run {
  readonly cases: readonly CaseResult[]
  /** Cases that an incident of the right kind tells of. */
  readonly told: ReadonlySet<string>
  /** Of bad tools: the incident names the tool. */
  readonly named: ReadonlySet<string>
  readonly falsePerDay: number
}

/** Labels that an incident joins: by its steps, else by what it holds as evidence. */
const casesOf = (incident: Incident, { labels }: CompanyResult): readonly string[] => {
  const places = incident.steps?.map(({ position }) => position) ?? incident.evidence
  const found = places
    .flatMap(({ offset }) => labels.get(offset) ?? [])
    .filter(({ attack, key, twin }) => twin || (key && TELLS[attack as (typeof KINDS)[number]] === incident.kind))
  return [...new Set(found.map((label) => label.case))]
}

const runIncidents = async (options: GenerateOptions): Promise<Run> => {
  const correlator = new Correlator()
  const reader = new RowReader()
  const incidents = new Map<string, Incident>()
  const close = (upTo: number): void => {
    for (const incident of correlator.close(upTo)) incidents.set(incident.id, incident)
  }
  let newest = 0
  const result = await runCompany({
    generate: options,
    config: DEFAULT_DETECTION_CONFIG,
    judgeFromMs: labelledWindow(options).from,
    onCommit({ scored, alerts }) {
      if (scored !== null) newest = reader.read(scored.bytes, SCORED_SCHEMA_VERSION, (signal) => correlator.add(signal))
      for (const { id, severity, facts, replay } of alerts)
        correlator.addAlert({ tenant: facts.tenant, id, severity, time: facts.time, shard: 0, offset: replay.position.offset })
      close(newest - LATENESS_MS)
    },
  })
  close(newest + 2 * DAY_MS)
  const told = new Set<string>()
  const named = new Set<string>()
  let wrong = 0
  for (const incident of incidents.values()) {
    const cases = casesOf(incident, result)
    if (cases.length === 0) wrong++
    for (const name of cases) {
      told.add(name)
      if ([incident.cause, ...incident.also].some(({ kind, value }) => kind === 'tool' && value === SHARED_TOOL)) named.add(name)
    }
  }
  return { cases: result.cases, told, named, falsePerDay: wrong / (options.days ?? 15) }
}

const percent = (x: number): string => `${Math.round(100 * x)} %`
const share = (cases: readonly CaseResult[], has: (one: CaseResult) => boolean): number => mean(cases.map((one) => (has(one) ? 1 : 0)))

export const incidents = async (): Promise<DetectionPart> => {
  const runs: Run[] = []
  for (const seed of SEEDS) runs.push(await runIncidents(companyOf(seed)))
  const told = new Set(runs.flatMap((run, i) => [...run.told].map((name) => `${i}/${name}`)))
  const named = new Set(runs.flatMap((run, i) => [...run.named].map((name) => `${i}/${name}`)))
  const cases = runs.flatMap((run, i) => run.cases.map((one) => ({ ...one, case: `${i}/${one.case}` })))
  const of = (kind: AttackKind, twin: boolean): readonly CaseResult[] => cases.filter((one) => one.kind === kind && one.twin === twin)
  const isTold = (one: CaseResult): boolean => told.has(one.case)
  const falsePerDay = mean(runs.map((run) => run.falsePerDay))
  const recall = Object.fromEntries(KINDS.map((kind) => [kind, share(of(kind, false), isTold)]))
  const twins = Object.fromEntries(KINDS.map((kind) => [kind, share(of(kind, true), isTold)]))
  const names = share(of('bad_tool_fleet', false), (one) => named.has(one.case))
  const bar = (what: string, measured: number, atMost?: number) => ({
    what,
    measured,
    bar: atMost ?? 0.9,
    atLeast: atMost === undefined,
    unit: '',
  })
  return {
    how: [
      `Incidents: companies of 200 over 15 days in which agents hand tasks on, seeds ${SEEDS.join(', ')}, 6 cases of each kind at subtlety 3 and a twin of each; rows and alerts go through the correlator as they are committed, windows are closed five minutes behind the newest arrival. A case is told when an incident of its kind names an event of it.`,
    ],
    values: { recall, twins, names, falsePerDay },
    bars: [
      bar('incidents: flow split over three agents', recall['split_flow']!),
      bar('incidents: bad tool across the fleet', recall['bad_tool_fleet']!),
      bar('incidents: of these, the tool is named', names),
      bar('incidents: benign twins told', Math.max(...Object.values(twins)), 0.05),
    ],
    tables: [
      {
        title: 'Incidents across identities',
        columns: ['attack', 'cases', 'told by an incident', 'some identity alerts', 'twins told'],
        rows: KINDS.map((kind) => [
          kind,
          of(kind, false).length,
          percent(recall[kind]!),
          percent(share(of(kind, false), ({ caught }) => caught)),
          percent(twins[kind]!),
        ]),
        notes: [
          `${falsePerDay.toFixed(2)} incidents a day belong to no case, the first days of a company that nothing is known of included.`,
          'A credential is told by a shared source only where the source was one identity’s own; who uses it from an office is left to alerts.',
        ],
      },
    ],
  }
}
