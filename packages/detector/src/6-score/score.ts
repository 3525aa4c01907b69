import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { SE } from '../state/layout.ts'
import { fastLog1p as log1p } from '../math/fast-ln.ts'
import { indexOf } from '../state/index-of.ts'
import { runBefore } from '../state/runs.ts'
import type { Work } from '../work.ts'
import { evidenceOf, runAfter, UNUSUAL_TAIL, unusualAfter } from './evidence.ts'
import { MAX_TAIL_LOG10, tailLog10 } from './calibration.ts'

/** Surprise features by index, and whether they compare with the identity itself (then maturity weighs them). */
const SURPRISE = Int32Array.from(FEATURES.flatMap((f, i) => (f.surprise ? [i] : [])))
const OWN = Uint8Array.from(FEATURES, (f) => (f.source === 'own' || f.source === 'window' || f.source === 'session' ? 1 : 0))

const WEIGHT = Float64Array.from(FEATURES, (f) => f.weight)
const MATURITY = FEATURES.findIndex((f) => f.name === 'maturity')

/** Surprise that counts as usual, and the scale of what exceeds it, before a release has measured them: nats. */
const UNMEASURED_USUAL = 3
const UNMEASURED_SCALE = 2
/** Weight of a feature's whitened error among the reasons; the sum of surprise leads. */
const ERROR_SHARE = 0.25
/** Share of an own-baseline surprise that counts for a stranger. */
const STRANGER = 0.25
/** Where a release measures how usual an amount of surprise is, per feature: two quantiles with the mean excess beyond each. */
const LEVELS = 2
/** Before the first release: log10 of the tail per unit of summed surprise, on the careful side. */
const UNMODELLED_SLOPE = 0.35

/**
 * Sum of statistical surprise: for each feature what exceeds its 95 % and its 99 % quantile of recorded life, in units of
 * how far it usually goes beyond them, compressed by log(1 + e) because features that say the same thing rise together. Own
 * baselines are weighed by maturity (itself a feature). Fills the contributions. Also used on recorded rows, so that
 * training and scoring cannot differ.
 * @param usual per level: per feature the quantile, then per feature the scale; then the same four of each whole; null before
 * the first release
 */
export const sumSurprise = (x: Float32Array, usual: Float32Array | null, c: Float32Array): number => {
  c.fill(0)
  const trust = STRANGER + (1 - STRANGER) * x[MATURITY]!
  let sum = 0
  for (let k = 0; k < SURPRISE.length; k++) {
    const i = SURPRISE[k]!
    const value = x[i]!
    const excess = value - (usual === null ? UNMEASURED_USUAL : usual[i]!)
    if (excess <= 0) continue
    const nats = usual === null ? log1p(excess / UNMEASURED_SCALE) : beyond(usual, i, value, excess)
    const weighed = WEIGHT[i]! * (OWN[i] === 1 ? trust : 1) * nats
    c[i] = weighed
    sum += weighed
  }
  if (usual !== null)
    for (let which = 0; ofWhole(which) < usual.length; which++) sum += whole(x, usual, c, which, which === AMOUNTS ? trust : 1)
  return sum
}

const beyond = (usual: Float32Array, i: number, value: number, excess: number): number =>
  nats(excess, usual[FEATURE_COUNT + i]!, value - usual[2 * FEATURE_COUNT + i]!, usual[3 * FEATURE_COUNT + i]!)

/** What exceeds the first level, and what the second, each in units of how far it usually goes, compressed. */
const nats = (excess: number, scale: number, further: number, furtherScale: number): number => {
  const first = log1p(excess / scale)
  return further <= 0 ? first / LEVELS : (first + log1p(further / furtherScale)) / LEVELS
}

/**
 * What belongs together and is also judged as one: an act is made of who, what, to where, from where, and how it ended; what was
 * sent, of the one send, its hour, its day and what went before.
 */
const WHOLES = [
  ['action_own', 'identity_new', 'outcome_own', 'source_own', 'destination_own'],
  ['bytes_out_own', 'bytes_out_hour', 'bytes_out_day', 'drift_bytes'],
].map((names) => Int32Array.from(names, indexOf))
export const WHOLE_COUNT = WHOLES.length
/** All of it compares with the identity itself. */
const AMOUNTS = 1
/** Where a release has the usual of a whole: quantile and scale of either level, behind those of the features. */
const ofWhole = (which: number): number => 4 * (FEATURE_COUNT + which)

/** Improbability of a whole, nats: that of its parts, taken for independent, adds up. */
export const wholeNats = (x: Float32Array, which: number): number => {
  const parts = WHOLES[which]!
  let sum = 0
  for (let k = 0; k < parts.length; k++) sum += x[parts[k]!]!
  return sum
}

/**
 * A whole beyond what is usual of such, and into the contributions by what its parts have in it: a call that is rare, refused and
 * from a seldom used network is rarer than each of these, though each may be within its usual.
 */
const whole = (x: Float32Array, usual: Float32Array, c: Float32Array, which: number, trust: number): number => {
  const value = wholeNats(x, which)
  const at = ofWhole(which)
  const excess = value - usual[at]!
  if (excess <= 0) return 0
  const weighed = trust * nats(excess, usual[at + 1]!, value - usual[at + 2]!, usual[at + 3]!)
  const parts = WHOLES[which]!
  for (let k = 0; k < parts.length; k++) c[parts[k]!]! += (weighed * x[parts[k]!]!) / value
  return weighed
}

/**
 * Joins surprise and the autoencoder's whitened error into one statistic and reads its tail probability from the
 * release's calibration. Both parts are centred and scaled by their spread over the training rows.
 */
export const score = (w: Work): null => {
  const release = w.tenant.release
  w.modelled = release !== null && release.autoencoder !== null
  w.surprise = sumSurprise(w.features, release === null ? null : release.typical, w.contributions)
  w.reconstruction = 0
  if (release === null || release.autoencoder === null) {
    w.joint = w.surprise
    w.eventTail = Math.min(12, w.surprise * UNMODELLED_SLOPE)
    w.tailLog10 = w.eventTail
    w.unusual = w.eventTail >= UNUSUAL_TAIL
    w.unusualAfter = 0
    w.runAfter = 0
    w.score = scoreOf(w.tailLog10, w.joint)
    return null
  }
  const net = release.autoencoder
  net.input.set(w.features)
  w.reconstruction = net.run()
  w.joint = jointScore(release.joint, w.surprise, w.reconstruction)
  w.eventTail = tailLog10(release.calibration, w.joint)
  w.unusual = w.eventTail >= UNUSUAL_TAIL
  if (w.eventTail >= WORTH_EXPLAINING) addErrors(w.contributions, net.errors)
  const before = w.sessionIsNew ? 0 : w.seg.u16[(w.sessionAt + SE.unusual) >> 1]!
  const run = runBefore(w)
  w.unusualAfter = unusualAfter(before, w.unusual)
  w.runAfter = runAfter(run, w.eventTail)
  const evidence = evidenceOf(w.eventTail, before, run)
  w.tailLog10 = tailLog10(release.evidence, evidence)
  w.score = scoreOf(w.tailLog10, w.joint)
  return null
}

/** −log10 of the tail from which on the learned errors are worked into the reasons. */
const WORTH_EXPLAINING = 1
/** Whitened squared error of a feature that counts as a reason: two typical residuals. */
const NOTABLE_ERROR = 4

const addErrors = (c: Float32Array, errors: Float32Array): void => {
  for (let i = 0; i < FEATURE_COUNT; i++) if (errors[i]! > NOTABLE_ERROR) c[i]! += ERROR_SHARE * log1p(errors[i]!)
}

/** 0 to 100 from minus log10 of the tail probability: 1e-3 is 52, 1e-5 is 66, 1e-10 is 83. */
export const scoreOf = (tail: number, joint: number): number => {
  // Where the calibration can tell no more, the joint statistic still ranks.
  const t = tail < MAX_TAIL_LOG10 ? tail : MAX_TAIL_LOG10 + 0.5 * log1p(Math.max(0, joint))
  return Math.min(100, (110 * t) / (t + 3.3))
}

/** Surprise and whitened error, each centred and scaled by its spread over the training rows, added with the release's weight. */
export const jointScore = (joint: Float32Array, surprise: number, reconstruction: number): number =>
  (surprise - joint[0]!) / joint[1]! + (joint[4]! * (log1p(reconstruction) - joint[2]!)) / joint[3]!
