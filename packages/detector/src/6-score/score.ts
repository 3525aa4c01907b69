import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { log1p } from '../math/functions.ts'
import type { Work } from '../work.ts'
import { MAX_TAIL_LOG10, tailLog10 } from './calibration.ts'

/** Surprise features by index, and whether they compare with the identity itself (then maturity weighs them). */
const SURPRISE = Int32Array.from(FEATURES.flatMap((f, i) => (f.surprise ? [i] : [])))
const OWN = Uint8Array.from(FEATURES, (f) => (f.source === 'own' || f.source === 'window' || f.source === 'session' ? 1 : 0))

/** Usual surprise of a feature before a release has measured it, nats. */
const UNMEASURED = 1.5
/** Share of an own-baseline surprise that counts for a stranger. */
const STRANGER = 0.25
/** Before the first release: log10 of the tail per nat of summed surprise, on the careful side. */
const UNMODELLED_SLOPE = 0.11

/**
 * Sum of statistical surprise: what each feature exceeds its usual value by, own baselines weighed by maturity.
 * Fills `surprise` and the contributions.
 */
const sumSurprise = (w: Work, typical: Float32Array | null): number => {
  const { features: x, contributions: c } = w
  c.fill(0)
  const trust = STRANGER + (1 - STRANGER) * w.maturity
  let sum = 0
  for (let k = 0; k < SURPRISE.length; k++) {
    const i = SURPRISE[k]!
    let excess = x[i]! - (typical === null ? UNMEASURED : typical[i]!)
    if (excess <= 0) continue
    if (OWN[i] === 1) excess *= trust
    c[i] = excess
    sum += excess
  }
  return sum
}

/**
 * Joins surprise and the autoencoder's whitened error into one statistic and reads its tail probability from the
 * release's calibration. Both parts are centred and scaled by their spread over the training rows.
 */
export const score = (w: Work): null => {
  const release = w.tenant.release
  w.modelled = release !== null && release.autoencoder !== null
  w.surprise = sumSurprise(w, release === null ? null : release.typical)
  w.reconstruction = 0
  if (release === null || release.autoencoder === null) {
    w.joint = w.surprise
    w.tailLog10 = Math.min(12, w.surprise * UNMODELLED_SLOPE)
    w.score = scoreOf(w.tailLog10, w.joint)
    return null
  }
  const net = release.autoencoder
  net.input.set(w.features)
  w.reconstruction = net.run()
  const joint = release.joint
  const surprisePart = (w.surprise - joint[0]!) / joint[1]!
  const errorPart = (log1p(w.reconstruction) - joint[2]!) / joint[3]!
  w.joint = surprisePart + joint[4]! * errorPart
  const { errors } = net
  const c = w.contributions
  for (let i = 0; i < FEATURE_COUNT; i++) c[i]! += 0.05 * errors[i]!
  w.tailLog10 = tailLog10(release.calibration, w.joint)
  w.score = scoreOf(w.tailLog10, w.joint)
  return null
}

/** 0 to 100 from minus log10 of the tail probability: 1e-3 is 52, 1e-5 is 66, 1e-10 is 83. */
export const scoreOf = (tail: number, joint: number): number => {
  // Where the calibration can tell no more, the joint statistic still ranks.
  const t = tail < MAX_TAIL_LOG10 ? tail : MAX_TAIL_LOG10 + 0.5 * log1p(Math.max(0, joint))
  return Math.min(100, (110 * t) / (t + 3.3))
}
