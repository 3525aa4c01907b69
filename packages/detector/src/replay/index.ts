export { type CapsuleContext, recompute, type Recomputed } from './recompute.ts'
export { OutboxDigest } from './outbox-digest.ts'
export { type ScoredRow, scoredRows } from './row-binary.ts'
