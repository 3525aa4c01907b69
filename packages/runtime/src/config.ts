import { readFileSync } from 'node:fs'
import { inWords, nearestName, PlumblineError } from '@plumbline/schemas'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { type ConfigField, configFields } from './config-fields.ts'

export type ConfigOrigin = 'flag' | 'environment' | 'file' | 'default'

export interface ConfigSources {
  /** YAML or JSON file; undefined: none. */
  readonly file?: string | undefined
  /** Usually `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** By flag name without dashes, kebab or camel case (what commander's `opts()` gives); undefined values are ignored. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** `PLUMBLINE_…` variables that are not configuration of this process and are left alone. */
  readonly ignoreEnv?: readonly string[]
  /**
   * Options of other processes, whose variables and places in the file are left alone: for tools that take the part they need from
   * the configuration of a service. What none of them knows is a mistake all the same.
   */
  readonly others?: readonly ConfigField[]
}

export interface LoadedConfig<T> {
  readonly config: T
  readonly fields: readonly ConfigField[]
  /** Where each value came from, by dotted path. */
  readonly origins: ReadonlyMap<string, ConfigOrigin>
}

export interface ConfigProblem {
  readonly where: string
  readonly message: string
}

/** Everything that is wrong with a configuration at once; `message` lists it line by line, without secret values. */
export class ConfigError extends PlumblineError {
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super('CONFIG_INVALID', `configuration is not valid:\n${problems.map((p) => `  ${p.where}: ${p.message}`).join('\n')}`)
    this.problems = problems
  }
}

/** Variables with our prefix that belong to tests, benches and other tools of the workspace; no process is configured by them. */
const FOREIGN_VARIABLES = ['PLUMBLINE_TFJS_BACKEND', 'PLUMBLINE_SHARED_DATA', 'PLUMBLINE_TEST_FULL', 'PLUMBLINE_BENCH_PARAMS']

type Tree = Record<string, unknown>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * One validated configuration from flags > environment > file > defaults.
 * Unknown keys are refused everywhere, with the nearest known name. Throws ConfigError (CONFIG_INVALID).
 */
export const loadConfig = <S extends z.ZodObject>(schema: S, sources: ConfigSources = {}): LoadedConfig<z.output<S>> => {
  const fields = configFields(schema)
  const problems: ConfigProblem[] = []
  const origins = new Map<string, ConfigOrigin>(fields.map((f) => [f.path.join('.'), 'default']))
  const tree: Tree = {}
  const put = (field: ConfigField, value: unknown, origin: ConfigOrigin): void => {
    origins.set(field.path.join('.'), origin)
    setAt(tree, field.path, value)
  }
  const own = new Set(fields.map(({ path }) => path.join('.')))
  const others = (sources.others ?? []).filter(({ path }) => !own.has(path.join('.')))
  readTree(readFile(sources.file, problems), [...fields, ...others], problems, (field, value) => {
    if (!others.includes(field)) put(field, value, 'file')
  })
  const ignoreEnv = [...FOREIGN_VARIABLES, ...(sources.ignoreEnv ?? []), ...others.map(({ env }) => env)]
  readEnvironment({ ...sources, ignoreEnv }, fields, problems, (field, value) => put(field, value, 'environment'))
  readFlags(sources.flags ?? {}, fields, problems, (field, value) => put(field, value, 'flag'))

  const result = schema.safeParse(withSections(tree, fields), { error: inWords })
  if (!result.success) {
    for (const issue of result.error.issues) problems.push(explain(issue, fields, origins))
  }
  if (problems.length > 0 || !result.success) throw new ConfigError(problems)
  return { config: result.data as z.output<S>, fields, origins }
}

const setAt = (tree: Tree, path: readonly string[], value: unknown): void => {
  let at = tree
  for (const part of path.slice(0, -1)) {
    const next = Object.hasOwn(at, part) ? at[part] : undefined
    at[part] = isTree(next) ? next : {}
    at = at[part] as Tree
  }
  at[path.at(-1) as string] = value
}

/** Sections exist even when nothing was given for them, so that their fields' defaults apply. */
const withSections = (tree: Tree, fields: readonly ConfigField[]): Tree => {
  for (const field of fields) {
    for (let i = 1; i < field.path.length; i++) {
      const section = field.path.slice(0, i)
      if (section.reduce<unknown>((at, part) => (isTree(at) ? at[part] : undefined), tree) === undefined) setAt(tree, section, {})
    }
  }
  return tree
}

const readFile = (file: string | undefined, problems: ConfigProblem[]): Tree => {
  if (file === undefined) return {}
  try {
    // YAML 1.2 contains JSON, so one parser reads both.
    const document = parseDocument(readFileSync(file, 'utf8'), { stringKeys: true, logLevel: 'silent' })
    const fault = document.errors[0] ?? document.warnings[0]
    if (fault !== undefined) throw fault
    // No aliases: a small file must not become a large one.
    const parsed: unknown = document.toJS({ maxAliasCount: 0 })
    if (parsed === null || parsed === undefined) return {}
    if (isTree(parsed)) return parsed
    problems.push({ where: file, message: 'must hold one mapping of options' })
  } catch (error) {
    problems.push({ where: file, message: `cannot be read: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}` })
  }
  return {}
}

type Put = (field: ConfigField, value: unknown) => void

const readTree = (
  tree: Tree,
  fields: readonly ConfigField[],
  problems: ConfigProblem[],
  put: Put,
  parents: readonly string[] = [],
): void => {
  const byPath = new Map(fields.map((f) => [f.path.join('.'), f]))
  const sections = new Set(fields.flatMap((f) => f.path.slice(0, -1).map((_, i) => f.path.slice(0, i + 1).join('.'))))
  for (const [key, value] of Object.entries(tree)) {
    const path = [...parents, key]
    const name = path.join('.')
    const field = byPath.get(name)
    if (field !== undefined) put(field, value)
    else if (sections.has(name) && isTree(value)) readTree(value, fields, problems, put, path)
    else if (sections.has(name)) problems.push({ where: name, message: 'must be a mapping of options' })
    else problems.push({ where: name, message: unknown('option', name, [...byPath.keys(), ...sections]) })
  }
}

const unknown = (what: string, name: string, known: Iterable<string>): string => {
  const near = nearestName(name, known)
  return near === undefined ? `unknown ${what}` : `unknown ${what}; did you mean ${near}?`
}

/** Behind a variable's name: the variable names a file that holds the value, which then stands in nobody's environment. */
const IN_FILE = '_FILE'
const MAX_VALUE_BYTES = 64 * 1024

/** The value without the line end that editors and `echo` leave behind it. Never what it holds in a problem. */
const readValue = (path: string): { readonly text: string } | { readonly problem: string } => {
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return text.length > MAX_VALUE_BYTES ? { problem: `names a file of more than ${MAX_VALUE_BYTES} bytes` } : { text }
  } catch (error) {
    return { problem: `names ${path}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})` }
  }
}

const readEnvironment = (sources: ConfigSources, fields: readonly ConfigField[], problems: ConfigProblem[], put: Put): void => {
  const byName = new Map(fields.map((f) => [f.env, f]))
  const ignored = new Set(sources.ignoreEnv)
  const { env = {} } = sources
  // An empty variable is how shells and compose files say "not set".
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== ''

  const fromFile = (field: ConfigField, name: string, path: string): void => {
    if (isSet(field.env)) return void problems.push({ where: name, message: `and ${field.env} are both set: leave one out` })
    const read = readValue(path)
    if ('problem' in read) problems.push({ where: name, message: read.problem })
    else put(field, fromText(field, read.text))
  }

  for (const [name, text = ''] of Object.entries(env)) {
    if (!isSet(name)) continue
    const field = byName.get(name)
    const base = name.endsWith(IN_FILE) ? name.slice(0, -IN_FILE.length) : name
    const filed = byName.get(base)
    if (field !== undefined) put(field, fromText(field, text))
    else if (filed !== undefined) fromFile(filed, name, text)
    else if (name.startsWith('PLUMBLINE_') && !ignored.has(name) && !ignored.has(base)) {
      problems.push({ where: name, message: unknown('environment variable', name, byName.keys()) })
    }
  }
}

const readFlags = (flags: Readonly<Record<string, unknown>>, fields: readonly ConfigField[], problems: ConfigProblem[], put: Put): void => {
  const byFlag = new Map(fields.map((f) => [f.flag, f]))
  for (const [given, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const name = given.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
    const field = byFlag.get(name)
    if (field === undefined) problems.push({ where: `--${name}`, message: unknown('flag', name, byFlag.keys()) })
    else put(field, typeof value === 'string' ? fromText(field, value) : value)
  }
}

/** Text from a shell as the field's type; what does not fit stays text and the schema says so. */
const fromText = (field: ConfigField, text: string): unknown => {
  if (field.kind === 'number') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text
  if (field.kind === 'boolean')
    return ({ true: true, '1': true, yes: true, false: false, '0': false, no: false } as Tree)[text.toLowerCase()] ?? text
  if (field.kind === 'list')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  return text
}

const explain = (
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
  fields: readonly ConfigField[],
  origins: ReadonlyMap<string, ConfigOrigin>,
): ConfigProblem => {
  const path = issue.path.map(String)
  const field = fields.find((f) => f.path.every((part, i) => part === path[i]))
  if (field === undefined) return { where: path.join('.') || 'configuration', message: issue.message }
  const origin = origins.get(field.path.join('.')) ?? 'default'
  const where = origin === 'flag' ? `--${field.flag}` : origin === 'environment' ? field.env : path.join('.')
  const unset = origin === 'default' && field.required
  return { where, message: unset ? `is required: set --${field.flag}, ${field.env} or ${field.path.join('.')} in the file` : issue.message }
}
