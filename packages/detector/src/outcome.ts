import type { Rejection } from '@plumbline/schemas'

/** Why an event leaves the path at a stage: it becomes a dead letter with this reason. */
interface Refusal {
  readonly stage: 'decode' | 'identify'
  readonly rejection: Rejection
}

/** What a stage says of an event; `null` means that it goes on. Closed: data never makes a stage throw, and nothing is dropped unsaid. */
export type Outcome = Refusal | null

export const reject = (stage: Refusal['stage'], rejection: Rejection): Refusal => ({ stage, rejection })
