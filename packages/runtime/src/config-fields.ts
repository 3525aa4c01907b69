import { z } from 'zod'

/** What `.meta()` of a config field may say, besides `description`. Declared once, used by check, print and docs. */
export interface ConfigMeta {
  readonly description?: string
  /** Unit of the value, like `ms`, `bytes`, `events`. */
  readonly unit?: string
  readonly example?: unknown
  /** Printed as `(hidden)` and never repeated in an error. */
  readonly secret?: boolean
  /** Environment variable, where the derived `PLUMBLINE_…` name is not the one to use. */
  readonly env?: string
  /** In a sentence: which other options this one interacts with. */
  readonly interacts?: string
}

/** One leaf of the configuration, as seen from file (`path`), environment (`env`) and command line (`flag`). */
export interface ConfigField {
  readonly path: readonly string[]
  readonly env: string
  /** Without dashes: `http-port`. */
  readonly flag: string
  readonly kind: 'string' | 'number' | 'boolean' | 'list' | 'other'
  readonly required: boolean
  readonly defaultValue: unknown
  readonly choices: readonly string[]
  readonly meta: ConfigMeta
}

interface Peeled {
  readonly inner: z.ZodType
  readonly meta: ConfigMeta
  readonly required: boolean
  readonly defaultValue: unknown
}

interface AnyDef {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly entries?: Readonly<Record<string, string>>
  readonly defaultValue?: unknown
}

const defOf = (schema: z.ZodType): AnyDef => schema.def as unknown as AnyDef

/** Takes optional, default and pipe wrappers off; the outermost meta wins. */
const peel = (schema: z.ZodType): Peeled => {
  let inner = schema
  let meta: ConfigMeta = {}
  let required = true
  let defaultValue: unknown
  for (;;) {
    meta = { ...(inner.meta() as ConfigMeta | undefined), ...meta }
    const def = defOf(inner)
    if (def.type === 'default' || def.type === 'prefault') defaultValue ??= def.defaultValue
    if (def.type === 'default' || def.type === 'prefault' || def.type === 'optional') required = false
    const next = def.innerType ?? (def.type === 'pipe' ? def.in : undefined)
    if (next === undefined) return { inner, meta, required, defaultValue }
    inner = next
  }
}

const KINDS: Readonly<Record<string, ConfigField['kind']>> = {
  string: 'string',
  enum: 'string',
  literal: 'string',
  number: 'number',
  int: 'number',
  boolean: 'boolean',
  array: 'list',
}

const words = (path: readonly string[]): string[] => path.flatMap((part) => part.split(/(?=[A-Z])/)).map((word) => word.toLowerCase())

/** Every leaf of a config schema, in order of declaration. Nested objects are sections. */
export const configFields = (schema: z.ZodObject, prefix = 'PLUMBLINE_', parents: readonly string[] = []): ConfigField[] =>
  Object.entries(schema.shape).flatMap(([key, field]) => {
    const { inner, meta, required, defaultValue } = peel(field as z.ZodType)
    const path = [...parents, key]
    if (inner instanceof z.ZodObject) return configFields(inner, prefix, path)
    const def = defOf(inner)
    return {
      path,
      env: meta.env ?? prefix + words(path).join('_').toUpperCase(),
      flag: words(path).join('-'),
      kind: KINDS[def.type] ?? 'other',
      required,
      defaultValue,
      choices: def.type === 'enum' ? Object.values(def.entries ?? {}) : [],
      meta,
    }
  })
