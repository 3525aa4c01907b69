/**
 * Globs of the policy: `*` matches any run of characters, everything else itself, without regard to case.
 * No regular expressions: matching looks for the literal parts in turn, so its time is bounded by
 * pattern length × text length, whatever anybody writes into either.
 */
export interface Glob {
  readonly source: string
  /** True without any `*`: equal text is the only match. */
  readonly exact: boolean
  matches(text: string): boolean
  /** The same for text that is in lower case already. */
  matchesLower(text: string): boolean
}

export const compileGlob = (source: string): Glob => {
  const parts = source.toLowerCase().split('*')
  const first = parts[0] ?? ''
  const last = parts[parts.length - 1] ?? ''
  const middle = parts.slice(1, -1).filter((p) => p !== '')
  const exact = parts.length === 1
  const matchesLower = (text: string): boolean => (exact ? text === first : matchParts(text, first, middle, last))
  return { source, exact, matchesLower, matches: (text) => matchesLower(text.toLowerCase()) }
}

const matchParts = (text: string, first: string, middle: readonly string[], last: string): boolean => {
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const part of middle) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

/**
 * Many patterns asked for one text: exact ones are looked up, globs tried in turn.
 * `find` returns the values of all that match, in the order they were given.
 */
export interface GlobIndex<T> {
  find(text: string): readonly T[]
}

export const indexGlobs = <T>(entries: readonly { readonly pattern: string; readonly value: T }[]): GlobIndex<T> => {
  const exact = new Map<string, { order: number; value: T }[]>()
  const globs: { order: number; glob: Glob; value: T }[] = []
  for (const [order, { pattern, value }] of entries.entries()) {
    const glob = compileGlob(pattern)
    if (!glob.exact) {
      globs.push({ order, glob, value })
      continue
    }
    const key = pattern.toLowerCase()
    const bucket = exact.get(key)
    if (bucket === undefined) exact.set(key, [{ order, value }])
    else bucket.push({ order, value })
  }
  return {
    find: (text) => {
      const lower = text.toLowerCase()
      const hits = [...(exact.get(lower) ?? []), ...globs.filter((g) => g.glob.matchesLower(lower))]
      return hits.sort((a, b) => a.order - b.order).map((h) => h.value)
    },
  }
}
