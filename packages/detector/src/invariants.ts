/**
 * What holds whatever happens, one sentence each. Tests name by id what they hold (test/contract/invariants.test.ts checks
 * that each is held by some). Found broken while running, they are counted in `plumbline_invariant_violations_total`: INV-2 by
 * the worker, INV-5 and INV-6 by the detector, INV-7 whenever an alert is replayed.
 */
export const INVARIANTS = {
  'INV-1': "Deterministic: scores and alerts are a pure function of one shard's log, bit for bit.",
  'INV-2': 'Nothing lost: each record read is a row, a dead letter with its reason or an applied control record.',
  'INV-3': 'Exactly once in effect: one row per position and one record per alert and revision, after any crash.',
  'INV-4': 'Score first, learn after: a score never changes once written.',
  'INV-5':
    'Bounded influence: what one event, identity or day moves is bounded, and what alerts is not learned unless a verdict or a bounded adoption says so.',
  'INV-6': 'Bounded memory: a fixed size per identity, a cap on those held, eviction and return without loss.',
  'INV-7': 'Replayable: a capsule alone gives the identical score and features again.',
} as const

export type Invariant = keyof typeof INVARIANTS

/** Those that a detector checks while it runs, with how often each was found broken: 0, or there is a bug. */
export type BrokenCounts = Record<'INV-5' | 'INV-6', number>
