import { type RejectCode, type Rejection, rejection } from '@plumbline/schemas'

/** The parts of a zod issue that are looked at. */
interface Issue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly values?: readonly unknown[]
  readonly errors?: readonly (readonly Issue[])[]
}

const FIELD_NAME_CHARS = 64
const PLAIN = /^[\w$:@/ -]*$/

/** A key as it may stand in an answer or a log line: short, and free of characters that forge either. */
export const fieldName = (key: string): string => {
  const short = key.length > FIELD_NAME_CHARS ? `${key.slice(0, FIELD_NAME_CHARS)}…` : key
  return PLAIN.test(short) ? short : short.replace(/[^\w$:@/ .…-]/gu, '?')
}

const HINTS: Readonly<Record<string, string>> = {
  time: 'must be RFC 3339 with a zone, like 2026-01-31T08:00:00.000Z, or integer epoch milliseconds',
  'source.ip': 'must be an IPv4 or IPv6 address',
  attributes: 'must be an object of strings, numbers and booleans',
}

const at = (input: unknown, path: readonly PropertyKey[]): unknown => {
  let value = input
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[step]
  }
  return value
}

const join = (path: readonly PropertyKey[]): string => path.map((step) => fieldName(String(step))).join('.')

/** zod's own messages name types and bounds; only these kinds could repeat what the sender wrote. */
const wording = (issue: Issue, field: string): string => {
  if (issue.code === 'invalid_key') return 'has a key that is empty, longer than 64 characters or not plain text'
  if (issue.code !== 'invalid_union') return issue.message
  const deeper = issue.errors?.flat().find((e) => e.code !== 'invalid_type')
  if (field.startsWith('attributes.')) return deeper?.message ?? 'must be a string, a number or a boolean'
  return HINTS[field] ?? deeper?.message ?? issue.message
}

/** One zod issue as a stable code with the field's path. */
export const explainIssue = (issue: Issue, input: unknown): Rejection => {
  const { path } = issue
  const field = join(path)
  const missing = at(input, path) === undefined
  const code = codeFor(String(path[0] ?? ''), missing)
  return rejection(code, field, missing ? `${field} is missing` : wording(issue, field))
}

const codeFor = (top: string, missing: boolean): RejectCode => {
  if (missing) return 'FIELD_MISSING'
  if (top === 'v') return 'VERSION_UNSUPPORTED'
  if (top === 'time') return 'TIME_INVALID'
  return 'FIELD_INVALID'
}
