/**
 * Writes schemas/json: JSON Schema of every contract, and the tables that are no schema (columns, features, codes).
 * `node schemas/scripts/generate.ts` writes, `--check` only says what differs. A test fails when they are out of step.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import * as api from '../src/api.ts'
import * as blindSpots from '../src/blind-spots.ts'
import * as changeViews from '../src/change-view.ts'
import {
  Alert,
  AlertCapsule,
  ChangeRequest,
  ControlRecord,
  DeadLetter,
  DetectionConfig,
  Event,
  FEATURES,
  Incident,
  Policy,
  REASON_FAMILIES,
  REJECT_CODES,
  ReleaseEnvelope,
  ReleaseHeader,
  SCORED_COLUMNS,
  SCORED_FLAGS,
  SCORED_SCHEMA_VERSION,
  Snapshot,
  VerdictRequest,
} from '../src/index.ts'

/** `input`: what others write, defaults optional. `output`: what this product writes. */
const RECORDS: Readonly<Record<string, readonly [z.ZodType, 'input' | 'output']>> = {
  event: [Event, 'input'],
  policy: [Policy, 'input'],
  'detection-config': [DetectionConfig, 'input'],
  'verdict-request': [VerdictRequest, 'input'],
  'change-request': [ChangeRequest, 'input'],
  'control-record': [ControlRecord, 'output'],
  alert: [Alert, 'output'],
  incident: [Incident, 'output'],
  'alert-capsule': [AlertCapsule, 'output'],
  'dead-letter': [DeadLetter, 'output'],
  snapshot: [Snapshot, 'output'],
  'release-header': [ReleaseHeader, 'output'],
  'release-envelope': [ReleaseEnvelope, 'output'],
}

const TABLES: Readonly<Record<string, unknown>> = {
  'scored-columns': { version: SCORED_SCHEMA_VERSION, columns: SCORED_COLUMNS, flags: SCORED_FLAGS },
  features: FEATURES,
  'reason-families': REASON_FAMILIES,
  'reject-codes': REJECT_CODES,
}

/** Written by docs/generate.ts: their declarations belong to services, which contracts do not import. */
const BY_SERVICES: ReadonlySet<string> = new Set(['standalone-config.v1.schema.json'])

const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()

const schemaText = (schema: z.ZodType, io: 'input' | 'output'): string =>
  textOf(z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' }))
const textOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Path below schemas/json → content. */
export const generated = (): ReadonlyMap<string, string> => {
  const files = new Map<string, string>()
  for (const [name, [schema, io]] of Object.entries(RECORDS)) files.set(`${name}.v1.schema.json`, schemaText(schema, io))
  for (const [name, schema] of Object.entries({ ...api, ...blindSpots, ...changeViews }))
    if (schema instanceof z.ZodType)
      files.set(`api/${kebab(name)}.schema.json`, schemaText(schema, /(Query|Request|Options)$/.test(name) ? 'input' : 'output'))
  for (const [name, table] of Object.entries(TABLES)) files.set(`${name}.json`, textOf(table))
  return files
}

export const JSON_DIR = fileURLToPath(new URL('../json', import.meta.url))

/** What differs between the folder and the sources: missing, stale or left over. */
export const drift = (): readonly string[] => {
  const files = generated()
  const there = new Set(
    readdirSync(JSON_DIR, { recursive: true, withFileTypes: true }).flatMap((e) =>
      e.isFile() && !BY_SERVICES.has(e.name) ? [join(e.parentPath, e.name)] : [],
    ),
  )
  const wrong: string[] = []
  for (const [name, text] of files) {
    const path = join(JSON_DIR, name)
    if (!there.delete(path)) wrong.push(`${name} is missing`)
    else if (readFileSync(path, 'utf8') !== text) wrong.push(`${name} is stale`)
  }
  return [...wrong, ...[...there].map((path) => `${path.slice(JSON_DIR.length + 1)} belongs to no schema`)]
}

const write = (): void => {
  for (const name of readdirSync(JSON_DIR)) if (!BY_SERVICES.has(name)) rmSync(join(JSON_DIR, name), { recursive: true })
  for (const [name, text] of generated()) {
    mkdirSync(dirname(join(JSON_DIR, name)), { recursive: true })
    writeFileSync(join(JSON_DIR, name), text)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const wrong = drift()
    for (const line of wrong) process.stderr.write(`${line}\n`)
    process.exitCode = wrong.length === 0 ? 0 : 1
  } else {
    write()
    process.stdout.write(`${generated().size} files written to schemas/json\n`)
  }
}
