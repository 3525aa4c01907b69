import type { Work } from '../work.ts'

/** An identity must be known this well before "it never did that" carries weight on its own. */
export const KNOWN = 0.55
/** Where several habits must be left at once, each may be less well known. */
export const HALF_KNOWN = 0.4
/**
 * How improbable the event must be as well, −log10 of its tail: rules on single steps need more, those that already
 * weigh several facts need little. A rule that lacks its evidence leaves the word to the next.
 */
const RULE_TAIL = {
  toxic_flow: 2.9,
  // People read what outsiders wrote and answer it all day, and are not steered by it as agents are.
  toxic_flow_of_people: 4,
  sensitive_access: 3.75,
  probing: 3.5,
  // Far beyond the identity's own, in an hour or in one transfer.
  far: 1.5,
  another: 2.5,
  turns: 3.5,
  // Neither its own nor its peers' acts, many at once: hardly any honest session of forty thousand identity days is so.
  leaves_its_kind: 2.6,
  takes_restricted: 2.2,
  moves_out: 2.6,
  moves_at_night: 2.5,
  travel: 1.5,
  drift: 1.5,
  drift_of_odd: 2.2,
} as const
/** The minima hold where the budget asks for 1e-5; where it asks for more, or a larger fleet has ten times the events, rules need as much more. */
const USUAL_THRESHOLD = 5
/** Honest flows that look like planted ones come in many kinds: a large fleet has more of them than more of one. */
const FLOWS_PER_FLEET = 2
export const speaks = (w: Work, family: keyof typeof RULE_TAIL): boolean => {
  const { release } = w.tenant
  const threshold = release?.header.thresholds.alertTailLog10 ?? USUAL_THRESHOLD
  const least = w.modelled && release !== null ? Math.min(RULE_TAIL[family], release.resolution) : RULE_TAIL[family]
  const fleet = (release?.fleet ?? 0) * (family === 'toxic_flow' ? FLOWS_PER_FLEET : 1)
  return w.tailLog10 >= least + Math.max(0, threshold - USUAL_THRESHOLD, fleet)
}

/** Below this nobody needs to be woken for the size of one transfer, however unusual it is. */
export const LEAST_BYTES = 25_000_000
