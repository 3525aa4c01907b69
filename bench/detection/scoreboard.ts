// The scoreboard of detection: npm run bench:detection writes bench/detection.md. Sets that are not here are left out and named.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'
import { agentsTable } from './agents.ts'
import { cloudtrailTable } from './cloudtrail.ts'
import { companyTable, levelsTable } from './levels.ts'
import { rolesTable } from './roles.ts'

const SETS: Readonly<Record<string, () => Promise<Table | null>>> = {
  agentdyn: agentsTable,
  cloudtrail: cloudtrailTable,
  roles: rolesTable,
  company: companyTable,
  levels: levelsTable,
}

const cell = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? '–' : typeof value === 'number' ? value.toFixed(3) : value

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

const names = process.argv.slice(2)
const parts: string[] = []
for (const [name, table] of Object.entries(SETS)) {
  if (names.length > 0 && !names.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  const made = await table()
  parts.push(made === null ? `## ${name}\n\nLeft out: the shared data folder is not here.\n` : markdown(made))
}
const path = join(ROOT, 'bench', 'detection.md')
writeFileSync(
  path,
  `# Detection scoreboard\n\nMade by \`npm run bench:detection\`. Rows without a part leave its features out of the sum of surprise; compare them with that sum alone.\n\n${parts.join('\n')}`,
)
console.log(path)
