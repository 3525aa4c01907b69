import type { Severity } from '@plumbline/schemas'

/** What a scored row is looked at for. */
export const ROLE = {
  /** The first act of an identity from a source within ten minutes. */
  sighting: 1,
  /** A destination is used, for the first time within ten minutes. */
  place: 2,
  /** A step of a flow in a task that several identities may share. */
  step: 4,
  /** It departs from how its identity behaves. */
  departs: 8,
} as const

/** One sighting in so long is enough. */
export const SIGHTING_MS = 600_000

/** From here on a row departs: minus log10 of how rarely a normal event is that unusual. What alerted departs in any case. */
export const DEPARTS_TAIL = 3

/** A scored row as far as it matters to others than its identity. */
export interface Signal {
  readonly tenant: string
  readonly identity: string
  /** Index into IDENTITY_KINDS. */
  readonly kind: number
  /** min(event time, arrival), ms. */
  readonly time: number
  readonly shard: number
  readonly offset: number
  readonly action: string
  readonly resource: string
  readonly destination: string
  readonly source: string
  /** Root session or trace; empty when not told. */
  readonly root: string
  /** Nearest principal it acts for; empty when not told. */
  readonly by: string
  readonly release: string
  readonly model: string
  /** See SCORED_FLAGS. */
  readonly flags: number
  readonly score: number
  readonly maturity: number
  /** See ROLE. */
  readonly roles: number
}

/** An alert record as far as incidents refer to it. */
export interface AlertSignal {
  readonly tenant: string
  readonly id: string
  readonly severity: Severity
  readonly time: number
  readonly shard: number
  readonly offset: number
}

export const placeOf = ({ shard, offset }: { readonly shard: number; readonly offset: number }): string => `${shard}:${offset}`

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The order in which signals are taken up: the same for any number of shards, since an identity's are all in one. */
export const bySequence = (a: Signal, b: Signal): number =>
  a.time - b.time || order(a.tenant, b.tenant) || order(a.identity, b.identity) || a.offset - b.offset
