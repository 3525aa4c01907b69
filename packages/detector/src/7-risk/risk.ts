import { H } from '../state/layout.ts'
import type { Work } from '../work.ts'

/** Risk halves in this much event time. */
const HALF_LIFE_S = 86_400
/** What a further alert adds at most, as a share of itself. */
const REPEAT = 0.15

/** Risk of the identity at the event's time, before anything new: 0 to 100. */
export const riskNow = (w: Work): number => {
  const { f32, u32 } = w.seg
  const h = w.base >> 2
  const risk = f32[h + (H.risk >> 2)]!
  const halvings = (Math.floor(w.timeMs / 1000) - u32[h + (H.riskAtS >> 2)]!) / HALF_LIFE_S
  if (risk === 0 || halvings <= 0) return risk
  // 2^-x for the whole part exactly, linear inside: monotone and free of transcendental functions.
  const whole = Math.floor(halvings)
  return whole > 29 ? 0 : (risk / (1 << whole)) * (1 - (halvings - whole) / 2)
}

/**
 * Adds an alert: the worst live alert sets the floor, repeats add little, time removes it, criticality weighs.
 * @param contribution 0 to 100 @param criticality 1 low, 2 normal, 3 high
 */
export const raiseRisk = (w: Work, contribution: number, criticality: number): number => {
  const weighed = Math.min(100, contribution * (criticality === 3 ? 1.25 : criticality === 1 ? 0.75 : 1))
  const before = riskNow(w)
  const worst = Math.max(before, weighed)
  const risk = Math.min(100, worst + REPEAT * Math.min(before, weighed) * (1 - worst / 100))
  w.seg.f32[(w.base + H.risk) >> 2] = risk
  w.seg.u32[(w.base + H.riskAtS) >> 2] = Math.floor(w.timeMs / 1000)
  return risk
}
