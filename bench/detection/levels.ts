// The generated company at the ceiling of alerts, and at how much telemetry each case is caught.
import type { Table } from '../lib/result.ts'
import { type CaseOutcome, companyRun } from './company-run.ts'
import { companyOf, recallTable, SEEDS } from './generated.ts'

const LEVELS = ['L0', 'L1', 'L2'] as const
type Level = (typeof LEVELS)[number]
/** Share of a case's attacks that counts as caught at a level. */
const LEAST = 0.9

/** The cases that the product is for. */
const CASES: Readonly<Record<string, (c: CaseOutcome) => boolean>> = {
  'customer service reads HR records': (c) => c.kind === 'hr_access',
  'gigabytes overnight': (c) => c.kind === 'exfil_overnight',
  'planted instruction, data goes out': (c) => c.kind === 'hijack' && c.variant === 'flow',
}

export const companyTable = async (): Promise<Table> => {
  const runs = []
  for (const seed of SEEDS) runs.push(await companyRun({ generate: companyOf(seed), keepVectors: true }))
  return recallTable(`Generated company of 200, 20 alerts a day, L2, seeds ${SEEDS.join(', ')}`, runs)
}

export const levelsTable = async (): Promise<Table> => {
  const cases = new Map<Level, CaseOutcome[]>()
  for (const level of LEVELS) {
    const found: CaseOutcome[] = []
    for (const seed of SEEDS) {
      const generate = companyOf(seed)
      const options = level === 'L2' ? { generate, keepVectors: true } : { generate: { ...generate, level } }
      found.push(...(await companyRun(options)).cases.filter((c) => !c.twin))
    }
    cases.set(level, found)
  }
  const ofLevel = (is: (c: CaseOutcome) => boolean, level: Level): string => {
    const of = cases.get(level)!.filter(is)
    return `${of.filter((c) => c.delivered).length} of ${of.length}`
  }
  const lowest = (is: (c: CaseOutcome) => boolean): string =>
    LEVELS.find((level) => {
      const of = cases.get(level)!.filter(is)
      return of.filter((c) => c.delivered).length >= LEAST * of.length
    }) ?? 'none'
  return {
    title: 'The seed cases by telemetry, generated company of 200',
    columns: ['case', ...LEVELS, `lowest level with ${LEAST} caught`],
    rows: Object.entries(CASES).map(([name, is]) => [name, ...LEVELS.map((level) => ofLevel(is, level)), lowest(is)]),
    notes: [
      'L0: stock OpenTelemetry (who, what tool, when, outcome, tokens, duration). L1: also sizes, resources, destinations and sources. L2: also content features, sensitivity told by the sender, and where targets came from.',
    ],
  }
}
