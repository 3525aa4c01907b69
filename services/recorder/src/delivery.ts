import { type Alert, alertIn, type OutboxEntry } from '@plumbline/schemas'

/** Decides in the order of alerts what happens to each, like the budget of the forwarder. `state` is plain data. */
export interface DeliveryDecider {
  decide(alert: Alert): string
  state(): unknown
}

/** Makes a decider from a stored state; undefined: a new one. */
export type MakeDecider = (state: unknown) => DeliveryDecider

/** Deciding state before and after a block: a block that is sent again gets the same decisions. */
export interface DecidedBlock {
  readonly before: unknown
  readonly after: unknown
  /** Outbox sequence to decision. */
  readonly decisions: ReadonlyMap<number, string>
}

/** Decides a block of alerts, starting from `before`. */
export const decideBlock = (make: MakeDecider, before: unknown, entries: readonly OutboxEntry[]): DecidedBlock => {
  const decider = make(before)
  const decisions = new Map<number, string>()
  for (const entry of entries) {
    const alert = alertIn(entry.payload)
    if (alert !== null) decisions.set(entry.sequence, decider.decide(alert))
  }
  return { before, after: decider.state(), decisions }
}
