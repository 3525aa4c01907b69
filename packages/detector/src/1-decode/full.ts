import { EVENT_LIMITS, Event, inWords, type RejectCode, type Rejection, rejection } from '@plumbline/schemas'
import { canonicalEvent } from './canonical.ts'
import { guardBytes } from './guard.ts'
import { explainIssue, fieldName } from './issue.ts'
import { notJson } from './syntax.ts'
import { foldUnknown } from './unknown.ts'

export { canonicalEvent } from './canonical.ts'

export type Decoded =
  | {
      readonly ok: true
      readonly event: Event
      readonly canonical: Uint8Array
      /** Unknown fields that fitted no attribute; absent when there are none. */
      readonly leftOut?: number
      /** Fields that are none of an event and became attributes; absent when there were none. */
      readonly moved?: readonly string[]
    }
  | { readonly ok: false; readonly rejection: Rejection }

type JsonObject = Record<string, unknown>

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const refuse = (code: RejectCode, field = '', message = ''): Decoded => ({ ok: false, rejection: rejection(code, field, message) })

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Decodes one event from bytes by the full, slow and strict way. Never throws for data, never cuts or repairs:
 * what it cannot take as it is comes back as a Rejection that names the field and never repeats its value.
 * Fields it does not know are kept as attributes where they fit, and counted where not (unknown.ts).
 */
export const decodeFull = (bytes: Uint8Array): Decoded => {
  const guard = guardBytes(bytes)
  if (guard.code !== undefined) return refuse(guard.code)
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return refuse('UTF8_INVALID')
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return { ok: false, rejection: notJson(text) }
  }
  if (!isObject(parsed)) return refuse('JSON_NOT_OBJECT')
  return decodeParsed(parsed, guard.keys)
}

/**
 * The part after parsing, for readers that already hold an object of their own making.
 * `keys` is how many keys the text had; fewer in the object means that one stood twice.
 */
export const decodeParsed = (parsed: JsonObject, keys = -1): Decoded => {
  const walk: Walk = { keys: 0, refusal: undefined }
  inspect(parsed, [], walk)
  if (walk.refusal !== undefined) return { ok: false, rejection: walk.refusal }
  if (keys >= 0 && walk.keys !== keys) return refuse('JSON_DUPLICATE_KEY')

  const folded = foldUnknown(parsed)
  const result = Event.safeParse(folded.input, { error: inWords })
  if (!result.success) {
    const issue = result.error.issues[0]
    return issue === undefined ? refuse('FIELD_INVALID') : { ok: false, rejection: explainIssue(issue, folded.input) }
  }
  const canonical = canonicalEvent(result.data)
  // Defaults and rewritten numbers can make the canonical form a little longer than what came in.
  if (canonical.length > EVENT_LIMITS.eventBytes) return refuse('EVENT_TOO_LARGE')
  return {
    ok: true,
    event: result.data,
    canonical,
    ...(folded.leftOut > 0 ? { leftOut: folded.leftOut } : {}),
    ...(folded.moved.length > 0 ? { moved: folded.moved } : {}),
  }
}

interface Walk {
  keys: number
  refusal: Rejection | undefined
}

/** Counts keys, refuses forbidden ones and inexact numbers, and turns -0 into 0. Paths are made up only for a refusal. */
const inspect = (value: object, parents: readonly string[], walk: Walk): void => {
  if (parents.length >= EVENT_LIMITS.jsonDepth) {
    walk.refusal = rejection('JSON_TOO_DEEP', pathOf(parents))
    return
  }
  const isArray = Array.isArray(value)
  const slots = value as JsonObject
  for (const key of Object.keys(value)) {
    if (!isArray) {
      walk.keys++
      if (FORBIDDEN_KEYS.has(key)) walk.refusal = rejection('JSON_FORBIDDEN_KEY', pathOf([...parents, key]))
    }
    const child = slots[key]
    if (typeof child === 'number') {
      if (!isExact(child)) walk.refusal = rejection('NUMBER_NOT_FINITE', pathOf([...parents, key]))
      else if (child === 0) slots[key] = 0
    } else if (typeof child === 'object' && child !== null) inspect(child, [...parents, key], walk)
    if (walk.refusal !== undefined) return
  }
}

const pathOf = (keys: readonly string[]): string => keys.map(fieldName).join('.')

const isExact = (n: number): boolean => Number.isFinite(n) && (!Number.isInteger(n) || Number.isSafeInteger(n))
