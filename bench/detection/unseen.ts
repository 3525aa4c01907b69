import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseParams } from '@plumbline/generator'
import { bootstrap } from '../lib/numbers.ts'
import { companyRun } from './company-run.ts'
import type { DetectionPart } from './detection.ts'
import { caseValues, falseTable, recallTable, seedCaseBars } from './generated.ts'

/** Where the parameter file is: `--params FILE` among the arguments, else PLUMBLINE_BENCH_PARAMS; null where nobody named one. */
export const paramsPath = (args: readonly string[]): { readonly path: string | null; readonly rest: readonly string[] } => {
  const at = args.indexOf('--params')
  if (at < 0) return { path: process.env['PLUMBLINE_BENCH_PARAMS'] || null, rest: args }
  const path = args[at + 1]
  if (path === undefined) throw new Error('--params needs a file: JSON of GenerateOptions (packages/generator/src/options.ts)')
  return { path, rest: args.toSpliced(at, 2) }
}

/**
 * A company that nobody tuned against (C17): its parameters and its seed stand in a file outside the repository, of which the
 * result keeps the hash only. Whoever has the file can run it again.
 */
export const unseenCompany = async (path: string): Promise<DetectionPart> => {
  const text = readFileSync(path, 'utf8')
  const given = parseParams(text)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const run = await companyRun({ generate: { identities: 200, days: 15, ...given, tenant: 'default' } })
  const attacks = run.cases.filter((c) => !c.twin)
  if (attacks.length === 0) throw new Error(`${path} places no attacks: there is nothing to judge`)
  const [low] = bootstrap(attacks.map((c) => (c.delivered ? 1 : 0)))
  return {
    how: [
      `A seed and parameters kept out of the repository (\`--params\`; SHA-256 of the file \`${sha256.slice(0, 16)}…\`): ${run.events} events, ${attacks.length} attacks and ${run.cases.length - attacks.length} twins, judged on the labelled days.`,
    ],
    values: { params_sha256: sha256, events: run.events, recall_low: low, ...caseValues([run]) },
    bars: seedCaseBars([run])
      .filter((bar) => !Number.isNaN(bar.measured))
      .map((bar) => ({ ...bar, what: `unseen parameters: ${bar.what}` })),
    tables: [
      recallTable('Recall on unseen parameters, 20 alerts a day', [run]),
      falseTable('False alerts on the labelled days, unseen parameters', [run], [`file ${sha256.slice(0, 8)}`]),
    ],
  }
}
