export { type CapsuleContext, recompute, type Recomputed } from './recompute.ts'
export { type ScoredRow, scoredRows } from './row-binary.ts'
