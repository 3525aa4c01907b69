import { FEATURE_COUNT, FEATURES, type Reason, type ReasonFamily } from '@plumbline/schemas'
import type { GroupStats } from '../state/groups.ts'
import { Work } from '../work.ts'
import { ruleOf } from './rules.ts'
import { removable } from './words.ts'

/**
 * How many of the reasons, heaviest first, would have had to be usual for the event to stay quiet: it is scored again with
 * their features at what is typical, and the rules are asked again. 0 when it would have alerted even without all of them.
 */
export const reasonsEnough = (
  w: Work,
  group: GroupStats,
  reasons: readonly Reason[],
  threshold: number,
  score: (w: Work) => void,
): number => {
  const families = removable(reasons).map((r) => r.family)
  for (let enough = 1; enough <= families.length; enough++)
    if (isQuietWithout(w, group, families.slice(0, enough), threshold, score)) return enough
  return 0
}

/** Whether the event would stay quiet if it were as usual in all that these families look at. */
export const isQuietWithout = (
  w: Work,
  group: GroupStats,
  families: readonly ReasonFamily[],
  threshold: number,
  score: (w: Work) => void,
): boolean => {
  const other = without(w, families)
  score(other)
  return other.tailLog10 < threshold && ruleOf(other, group) === null
}

/**
 * A copy of the sheet with the signs of some families as they usually are. A copy of the same shape, never an object with the
 * sheet as its prototype: that would make the sheet slow for every event after it.
 */
const without = (w: Work, families: readonly ReasonFamily[]): Work => {
  const typical = w.tenant.release?.mean ?? null
  const features = w.features.map((x, i) => (families.includes(FEATURES[i]!.family) && isHabit(i) ? Math.min(x, typical?.[i] ?? 0) : x))
  const other = Object.assign(new Work(w), w, { features, contributions: new Float32Array(FEATURE_COUNT) })
  for (const family of families) Object.assign(other, FACTS[family])
  return other
}

/** Sizes and all that compares with a habit can be usual; what the event is, like how sensitive its data are, stays. */
const isHabit = (i: number): boolean => FEATURES[i]!.source !== 'event' || FEATURES[i]!.unit === 'log'

/** What rules look at beside the features. */
const FACTS: Partial<Readonly<Record<ReasonFamily, Partial<Work>>>> = {
  sensitive_access: { newClass: false, foreign: false },
  new_destination: { newDestination: false, foreign: false },
  new_behaviour: { newAction: false, foreign: false },
  toxic_flow: { flowStep: 0, foreignAfter: 0 },
  travel: { travelKmh: 0 },
  probing: { foreign: false },
  drift: { rampNats: 0, shiftNats: 0 },
  policy: { deniedBy: null },
  version_change: { unannounced: 0 },
}
