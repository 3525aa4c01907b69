// The scoreboard of detection: npm run bench:detection writes bench/detection.md. Sets that are not here are left out and named.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'
import { agentsTable } from './agents.ts'
import { BOARD, barsTable } from './bars.ts'
import { cloudtrailTable } from './cloudtrail.ts'
import { companyPeersTable } from './company-peers.ts'
import { companyTable, levelsTable } from './levels.ts'
import { numbersTable } from './numbers.ts'
import { rolesTable } from './roles.ts'
import { adbenchTable } from './tabular.ts'
import { tauTable } from './tau.ts'

const SETS: Readonly<Record<string, () => Promise<Table | null>>> = {
  agentdyn: agentsTable,
  cloudtrail: cloudtrailTable,
  adbench: adbenchTable,
  numbers: numbersTable,
  roles: rolesTable,
  tau: tauTable,
  company: companyTable,
  companypeers: companyPeersTable,
  levels: levelsTable,
}

/** Whole numbers above 1 are counts; everything else is a share. */
const cell = (value: string | number | null | undefined): string => {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'string') return value
  return Number.isInteger(value) && value > 1 ? String(value) : value.toFixed(3)
}

const markdown = ({ title, columns, rows, notes = [] }: Table): string =>
  [
    `## ${title}`,
    '',
    `| ${columns.join(' | ')} |`,
    `|${columns.map(() => '---').join('|')}|`,
    ...rows.map((r) => `| ${r.map((c) => cell(c as string | number | null)).join(' | ')} |`),
    '',
    ...notes.map((n) => `${n}\n`),
  ].join('\n')

/** Sections of the board by their headings, in their order. */
const sectionsOf = (path: string): Map<string, string> => {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const [, ...sections] = text.split(/^## /m)
  return new Map(sections.map((s) => [s.slice(0, s.indexOf('\n')), `## ${s.trimEnd()}\n`]))
}

const names = process.argv.slice(2)
const unknown = names.filter((n) => !Object.hasOwn(SETS, n))
if (unknown.length > 0) throw new Error(`no set ${unknown.join(', ')}; there are ${Object.keys(SETS).join(', ')}`)
const path = join(ROOT, 'bench', 'detection.md')
/** A run of some sets keeps the sections of the others as they stand; a run of all begins anew. */
const sections = names.length === 0 ? new Map<string, string>() : sectionsOf(path)
for (const [name, table] of Object.entries(SETS)) {
  if (names.length > 0 && !names.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  const made = await table()
  if (made !== null) {
    sections.delete(name)
    sections.set(made.title, `${markdown(made).trimEnd()}\n`)
    mkdirSync(BOARD, { recursive: true })
    writeFileSync(join(BOARD, `${name}.json`), `${JSON.stringify(made, null, 1)}\n`)
  } else if (names.length === 0) sections.set(name, `## ${name}\n\nLeft out: the shared data folder is not here.\n`)
  else process.stderr.write(`${name}: left out, the shared data folder is not here\n`)
}
const bars = barsTable()
sections.delete(bars.title)
/** Written by hand: what was tried, with what it brought. */
const tried = readFileSync(join(ROOT, 'bench', 'detection', 'tried.md'), 'utf8').trimEnd()
sections.delete('What was tried')
writeFileSync(
  path,
  `# Detection scoreboard\n\nMade by \`npm run bench:detection\`. Rows without a part leave its features out of the sum of surprise; compare them with that sum alone.\n\n${[markdown(bars), ...sections.values(), `${tried}\n`].join('\n')}`,
)
console.log(path)
