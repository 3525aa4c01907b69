import { type Dataset, type Finding, percent } from './dataset.ts'

/** Share of the rows that one identity may have before it decides what is usual for all; and among how many at least. */
const ONE_IDENTITY = 0.5
const AMONG = 5

/** How many rows each has, the most frequent first. */
export const sharesOf = (identities: Uint32Array): readonly (readonly [number, number])[] => {
  const counts = new Map<number, number>()
  for (const identity of identities) counts.set(identity, (counts.get(identity) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)
}

/** Whether few identities make up most of what is learned. */
export const checkIdentities = ({ identities }: Dataset): readonly Finding[] => {
  if (identities === undefined || identities.length === 0) return []
  const shares = sharesOf(identities)
  const share = shares[0]![1] / identities.length
  const tenth = shares.slice(0, Math.ceil(shares.length / 10)).reduce((sum, [, n]) => sum + n, 0) / identities.length
  const loud = share >= ONE_IDENTITY && shares.length >= AMONG
  return [
    {
      check: 'identities',
      severity: loud ? 'warning' : 'note',
      words: loud
        ? `One of ${shares.length} identities has ${percent(share)} of the rows: what it does decides what is usual.`
        : `${shares.length} identities; the one with the most rows has ${percent(share)} of them, the busiest tenth ${percent(tenth)}.`,
      numbers: { identities: shares.length, largestShare: share, busiestTenth: tenth },
    },
  ]
}
