import { AttributeKey, AttributeValue, EVENT_FIELDS, EVENT_LIMITS, LEFT_OUT } from '@plumbline/schemas'
import { fieldName } from './issue.ts'

type JsonObject = Record<string, unknown>

interface Folded {
  /** The event with known fields only; what was unknown stands among its attributes. */
  readonly input: JsonObject
  /** Unknown fields that fitted no attribute. */
  readonly leftOut: number
  /** Paths of those that became attributes. */
  readonly moved: readonly string[]
}

interface Unknown {
  /** Where it stood, like `identity.badge` or `delegation.0.role`. */
  readonly path: string
  readonly value: unknown
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Moves what a later sender of version 1 may say and this build does not know into `attributes` under its path (C15):
 * strings, numbers and booleans as they are, anything else as JSON text. Such a field never costs the event: one that
 * keeps no bound of attributes, or whose name is taken, is left out, and LEFT_OUT among the attributes says how many were.
 */
export const foldUnknown = (parsed: JsonObject): Folded => {
  const unknown: Unknown[] = []
  const known = knownOf(parsed, '', '', unknown) as JsonObject
  const given = parsed['attributes']
  // Wrong `attributes` are left as they are, so that the schema says what is wrong with them.
  if (unknown.length === 0 || (given !== undefined && !isObject(given))) return { input: known, leftOut: 0, moved: [] }
  const attributes: JsonObject = { ...given }
  let room = EVENT_LIMITS.attributeCount - Object.keys(attributes).length
  let leftOut = 0
  const moved: string[] = []
  for (const { path, value } of unknown) {
    const kept = typeof value === 'object' ? JSON.stringify(value) : value
    if (room > 0 && !Object.hasOwn(attributes, path) && fits(path, kept)) {
      attributes[path] = kept
      moved.push(fieldName(path))
      room--
    } else leftOut++
  }
  if (leftOut > 0) attributes[LEFT_OUT] = leftOut
  return { input: { ...known, attributes }, leftOut, moved }
}

/** `value` without unknown fields, which go to `unknown`. `place` is where EVENT_FIELDS knows it, `path` where it stands. */
const knownOf = (value: unknown, place: string, path: string, unknown: Unknown[]): unknown => {
  const fields = EVENT_FIELDS.get(place)
  if (fields === undefined) return value
  if (Array.isArray(value)) return value.map((item, i) => knownOf(item, place, join(path, String(i)), unknown))
  if (!isObject(value)) return value
  const known: JsonObject = {}
  for (const [key, child] of Object.entries(value)) {
    if (fields.has(key)) known[key] = knownOf(child, join(place, key), join(path, key), unknown)
    else unknown.push({ path: join(path, key), value: child })
  }
  return known
}

const join = (parent: string, key: string): string => (parent === '' ? key : `${parent}.${key}`)

const fits = (key: string, value: unknown): boolean => AttributeKey.safeParse(key).success && AttributeValue.safeParse(value).success
