import { type BlindSpot, type EventInput, PlumblineError } from '@plumbline/schemas'
import { type Habits, habitsOf, withoutOpenGroups } from './habits.ts'
import { type Act, type Plan, plansOf, type Way } from './plans.ts'
import { leastAmount } from './search.ts'
import { type BlindSpotContext, ThrowAway } from './throw-away.ts'

/** An identity as it stands: its packed slot, and what it did last, newest first, without what alerted. */
export interface BlindSpotSubject {
  readonly identity: string
  readonly slot: Uint8Array
  readonly recent: readonly Act[]
}

export interface BlindSpotResult {
  /** Newest event in the baseline, ms since epoch. */
  readonly baselineAt: number
  readonly spots: readonly BlindSpot[]
}

/** Finds for one identity after the other, under one release and policy, from how much on each kind of deviation alerts. */
export interface Prober {
  /** The same slot, acts, release, policy and configuration give the same answer. Throws what a release that cannot run here throws, REPLAY_FAILED. */
  probe(subject: BlindSpotSubject): BlindSpotResult
}

const HOUR_MS = 3_600_000

export const createProber = (context: BlindSpotContext): Prober => {
  const shard = new ThrowAway(context)

  return {
    probe({ identity, slot, recent }) {
      const habits = habitsOf(slot)
      if (!(habits.lastMs > 0)) throw new PlumblineError('REPLAY_FAILED', 'nothing was learned of this identity yet')
      shard.take(identity, withoutOpenGroups(slot), habits.lastMs)
      const known = { identity, habits, acts: recent.toReversed(), policy: shard.tenant.policy }
      const who = { tenant: context.tenant, identity: { id: identity, kind: habits.kind } }
      const limitOf = (plan: Plan, way: Way) =>
        leastAmount(plan.floor, plan.ceiling, (amount) => shard.alertOf(streamOf(plan, way, amount, habits, who)))
      return { baselineAt: habits.lastMs, spots: plansOf(known).map((plan) => spotOf(plan, (way) => limitOf(plan, way))) }
    },
  }
}

/** The acts of one trial, evenly over the hour, in sessions as long as the identity's own. */
function* streamOf(
  plan: Plan,
  way: Way,
  amount: number,
  { actsPerSession }: Habits,
  who: Pick<EventInput, 'tenant' | 'identity'>,
): Generator<EventInput & { readonly time: number }, void, undefined> {
  const n = way.acts(amount)
  for (let i = 0; i < n; i++) {
    const act = way.act(i, n, amount)
    yield {
      ...act,
      ...who,
      id: `blind-spot-${i}`,
      time: plan.hourMs + Math.floor(((i + 0.5) * HOUR_MS) / n),
      ...(act.session === undefined ? {} : { session: `blind-spot-${Math.floor(i / actsPerSession)}` }),
    }
  }
}

const spotOf = (plan: Plan, limitOf: (way: Way) => ReturnType<typeof leastAmount>): BlindSpot => {
  const { kind, unit, usual, ceiling, skipped } = plan
  const said = { kind, unit, upTo: ceiling, usual, skipped }
  const none: BlindSpot = { ...said, alertsFrom: null, acts: null, family: null }
  if (skipped !== null) return none
  let worst = none
  for (const way of plan.ways) {
    const { from, family } = limitOf(way)
    if (from === null) return none
    if (worst.alertsFrom === null || from > worst.alertsFrom) worst = { ...said, alertsFrom: from, acts: way.acts(from), family }
  }
  return worst
}
