import {
  CATALOGUE_HASH,
  configHash,
  createAutoencoder,
  DETECTOR_VERSION,
  evidenceOf,
  jointScore,
  log1p,
  packGroup,
  packRelease,
  runAfter,
  sha256Hex,
  sumSurprise,
  tailLog10,
  UNUSUAL_TAIL,
  unusualAfter,
  WHOLE_COUNT,
  wholeNats,
} from '@plumbline/detector'
import { type DetectionConfig, FEATURE_COUNT, PlumblineError, SCORED_FLAGS } from '@plumbline/schemas'
import type { TrainedAutoencoder, TrainOptions } from './autoencoder.ts'
import { calibrate, MIN_CALIBRATION_SCORES } from './calibrate.ts'
import { referenceOf } from './checks/index.ts'
import { type BuiltGroup, findGroups, groupStats, readMember } from './peer-groups.ts'
import { trainInWorker } from './train-in-worker.ts'

/** Recorded history of one tenant as the trainer hands it over. */
export interface ReleaseInput {
  readonly tenant: string
  /** Counts up per tenant, from 1. */
  readonly sequence: number
  /** Feature vectors as they were scored under a release with groups, one after the other. */
  readonly rows: Float32Array
  /** Per row `alertedAs` of its flags: what alerted does not teach the net, but belongs to the distribution of scores. */
  readonly alerted: Uint8Array
  /** Per row the group an alert on it would join (identity and session, or hour): equal numbers, equal group. */
  readonly groups: Uint32Array
  /** Event time that `rows` cover, for the alert threshold: events per day of the whole tenant. */
  readonly eventsPerDay: number
  /** Packed slots of all identities of the tenant. */
  readonly slots: Iterable<Uint8Array>
  /** Declared group names by fingerprint, as the detector met them. */
  readonly groupNames: ReadonlyMap<number, string>
  readonly config: DetectionConfig
  readonly seed: number
  readonly createdFrom: {
    readonly positions: Record<string, number>
    readonly events: number
    readonly fromTime: number
    readonly toTime: number
  }
  /** Without a net: peer and global statistics only, for the time before the first training. */
  readonly withModel: boolean
  readonly signal?: AbortSignal
}

export interface BuiltRelease {
  readonly id: string
  readonly sha256: string
  readonly bytes: Uint8Array
}

/** Benign alert groups a day that the threshold aims at, as a share of the budget: a budget is a ceiling, not a quota. */
const AIM = 0.1
/** Before there is a model much alerts that is merely new: it is no incident, and belongs to the tail as it stands. */
const ALERTED = { no: 0, unmodelled: 1, modelled: 2 } as const
/** How a recorded row alerted, from its flags. What an exception kept quiet was withheld too: it teaches nothing, and is part of the tail. */
export const alertedAs = (flags: number): number => {
  if ((flags & SCORED_FLAGS.alerted) === 0) return (flags & SCORED_FLAGS.withheld) === 0 ? ALERTED.no : ALERTED.unmodelled
  return (flags & SCORED_FLAGS.unmodelled) === 0 ? ALERTED.modelled : ALERTED.unmodelled
}

/** Weight of the learned error beside the surprise in the joint score. */
const ERROR_WEIGHT = 0.4
/** Most rows that train a net; more are thinned evenly. */
const MAX_ROWS = 60_000

/** Builds a release from recorded history: groups, and with a model also the net, joint scale, calibration, thresholds. */
export const buildRelease = async (input: ReleaseInput): Promise<BuiltRelease> => {
  const members = [...input.slots].map(readMember)
  const groups = findGroups(members, input.groupNames)
  const everyone: BuiltGroup['stats'] = groupStats('', members)
  const sections: Record<string, Float32Array> = { ...packGroup('all', everyone) }
  groups.forEach((g, i) => {
    Object.assign(sections, packGroup(`g${i}`, g.stats))
  })
  sections.declared = Float32Array.from(groups.flatMap((g, i) => (g.declared === 0 ? [] : [g.declared & 0xffff, g.declared >>> 16, i])))
  const quiet = keepQuiet(input)
  const rows = thin(quiet)
  const aim = Math.max(0.5, input.config.alertBudgetPerDay * AIM)
  const model = input.withModel ? await fit(input, rows, aim) : null
  sections.typical = model?.typical ?? usualOf(input.rows)
  sections.joint = model?.joint ?? Float32Array.of(0, 1, 0, 1, 0)
  sections.calibration = model?.calibration ?? unmodelledCalibration(input.rows, sections.typical)
  sections.evidence = model?.evidence ?? STRAIGHT
  if (model !== null) {
    const { weights, mean, invStd, residualScale } = model.net.parameters
    Object.assign(sections, { weights, mean, invStd, residualScale, reference: referenceOf(quiet, FEATURE_COUNT) })
  }
  const floor = -Math.log10(input.config.tailFloor)
  const id = `${input.tenant}-r${input.sequence}`
  const bytes = packRelease(
    {
      v: 1,
      id,
      tenant: input.tenant,
      sequence: input.sequence,
      createdFrom: { ...input.createdFrom, identities: members.length },
      catalogueHash: CATALOGUE_HASH,
      detectorVersion: DETECTOR_VERSION,
      configHash: configHash(input.config),
      layers: model === null ? [] : [...model.net.parameters.layers],
      peerGroups: groups.map((g) => ({ name: g.name, members: g.stats.members })),
      thresholds: {
        tailFloorLog10: floor,
        alertTailLog10:
          model === null ? Math.max(floor, Math.log10(Math.max(1, input.eventsPerDay / aim))) : Math.max(floor, model.budgetTail),
      },
      metrics: { rows: rows.length / FEATURE_COUNT, eventsPerDay: input.eventsPerDay, ...(model === null ? {} : metricsOf(model)) },
    },
    sections,
  )
  return { id, sha256: sha256Hex(bytes), bytes }
}

interface Model {
  readonly net: TrainedAutoencoder
  readonly typical: Float32Array
  readonly joint: Float32Array
  readonly calibration: Float32Array
  readonly evidence: Float32Array
  readonly exceedances: readonly number[]
  /** −log10 of the tail that recorded history reaches in as many groups a day as the budget aims at. */
  readonly budgetTail: number
}

const fit = async (input: ReleaseInput, rows: Float32Array, aim: number): Promise<Model> => {
  if (rows.length / FEATURE_COUNT < 2 * MIN_CALIBRATION_SCORES) {
    throw new PlumblineError(
      'TRAINING_ROWS',
      `Training needs at least ${2 * MIN_CALIBRATION_SCORES} recorded events, there are ${rows.length / FEATURE_COUNT}.`,
    )
  }
  const options: TrainOptions = { rows, width: FEATURE_COUNT, seed: input.seed }
  const net = await trainInWorker(options, input.signal)
  const typical = usualOf(withoutIncidents(input))
  const { surprise, error } = partsOf(rows, typical, net)
  const joint = Float32Array.of(mean(surprise), spread(surprise), mean(error), spread(error), ERROR_WEIGHT)
  const all = input.rows.length === rows.length ? { surprise, error } : partsOf(input.rows, typical, net)
  const scores = Float32Array.from(all.surprise, (s, i) => jointScore(joint, s, Math.expm1(all.error[i]!)))
  const calibration = calibrate(declustered(scores, input))
  const evidenceScores = inSessions(scores, calibration, input.groups)
  const evidence = calibrate(declustered(evidenceScores, input))
  const exceedances = [1e-2, 1e-3, 1e-4].map(
    (p) => evidenceScores.reduce((n, s) => n + (tailLog10(evidence, s) >= -Math.log10(p) ? 1 : 0), 0) / (p * scores.length),
  )
  const budgetTail = tailOfBudget(input, evidenceScores, evidence, aim)
  return { net, typical, joint, calibration, evidence, exceedances, budgetTail }
}

/**
 * What alerted under a model counts once per group, by its worst event: a hundred events of one incident are one observation of the
 * tail, and an attack that history holds must not make the next one usual (runs declustering of extremes).
 */
export const declustered = (scores: Float32Array, { alerted, groups }: Pick<ReleaseInput, 'alerted' | 'groups'>): Float32Array => {
  const worst = new Map<number, number>()
  for (let i = 0; i < scores.length; i++) {
    if (alerted[i] === ALERTED.modelled) worst.set(groups[i]!, Math.max(worst.get(groups[i]!) ?? Number.NEGATIVE_INFINITY, scores[i]!))
  }
  return Float32Array.from([...scores.filter((_, i) => alerted[i] !== ALERTED.modelled), ...worst.values()])
}

/** Each recorded event's evidence with its session, as the detector accumulates it. */
export const inSessions = (scores: Float32Array, calibration: Float32Array, groups: Uint32Array): Float32Array => {
  const unusual = new Map<number, number>()
  const runs = new Map<number, number>()
  return scores.map((s, i) => {
    const tail = tailLog10(calibration, s)
    const group = groups[i]!
    const before = unusual.get(group) ?? 0
    const run = runs.get(group) ?? 0
    unusual.set(group, unusualAfter(before, tail >= UNUSUAL_TAIL))
    runs.set(group, runAfter(run, tail))
    return evidenceOf(tail, before, run)
  })
}

/** The tail whose exceeding groups in recorded history come to `aim` a day; none where history is too short to tell. */
const tailOfBudget = (input: ReleaseInput, scores: Float32Array, calibration: Float32Array, aim: number): number => {
  const best = new Map<number, number>()
  scores.forEach((s, i) => {
    const g = input.groups[i]!
    if (s > (best.get(g) ?? Number.NEGATIVE_INFINITY)) best.set(g, s)
  })
  const days = scores.length / input.eventsPerDay
  const allowed = Math.floor(aim * days)
  const tops = [...best.values()].sort((a, b) => b - a)
  return allowed < 1 || tops.length <= allowed ? 0 : tailLog10(calibration, tops[allowed]!)
}

/** Surprise and log(1 + whitened error) of recorded rows, by the very functions that score. */
const partsOf = (rows: Float32Array, typical: Float32Array, net: TrainedAutoencoder): { surprise: Float32Array; error: Float32Array } => {
  const n = rows.length / FEATURE_COUNT
  const surprise = new Float32Array(n)
  const error = new Float32Array(n)
  const scorer = createAutoencoder(net.parameters)
  const contributions = new Float32Array(FEATURE_COUNT)
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)
    surprise[i] = sumSurprise(row, typical, contributions)
    scorer.input.set(row)
    error[i] = log1p(scorer.run())
  }
  return { surprise, error }
}

const keepQuiet = ({ rows, alerted }: ReleaseInput): Float32Array => pick(rows, alerted, (a) => a === ALERTED.no)

/** What alerted under a model is no part of what surprises usually come to: beside it the next incident would look small. */
const withoutIncidents = ({ rows, alerted }: ReleaseInput): Float32Array => pick(rows, alerted, (a) => a !== ALERTED.modelled)

const pick = (rows: Float32Array, alerted: Uint8Array, wanted: (alerted: number) => boolean): Float32Array => {
  const kept = alerted.reduce((n, a) => n + (wanted(a) ? 1 : 0), 0)
  if (kept === alerted.length) return rows
  const out = new Float32Array(kept * FEATURE_COUNT)
  let to = 0
  for (let i = 0; i < alerted.length; i++)
    if (wanted(alerted[i]!)) out.set(rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT), FEATURE_COUNT * to++)
  return out
}

const thin = (rows: Float32Array): Float32Array => {
  const n = rows.length / FEATURE_COUNT
  if (n <= MAX_ROWS) return rows
  const out = new Float32Array(MAX_ROWS * FEATURE_COUNT)
  for (let i = 0; i < MAX_ROWS; i++) {
    const from = Math.floor((i * n) / MAX_ROWS)
    out.set(rows.subarray(from * FEATURE_COUNT, (from + 1) * FEATURE_COUNT), i * FEATURE_COUNT)
  }
  return out
}

/** Shares of recorded rows below what counts as usual, and below what counts as rare. */
const USUAL = [0.95, 0.99] as const
/** Surprises are nats: what differs by less than one is told apart by chance, however narrow the history was. */
const LEAST_SCALE = 1

/** Per level: each feature's quantile, then each feature's mean excess beyond it, the scale of the sum of surprise; at the end the same of each whole. */
const usualOf = (rows: Float32Array): Float32Array => {
  const n = rows.length / FEATURE_COUNT
  const out = new Float32Array(2 * USUAL.length * (FEATURE_COUNT + WHOLE_COUNT))
  const column = new Float32Array(n)
  const measure = (of: (row: number) => number, put: (kind: number, value: number) => void): void => {
    for (let i = 0; i < n; i++) column[i] = of(i)
    column.sort()
    USUAL.forEach((share, level) => {
      const usual = n < 20 ? 3 : column[Math.floor(n * share)]!
      put(2 * level, usual)
      put(2 * level + 1, meanExcess(column, usual))
    })
  }
  for (let f = 0; f < FEATURE_COUNT; f++) {
    measure(
      (row) => rows[row * FEATURE_COUNT + f]!,
      (kind, value) => void (out[kind * FEATURE_COUNT + f] = value),
    )
  }
  for (let which = 0; which < WHOLE_COUNT; which++) {
    measure(
      (row) => wholeNats(rows.subarray(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT), which),
      (kind, value) => void (out[2 * USUAL.length * (FEATURE_COUNT + which) + kind] = value),
    )
  }
  return out
}

const meanExcess = (sorted: Float32Array, usual: number): number => {
  let sum = 0
  let above = 0
  for (let i = sorted.length - 1; i >= 0 && sorted[i]! > usual; i--) {
    sum += sorted[i]! - usual
    above++
  }
  return Math.max(LEAST_SCALE, above === 0 ? 1 : sum / above)
}

/** A table that says 12 at 110 and 0 at 0: for releases without a net, which do not read it. */
const STRAIGHT = Float32Array.of(1, 2, 0, 110, 0, 12)

/** Before a net: the calibration of the plain sum of surprise where there are rows enough, else a straight line. */
const unmodelledCalibration = (rows: Float32Array, typical: Float32Array): Float32Array => {
  const n = rows.length / FEATURE_COUNT
  if (n < 500) return STRAIGHT
  const contributions = new Float32Array(FEATURE_COUNT)
  return calibrate(
    Float32Array.from({ length: n }, (_, i) =>
      sumSurprise(rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT), typical, contributions),
    ),
  )
}

const metricsOf = (model: Model): Record<string, number> => ({
  trainLoss: model.net.report.trainLoss,
  holdOutLoss: model.net.report.holdOutLoss,
  steps: model.net.report.steps,
  exceedance2: model.exceedances[0]!,
  exceedance3: model.exceedances[1]!,
  exceedance4: model.exceedances[2]!,
})

const mean = (x: Float32Array): number => x.reduce((a, b) => a + b, 0) / Math.max(1, x.length)
const spread = (x: Float32Array): number => {
  const m = mean(x)
  return Math.max(1e-3, Math.sqrt(x.reduce((a, b) => a + (b - m) ** 2, 0) / Math.max(1, x.length)))
}
