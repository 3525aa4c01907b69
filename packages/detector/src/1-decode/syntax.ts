import { type Rejection, rejection } from '@plumbline/schemas'

/**
 * Where text stops being JSON: the index of the first character that cannot stand there, its length where it ends too early,
 * -1 where it is JSON. Own code, because what an engine says of it differs by version and repeats what was sent.
 */
export const syntaxFault = (text: string): number => {
  const open: ('{' | '[')[] = []
  let at = skipSpace(text, 0)
  /** What may stand at `at`. A first value or key may be missing, the one after a comma may not. */
  let want: 'value' | 'first value' | 'first key' | 'key' | 'next' = 'value'
  for (;;) {
    const c = text[at]
    const closes = (c === '}' && open.at(-1) === '{') || (c === ']' && open.at(-1) === '[')
    if (want === 'next' || (closes && (want === 'first key' || want === 'first value'))) {
      if (open.length === 0) return at === text.length ? -1 : at
      if (closes) {
        open.pop()
        want = 'next'
      } else if (c === ',') want = open.at(-1) === '{' ? 'key' : 'value'
      else return at
      at++
    } else if (want === 'key' || want === 'first key') {
      const colon = c === '"' ? stringFrom(text, at) : -1 - at
      if (colon < 0) return -1 - colon
      at = skipSpace(text, colon)
      if (text[at] !== ':') return at
      at++
      want = 'value'
    } else if (c === '{' || c === '[') {
      open.push(c)
      want = c === '{' ? 'first key' : 'first value'
      at++
    } else {
      const end = c === '"' ? stringFrom(text, at) : scalarFrom(text, at)
      if (end < 0) return -1 - end
      at = end
      want = 'next'
    }
    at = skipSpace(text, at)
  }
}

const skipSpace = (text: string, from: number): number => {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

/** End of the string that begins at `from`; -1 - index where something in it is wrong. */
const stringFrom = (text: string, from: number): number => {
  for (let at = from + 1; ; at++) {
    const c = text[at]
    if (c === '"') return at + 1
    if (c === undefined || c < ' ') return -1 - Math.min(at, text.length)
    if (c !== '\\') continue
    at++
    const length = text[at] === 'u' ? 5 : 1
    const escape = text.slice(at, at + length)
    if (!/^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})$/.test(escape)) return -1 - Math.min(at, text.length)
    at += length - 1
  }
}

const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y

const scalarFrom = (text: string, from: number): number => {
  SCALAR.lastIndex = from
  return SCALAR.test(text) ? SCALAR.lastIndex : -1 - from
}

/** The refusal of text that is no JSON: says where, never what stands there. */
export const notJson = (text: string): Rejection => {
  const at = syntaxFault(text)
  if (at < 0 || text.trim() === '') return rejection('JSON_SYNTAX')
  const before = text.slice(0, at)
  const line = before.split('\n').length
  const inLine = line === 1 ? '' : ` (line ${line})`
  const byte = Buffer.byteLength(before)
  return rejection(
    'JSON_SYNTAX',
    '',
    at === text.length ? `ends before it is complete, after ${byte} bytes` : `is no JSON from byte ${byte} on${inLine}`,
  )
}
