import type { Invariant } from '@plumbline/detector'

/** Name of a test that holds invariants: their ids, then what is tried. */
export const holds = (what: string, ...ids: readonly Invariant[]): string => `${ids.join(' ')} ${what}`
