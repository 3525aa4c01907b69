import { EVENT_LIMITS } from '@plumbline/schemas'
import { isObject, type JsonObject, own, plain } from './plain.ts'
import map from './destination-map.json' with { type: 'json' }

/** Where the arguments of a tool call send data to (contracts C4). */
export interface Destinations {
  /** Argument that named the first one, as it was written. */
  readonly argument: string
  readonly first: string
  readonly others: readonly string[]
}

type Reading = 'host' | 'path' | 'account' | 'any'

const READINGS = map.read as Readonly<Record<string, Reading>>
const BY_CLASS = map.byClass as Readonly<Record<string, readonly string[]>>

const MAIL = /[^\s"'<>()[\],;:@]+@[^\s"'<>()[\],;:@]+/g
const HOST = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^\s/?#@]*@)?(\[[0-9a-f:.]+\]|[^\s/?#:@[\]]+)(?::\d+)?(?:[/?#]|$)/i
const ACCOUNT = /^(?:[A-Z]{2}[0-9][0-9A-Z]{5,32}|[0-9]{6,34})$/
const TOKEN = /^[#@+]?[\w.+-]{2,64}$/
const EMPTY = new Set(['', 'none', 'null', 'undefined', '[]', '{}'])

const normalName = (name: string): string => name.toLowerCase().replace(/^_+/, '')

/** All destinations among `args`, in the order of the class's table; undefined when there is none. */
export const findDestinations = (resourceClass: string, args: JsonObject): Destinations | undefined => {
  const written = new Map(Object.keys(args).map((name) => [normalName(name), name]))
  const found: { argument: string; value: string }[] = []
  for (const name of BY_CLASS[resourceClass] ?? map.default) {
    const argument = written.get(name)
    if (argument === undefined) continue
    const reading = READINGS[name] ?? 'any'
    for (const text of texts(own(args, argument))) {
      for (const value of readAs(reading, text)) {
        if (!found.some((f) => f.value === value)) found.push({ argument, value })
      }
    }
  }
  const first = found[0]
  if (first === undefined) return undefined
  return { argument: first.argument, first: first.value, others: found.slice(1).map((f) => f.value) }
}

/** Strings of an argument: models write lists as lists, as JSON text, and as text with commas. */
const texts = (value: unknown, depth = 0): string[] => {
  if (typeof value === 'number') return [String(value)]
  if (Array.isArray(value)) return depth > 2 ? [] : value.slice(0, 64).flatMap((item) => texts(item, depth + 1))
  if (isObject(value)) return texts(own(value, 'email') ?? own(value, 'address') ?? own(value, 'id'), depth + 1)
  if (typeof value !== 'string') return []
  const text = value.trim()
  if (EMPTY.has(text.toLowerCase())) return []
  if (text.startsWith('[') && depth === 0) {
    try {
      return texts(JSON.parse(text), depth + 1)
    } catch {
      return [text]
    }
  }
  return [text]
}

const readAs = (reading: Reading, text: string): string[] => {
  if (reading === 'host') return some(host(text))
  if (reading === 'path') return some(plain(text, EVENT_LIMITS.destinationChars))
  if (reading === 'account') return some(account(text) ?? token(text))
  const mails = text.match(MAIL)
  if (mails !== null) return mails.map((m) => m.toLowerCase()).filter((m) => m.length <= EVENT_LIMITS.destinationChars)
  if (/^[a-z][a-z0-9+.-]*:\/\/|^www\./i.test(text)) return some(host(text))
  if (/^[~.]?\//.test(text)) return some(plain(text, EVENT_LIMITS.destinationChars))
  return some(account(text) ?? token(text))
}

const some = (value: string | undefined): string[] => (value === undefined ? [] : [value])

const host = (text: string): string | undefined => {
  const name = HOST.exec(text)?.[1]?.toLowerCase().replace(/\.$/, '')
  return name === undefined || EMPTY.has(name) ? undefined : plain(name, EVENT_LIMITS.destinationChars)
}

const account = (text: string): string | undefined => {
  const digits = text.replace(/[\s-]/g, '').toUpperCase()
  return ACCOUNT.test(digits) ? digits : undefined
}

/** A channel, a handle, a payee's name of one word. */
const token = (text: string): string | undefined => (TOKEN.test(text) ? text : undefined)
