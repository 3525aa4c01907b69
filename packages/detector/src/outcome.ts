import type { Rejection } from '@plumbline/schemas'

/**
 * What a stage says of an event that does not simply go on; `null` means it passes. Closed: data never makes a stage
 * throw. `reject`: a dead letter with its reason. `divert`: to another path (control records). `drop`: nothing to do.
 */
export type Outcome =
  | { readonly kind: 'reject'; readonly stage: 'decode' | 'identify'; readonly rejection: Rejection }
  | { readonly kind: 'divert'; readonly to: 'control' }
  | { readonly kind: 'drop'; readonly reason: 'erased' }

export const reject = (stage: 'decode' | 'identify', rejection: Rejection): Outcome => ({ kind: 'reject', stage, rejection })
export const CONTROL: Outcome = { kind: 'divert', to: 'control' }
