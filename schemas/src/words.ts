import type { z } from 'zod'

/**
 * What a value should have been, in words: for every check against a schema, as `schema.safeParse(value, { error: inWords })`.
 * Words that a schema brings itself win. Follows the name of the field, and never repeats its value.
 */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `has ${issue.keys.length === 1 ? 'a name' : 'names'} that nobody knows: ${issue.keys.join(', ')}`
    case 'too_small':
    case 'too_big':
      if (issue.origin === 'array' || issue.origin === 'set') return `must be a list of ${boundOf(issue)}`
      break
    case 'invalid_format':
      return formatWords(issue.format, issue.pattern)
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_type':
    case 'invalid_value':
    case 'invalid_union':
      break
    case 'custom':
    case 'invalid_key':
    case 'invalid_element':
      return undefined
    default:
    // The wrong type or value: what would have been right follows.
  }
  const wanted = issue.schema === undefined ? undefined : wantedBy(issue.schema)
  if (wanted === undefined) return undefined
  return issue.input === undefined ? `is missing; it must be ${wanted}` : `must be ${wanted}`
}

const boundOf = (issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig>): string => {
  const [side, bound] = issue.code === 'too_small' ? ['least', issue.minimum] : ['most', issue.maximum]
  return `at ${side} ${grouped(bound)} ${Number(bound) === 1 ? 'entry' : 'entries'}`
}

/** What a schema takes, as words that follow "must be"; undefined for what has no short name. */
const wantedBy = (schema: z.core.$ZodType): string | undefined => {
  const { def } = schema as z.ZodType
  switch (def.type) {
    case 'optional':
    case 'default':
      return wantedBy((schema as z.ZodOptional).def.innerType)
    case 'pipe':
      return wantedBy((schema as z.ZodPipe).def.in)
    case 'number':
      return numberWords(schema as z.ZodNumber)
    case 'string':
      return stringWords(schema as z.ZodString)
    case 'boolean':
      return 'true or false'
    case 'enum':
      return `one of ${Object.values((schema as z.ZodEnum).enum).join(', ')}`
    case 'literal':
      return [...(schema as z.ZodLiteral).values].map(String).join(' or ')
    case 'array':
      return 'a list'
    case 'object':
    case 'record':
      return 'an object'
    case 'union': {
      const options = (schema as z.ZodUnion).options.map((option) => wantedBy(option as z.core.$ZodType))
      return options.includes(undefined) ? undefined : [...new Set(options)].join(' or ')
    }
    default:
      return undefined
  }
}

const numberWords = ({ minValue, maxValue, isInt }: z.ZodNumber): string =>
  `a ${isInt ? 'whole ' : ''}number${rangeWords(minValue, maxValue, Number.MAX_SAFE_INTEGER, '')}`

const stringWords = ({ minLength, maxLength }: z.ZodString): string =>
  `text${rangeWords(minLength, maxLength, Number.MAX_SAFE_INTEGER, ' characters')}`

/** ` from 0 to 3`, ` of at least 1`; bounds that only say what a number can hold are none. */
const rangeWords = (least: number | null, most: number | null, limit: number, unit: string): string => {
  const low = least === null || least <= -limit ? undefined : grouped(least)
  const high = most === null || most >= limit ? undefined : grouped(most)
  if (low !== undefined && high !== undefined) return unit === '' ? ` from ${low} to ${high}` : ` of ${low} to ${high}${unit}`
  if (low !== undefined) return ` of at least ${low}${unit}`
  return high === undefined ? '' : ` of at most ${high}${unit}`
}

/** 65535 as 65,535, without the help of a locale. */
const grouped = (value: number | bigint): string => {
  const text = String(value)
  return /^-?\d{4,}$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text
}

const FORMATS: Readonly<Record<string, string>> = {
  url: 'must be an address like https://host/path',
  ipv4: 'must be an IPv4 address',
  ipv6: 'must be an IPv6 address',
  datetime: 'must be a time like 2026-01-31T08:00:00Z',
  date: 'must be a date like 2026-01-31',
}

const formatWords = (format: string, pattern: string | undefined): string | undefined =>
  FORMATS[format] ?? (pattern === undefined ? undefined : `must match ${pattern}`)

/** The name closest to `name`, when it is close enough to have been meant (edit distance at most a third). */
export const nearestName = (name: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase())
    if (d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, swap))
    }
    row = next
  }
  return row[b.length] as number
}
