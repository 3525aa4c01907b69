import type { ConfigField } from './config-fields.ts'
import { configFields } from './config-fields.ts'
import type { LoadedConfig } from './config.ts'
import { z } from 'zod'

const HIDDEN = '(hidden)'

const valueAt = (config: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, part) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined), config)

const shown = (field: ConfigField, value: unknown): unknown => {
  if (value === undefined || value === null) return undefined
  if (field.meta.secret === true) return HIDDEN
  return typeof value === 'string' ? withoutPassword(value) : value
}

/** `https://user:password@host` in an option that nobody declared secret. */
const withoutPassword = (text: string): string => text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/@\s]*):[^/@\s]*@/i, '$1:(hidden)@')

/** The configuration by dotted path with secrets hidden: safe to log. */
export const redactedConfig = (loaded: LoadedConfig<unknown>): Record<string, unknown> =>
  Object.fromEntries(loaded.fields.map((field) => [field.path.join('.'), shown(field, valueAt(loaded.config, field.path))]))

/** One line per option: name, value, where it came from; secrets hidden. */
export const printConfig = (loaded: LoadedConfig<unknown>): string => {
  const values = redactedConfig(loaded)
  const width = Math.max(...Object.keys(values).map((name) => name.length))
  return Object.entries(values)
    .map(
      ([name, value]) =>
        `${name.padEnd(width)}  ${value === undefined ? '(not set)' : oneLine(value)}  [${loaded.origins.get(name) ?? 'default'}]`,
    )
    .join('\n')
}

const oneLine = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** The options as a Markdown page (docs/config.md), from the same declaration that checks them. */
export const configDocs = (schema: z.ZodObject, title = 'Configuration'): string => {
  const rows = configFields(schema)
  const head = [
    `# ${title}`,
    '',
    'Generated from the declaration; do not edit. Flags win over environment variables, those over the file (YAML or JSON), that over the default.',
    'A variable with `_FILE` behind its name names a file that holds the value, like `PLUMBLINE_TOKEN_FILE=/run/secrets/token`.',
    'Unknown names are refused. Lists are separated by commas in variables and flags, and are lists in the file.',
  ]
  const sections = new Map<string, ConfigField[]>()
  for (const row of rows) {
    const section = row.path.slice(0, -1).join('.')
    sections.set(section, [...(sections.get(section) ?? []), row])
  }
  const body = [...sections].flatMap(([section, fields]) => [
    '',
    `## ${section === '' ? 'General' : section}`,
    '',
    '| option | meaning | default | environment | flag |',
    '|---|---|---|---|---|',
    ...fields.map(docsRow),
  ])
  return `${[...head, ...body].join('\n')}\n`
}

/** Lists as they are written in the environment and on the command line; in a file they are lists. */
const exampleOf = (example: unknown): string => {
  if (example === undefined) return ''
  return `Example: \`${Array.isArray(example) ? example.join(',') : oneLine(example)}\`.`
}

/** The file of options as JSON Schema, from the same declaration. */
export const configSchema = (schema: z.ZodObject): string =>
  `${JSON.stringify(z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }), null, 2)}\n`

const docsRow = (field: ConfigField): string => {
  const { meta } = field
  const meaning = [
    meta.description ?? '',
    field.choices.length > 0 ? `One of ${field.choices.map((c) => `\`${c}\``).join(', ')}.` : '',
    meta.unit === undefined ? '' : `Unit: ${meta.unit}.`,
    meta.interacts ?? '',
    exampleOf(meta.example),
    meta.secret === true ? 'Secret: hidden when printed.' : '',
  ]
  const fallback =
    field.defaultValue === undefined ? (field.required ? 'required' : 'not set') : `\`${oneLine(shown(field, field.defaultValue))}\``
  const cells = [
    `\`${field.path.join('.')}\``,
    meaning.filter((s) => s !== '').join(' '),
    fallback,
    `\`${field.env}\``,
    // What is on by default has only a flag that switches it off.
    field.kind === 'boolean' && field.defaultValue === true ? `\`--no-${field.flag}\`` : `\`--${field.flag}\``,
  ]
  return `| ${cells.map((c) => c.replaceAll('|', '\\|')).join(' | ')} |`
}
