import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { type ConfigField, METRICS, configFields } from '@plumbline/runtime'
import { parse } from 'yaml'
import { MigrateConfig } from '../../services/cli/src/migrate/config.ts'
import { createProgram } from '../../services/cli/src/program.ts'
import { RecorderConfig } from '../../services/recorder/src/config.ts'
import { StandaloneConfig } from '../../services/standalone/src/config.ts'
import { FrontConfig } from '../../services/standalone/src/front/config.ts'
import { WorkerConfig } from '../../services/worker/src/config.ts'
import { ROOT, read } from './compose.ts'

/** The pages that people go by in the night name only what is there. */

const PAGES = ['docs/operations.md', 'docs/security.md', 'docs/cluster.md']
const fields: readonly ConfigField[] = [StandaloneConfig, FrontConfig, WorkerConfig, RecorderConfig, MigrateConfig].flatMap((schema) =>
  configFields(schema),
)

/** As a page's own links spell a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
const headings = (text: string): string[] => [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)

test('every alarm has its section, and every section its alarm', () => {
  const { groups } = parse(read('deploy/prometheus/rules.yml')) as { groups: { rules: { alert: string }[] }[] }
  const alarms = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
  const page = read('docs/operations.md')
  const sections = headings(page).filter((heading) => /^Plumbline[A-Z]\w+$/.test(heading))
  assert.deepEqual(sections.toSorted(), alarms.toSorted())
  for (const section of sections) {
    const text = page.split(`### ${section}\n`)[1]?.split(/^#/m)[0] ?? ''
    assert.ok(text.trim().length > 100, `${section} says nothing`)
  }
})

for (const path of PAGES)
  test(`${path}: commands, variables, metrics, files and links that it names are there`, async () => {
    const text = read(path)
    const commands = new Set((await createProgram([])).commands.map((command) => command.name()))
    const named = [...text.matchAll(/(?:`|npx |^| {2})plumbline ([a-z]+)\b/gm)].map(([, name = '']) => name)
    assert.ok(named.length > 0)
    for (const name of named) assert.ok(commands.has(name), `plumbline ${name}`)
    for (const [, name = ''] of text.matchAll(/`(plumbline_[a-z_]+)`/g))
      assert.ok(name in METRICS || /^plumbline_(owner|recorder|front)$/.test(name), name)
    const variables = new Set([
      ...fields.map(({ env }) => env),
      ...[...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name),
    ])
    for (const [name] of text.matchAll(/\bPLUMBLINE_[A-Z_]+\b/g))
      assert.ok(variables.has(name) || variables.has(name.replace(/_FILE$/, '')), name)
    for (const [, flag = ''] of text.matchAll(/plumbline (?:migrate|front|worker|recorder) --([a-z-]+)/g))
      assert.ok(
        fields.some((field) => field.flag === flag),
        `--${flag}`,
      )
    for (const [, file = ''] of text.matchAll(/`((?:deploy|scripts|test|services|packages)\/[\w./-]+)`/g))
      assert.ok(existsSync(join(ROOT, file)), file)
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const linked = file === '' ? path : join(dirname(path), file)
      assert.ok(existsSync(join(ROOT, linked)), `${target} is not there`)
      if (anchor !== undefined) assert.ok(headings(read(linked)).map(anchorOf).includes(anchor), `${target} has no such heading`)
    }
  })

test('options that the pages name are options', () => {
  const known = new Set(fields.map(({ path }) => path.join('.')))
  const words = PAGES.flatMap((path) => [
    ...read(path).matchAll(/`((?:kafka|masterKey|store|worker|front|signing|trusted|resident|snapshot|take|chunk|webhook)[A-Z]\w*)`/g),
  ])
  assert.ok(words.length > 20)
  // Names of the chart's values are dotted; these are not.
  for (const [, name = ''] of words) assert.ok(known.has(name), name)
})
