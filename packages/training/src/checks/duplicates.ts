import { type Dataset, type Finding, percent, rowCount } from './dataset.ts'

/** Share of rows that repeat another from which on that is worth saying, and from which on the rest hardly counts. */
const REPEATED = { warning: 0.3, severe: 0.9 } as const
/** Share of all rows that may be copies of one. */
const ONE_ROW = { warning: 0.1, severe: 0.5 } as const

/** 53 bits of a row's content, by two multiplicative hashes. */
const hashOf = (words: Uint32Array, from: number, to: number): number => {
  let a = 0x811c9dc5
  let b = 0x9e3779b9
  for (let i = from; i < to; i++) {
    a = Math.imul(a ^ words[i]!, 0x01000193)
    a ^= a >>> 15
    b = Math.imul(b ^ words[i]!, 0x85ebca6b)
    b ^= b >>> 13
  }
  return (a >>> 0) * 0x200000 + (b & 0x1fffff)
}

/**
 * Rows that are copies of one another, bit for bit. A robot repeats itself, and the net thins out what repeats; but a table that is
 * made of copies is an export that went wrong, or somebody repeating what he wants to be usual.
 */
export const checkDuplicates = (data: Dataset): readonly Finding[] => {
  const n = rowCount(data)
  const width = data.names.length
  const words = new Uint32Array(data.rows.buffer, data.rows.byteOffset, data.rows.length)
  const counts = new Map<number, number>()
  for (let r = 0; r < n; r++) {
    const key = hashOf(words, r * width, (r + 1) * width)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const repeats = n - counts.size
  if (repeats === 0) return []
  let largest = 0
  for (const count of counts.values()) largest = Math.max(largest, count)
  const [share, most] = [repeats / n, largest / n]
  const severe = share >= REPEATED.severe || most >= ONE_ROW.severe
  const odd = share >= REPEATED.warning || most >= ONE_ROW.warning
  return [
    {
      check: 'duplicates',
      severity: severe ? 'severe' : odd ? 'warning' : 'note',
      words: `${repeats} rows (${percent(share)}) are exact copies of another; the most frequent row is there ${largest} times (${percent(most)}).`,
      numbers: { rows: repeats, share, largest, largestShare: most },
    },
  ]
}
