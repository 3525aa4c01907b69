/** Cuts a request body into the bytes of single events, so that one bad event cannot take its neighbours along. */

const isSpace = (c: number): boolean => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
const NEWLINE = 0x0a
const COMMA = 0x2c

const trim = (body: Uint8Array, start: number, end: number): Uint8Array => {
  while (start < end && isSpace(body[start] as number)) start++
  while (end > start && isSpace(body[end - 1] as number)) end--
  return body.subarray(start, end)
}

/** `lines`: the sender declared NDJSON. Otherwise a list, one object, or objects one after another. At most `limit` + 1 parts. */
export const splitBody = (body: Uint8Array, lines: boolean, limit: number): Uint8Array[] => {
  const start = body.findIndex((c) => !isSpace(c))
  if (start < 0) return []
  if (body[start] === 0x5b) return splitList(body, start + 1, limit)
  return lines ? splitLines(body, limit) : splitSequence(body, start, limit)
}

const splitLines = (body: Uint8Array, limit: number): Uint8Array[] => {
  const out: Uint8Array[] = []
  for (let start = 0; start < body.length && out.length <= limit; ) {
    const found = body.indexOf(NEWLINE, start)
    const end = found < 0 ? body.length : found
    const line = trim(body, start, end)
    if (line.length > 0) out.push(line)
    start = end + 1
  }
  return out
}

/** First index at or after `from` where `stop` holds outside of strings and nested values; the length when there is none. */
const skipValue = (body: Uint8Array, from: number, stop: (c: number, depth: number) => boolean): number => {
  let depth = 0
  let inString = false
  for (let i = from; i < body.length; i++) {
    const c = body[i] as number
    if (inString) {
      if (c === 0x5c) i++
      else if (c === 0x22) inString = false
      continue
    }
    if (stop(c, depth)) return i
    if (c === 0x22) inString = true
    else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) depth--
  }
  return body.length
}

/** Elements between commas. What stands after the list, or a list that does not end, is one part more: it will not decode. */
const splitList = (body: Uint8Array, from: number, limit: number): Uint8Array[] => {
  const out: Uint8Array[] = []
  for (let start = from; out.length <= limit; ) {
    const end = skipValue(body, start, (c, depth) => depth === 0 && (c === COMMA || c === 0x5d))
    const part = trim(body, start, end)
    const closed = body[end] === 0x5d
    if (part.length > 0 || out.length > 0 || !closed) out.push(part)
    if (closed) {
      const after = trim(body, end + 1, body.length)
      if (after.length > 0) out.push(after)
      return out
    }
    if (end >= body.length) return unfinished(out)
    start = end + 1
  }
  return out
}

/** The list broke off: whatever the last part looks like, it may not be whole. */
const unfinished = (parts: Uint8Array[]): Uint8Array[] => {
  const last = parts.pop() ?? new Uint8Array(0)
  return last.length === 0 ? [...parts, last] : [...parts, last, new Uint8Array(0)]
}

const splitSequence = (body: Uint8Array, from: number, limit: number): Uint8Array[] => {
  const out: Uint8Array[] = []
  for (let start = from; start < body.length && out.length <= limit; ) {
    const opens = body[start] === 0x7b || body[start] === 0x5b
    const end = opens
      ? skipValue(body, start, (c, depth) => depth === 1 && (c === 0x7d || c === 0x5d)) + 1
      : skipValue(body, start, (c) => c === NEWLINE)
    const part = trim(body, start, Math.min(end, body.length))
    if (part.length > 0) out.push(part)
    start = end
    while (start < body.length && isSpace(body[start] as number)) start++
  }
  return out
}
