import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type MetricDeclaration, type MetricKind, METRICS } from '@plumbline/runtime'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a metric of each kind is written with. */
const WRITERS: Readonly<Record<MetricKind, string>> = { counter: 'inc', gauge: 'set', histogram: 'observe|startTimer' }

/** Everything that runs in production, with line breaks in calls taken out. */
const sources = (): string =>
  ['services', 'packages']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder)).flatMap((name) =>
        readdirSync(join(ROOT, folder, name, 'src'), { recursive: true, encoding: 'utf8' }).map((file) =>
          join(ROOT, folder, name, 'src', file),
        ),
      ),
    )
    .filter((file) => file.endsWith('.ts') && !/\.(test|testkit)\.ts$/.test(file))
    .map((file) => readFileSync(file, 'utf8').replaceAll(/\s+/g, ' '))
    .join('\n')

test('every declared metric is written by some service', () => {
  const text = sources()
  const unwritten = Object.entries(METRICS).filter(([name, { kind }]) => !new RegExp(`\\.${name} ?\\.(${WRITERS[kind]})\\(`).test(text))
  assert.deepEqual(
    unwritten.map(([name]) => name),
    [],
  )
})

/** Labels as they are given, like `{ stage: 'door', code }`. */
const LABELS = /^\{ ([^{}]*) \}/

test('every metric is written with the labels it is declared with', () => {
  const text = sources()
  const declarations: Readonly<Record<string, MetricDeclaration>> = METRICS
  for (const call of text.matchAll(/\.(plumbline_\w+) ?\.(?:inc|set|observe|startTimer)\(/g)) {
    const declared = declarations[call[1] ?? '']
    assert.ok(declared !== undefined, call[1])
    const given = LABELS.exec(text.slice(call.index + call[0].length))?.[1] ?? ''
    const names = given === '' ? [] : given.split(', ').map((label) => label.split(':')[0])
    assert.deepEqual(names.sort(), [...(declared.labels ?? [])].sort(), call[1])
  }
})
