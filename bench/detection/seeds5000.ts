// The three cases that an analyst must hear of, in a company of 5,000 at the ceiling of 20 alerts a day.
import type { GenerateOptions } from '@plumbline/generator'
import { companyRun } from './company-run.ts'
import type { DetectionPart } from './detection.ts'
import { caseValues, falseTable, recallTable } from './generated.ts'

const CASES = 5
/** No other attacks: a bad tool alone alerts for hundreds of identities of such a company, and the part company5000 has them all. */
const GENERATE: GenerateOptions = {
  seed: 215,
  identities: 5_000,
  days: 15,
  eventsPerIdentityDay: 20,
  attacks: [
    { kind: 'hr_access', count: CASES },
    { kind: 'exfil_overnight', count: CASES },
    { kind: 'hijack', variant: 'flow', count: CASES },
  ],
}

export const seeds5000 = async (): Promise<DetectionPart> => {
  const run = await companyRun({ generate: GENERATE })
  const cases = run.cases.filter((c) => !c.twin)
  return {
    how: [
      `The three seed cases in a company of 5,000 over 15 days at 20 events per identity and day, ${CASES} of each in the last three days, and a twin each; seed ${GENERATE.seed}.`,
    ],
    values: caseValues([run]),
    bars: [
      {
        what: '5,000 identities: share of HR, overnight and exfiltrating hijack cases caught, among no other attacks',
        measured: cases.filter((c) => c.delivered).length / cases.length,
        bar: 0.9,
        atLeast: true,
        unit: 'of cases',
      },
    ],
    tables: [
      recallTable('The three seed cases, 5,000 identities, 20 alerts a day', [run]),
      falseTable('False alerts on those days', [run], [`seed ${GENERATE.seed}`]),
    ],
  }
}
