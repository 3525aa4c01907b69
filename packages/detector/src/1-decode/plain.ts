import { createHash } from 'node:crypto'
import { INVISIBLE, Source } from '@plumbline/schemas'

/** For adapters: makes foreign text fit an event field. Native events are never changed like this: they are refused. */

const FORBIDDEN = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]+', 'gu')
const HASH_CHARS = 8

/**
 * `value` as plain text of at most `maxChars`, or undefined when it is no text or empty. Control and bidirectional
 * characters become spaces; longer text keeps its beginning and ends in `~` and a hash of the whole, so that
 * different texts stay different.
 */
export const plain = (value: unknown, maxChars: number): string | undefined => {
  if (typeof value !== 'string' || value === '') return undefined
  const clean = value.toWellFormed().replace(FORBIDDEN, ' ')
  if (clean.length <= maxChars) return clean
  const digest = createHash('sha256').update(value).digest('hex').slice(0, HASH_CHARS)
  return `${clean.slice(0, maxChars - HASH_CHARS - 1).replace(/[\ud800-\udbff]$/, '')}~${digest}`
}

const SPACES = new RegExp('[\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]', 'gu')
const UNSEEN = new RegExp(INVISIBLE, 'gu')

/** As `plain`, for the name of somebody: composed, and free of what cannot be seen, so that what looks alike is one. */
export const plainName = (value: unknown, maxChars: number): string | undefined =>
  typeof value === 'string' ? plain(value.normalize('NFC').replace(SPACES, ' ').replace(UNSEEN, ''), maxChars) : undefined

/** A size or count: a whole number of at least 0, or undefined for null, negative and other values. */
export const size = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : undefined

/** Text and numbers only: whatever else stands there may be nested beyond what later steps can walk. */
export const scalar = (value: unknown): string | number | undefined =>
  typeof value === 'string' || typeof value === 'number' ? value : undefined

/** An address goes to `ip`, a host name to `host`. The zone of an address means something on its sender's machine only. */
export const addressOrHost = (value: unknown, maxChars: number): { ip?: string; host?: string } => {
  const text = plain(value, maxChars)
  if (text === undefined) return {}
  const bare = text.includes(':') ? text.replace(/%.*$/, '') : text
  return Source.shape.ip.safeParse(bare).success ? { ip: bare } : { host: text }
}

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `value` under `key` when it is the object's own: keys named `__proto__` and inherited ones are never followed. */
export const own = (object: JsonObject, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined)

/** Leaves out what is undefined, so that absent stays absent in the event. */
export const compact = (object: Record<string, unknown>): Record<string, unknown> | undefined => {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
