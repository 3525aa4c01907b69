// Peers a user would pick instead, on the very vectors that our detector made: River HalfSpaceTrees, PyOD AutoEncoder.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { averagePrecision } from '../detection/company.ts'
import { companyRun } from '../detection/company-run.ts'
import { readVectors, type Vectors } from '../detection/company-vectors.ts'
import { companyOf, SEEDS } from '../detection/generated.ts'
import { corpusOf, Recorder } from '../lib/corpus.ts'
import { drive, noTotals, openDetector } from '../lib/drive.ts'
import { mean, median, random } from '../lib/numbers.ts'
import { CACHE } from '../lib/paths.ts'
import { releaseOf } from '../lib/release.ts'
import type { Measured } from '../lib/result.ts'
import { python, setup } from './python.ts'

/** Rows before the judged days that River reads: its windows of 250 forget anything older. */
const RIVER_BEFORE = 10_000
const MOST_TRAINING = 30_000
/** Vectors before this many events were made without statistics of peers; nobody is trained on them. */
const COLD = 20_000
const SPEED_ROWS = 15_000
const SPEED_REPS = 3

const SURPRISES = FEATURES.flatMap((f, i) => (f.surprise ? [i] : []))

/** Average precision on one seed's judged days, per event and per session. */
interface Precision {
  readonly event: number
  readonly session: number
}

/** A session scores as its worst event; it is a positive when it holds a key event. What is only surroundings is left out. */
const precisionOf = (v: Vectors, scores: (i: number) => number): Precision => {
  const rows: { score: number; positive: boolean }[] = []
  const sessions = new Map<number, { score: number; positive: boolean; out: boolean }>()
  for (let i = 0; i < v.count; i++) {
    if (v.of('judged', i) === 0) continue
    const label = v.of('label', i)
    const score = scores(i)
    if (label !== 2) rows.push({ score, positive: label === 1 })
    const s = sessions.get(v.of('session', i)) ?? { score, positive: false, out: false }
    sessions.set(v.of('session', i), s)
    s.score = Math.max(s.score, score)
    s.positive ||= label === 1
    s.out ||= label === 2
  }
  return { event: averagePrecision(rows), session: averagePrecision([...sessions.values()].filter((s) => s.positive || !s.out)) }
}

const NAMES = {
  ours: 'Plumbline (joint score)',
  sum: 'plain sum of surprises (features of the vector added up)',
  release: 'sum of surprise as the release weighs it',
  autoencoder: 'our autoencoder alone (whitened error)',
  river: 'River HalfSpaceTrees',
  pyod: 'PyOD AutoEncoder',
  forest: 'scikit-learn IsolationForest',
  session: 'session length so far (trivial)',
  random: 'random',
  perfect: 'perfect',
} as const
type Name = keyof typeof NAMES

const seedTable = (path: string, seed: number, without: ReadonlySet<Name>): Record<string, Precision> => {
  const v = readVectors(path)
  let judgedFrom = 0
  while (v.of('judged', judgedFrom) === 0) judgedFrom++
  const draw = random(seed)
  const noise = Float32Array.from({ length: v.count }, draw)
  const out: Record<string, Precision> = {
    ours: precisionOf(v, (i) => v.of('score', i)),
    sum: precisionOf(v, (i) => SURPRISES.reduce((s, f) => s + v.rows[i * FEATURE_COUNT + f]!, 0)),
    release: precisionOf(v, (i) => v.of('surprise', i)),
    autoencoder: precisionOf(v, (i) => v.of('reconstruction', i)),
    session: precisionOf(v, (i) => v.of('session_events', i)),
    random: precisionOf(v, (i) => noise[i]!),
    perfect: precisionOf(v, (i) => v.of('label', i)),
  }
  const scored = join(CACHE, 'peer-scores.f32')
  const read = (from: number) => {
    const bytes = readFileSync(scored)
    const f = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    return (i: number) => f[i - from]!
  }
  const file = `${path}.f32`
  const start = Math.max(0, judgedFrom - RIVER_BEFORE)
  python('venv', 'hst.py', [file, FEATURE_COUNT, start, v.count, scored])
  out['river'] = precisionOf(v, read(start))
  const batch = [file, FEATURE_COUNT, Math.min(COLD, judgedFrom >> 1), judgedFrom, MOST_TRAINING, judgedFrom, v.count, scored]
  python('venv', 'iforest.py', batch)
  out['forest'] = precisionOf(v, read(judgedFrom))
  if (!without.has('pyod')) {
    python('venv-pyod', 'autoencoder.py', batch)
    out['pyod'] = precisionOf(v, read(judgedFrom))
  }
  return out
}

/** Events per second of our whole path and of the peers' scoring alone, turn about. */
const speeds = async (path: string, without: ReadonlySet<Name>) => {
  const corpus = corpusOf(companyOf(SEEDS[0]!))
  const warm = 150_000
  const release = await releaseOf(corpus, warm)
  const recorder = new Recorder(corpus, 1)
  const detector = openDetector(1, [release], 1_000)
  drive(detector, recorder.take(0, warm), 2_000, noTotals())
  drive(detector, recorder.control(release.control.controlId, release.control), 1, noTotals())
  const ours: number[] = []
  const river: number[] = []
  const pyod: number[] = []
  const forest: number[] = []
  const step = Math.floor((corpus.count - warm) / SPEED_REPS)
  const scores = join(CACHE, 'peer-speed.f32')
  for (let rep = 0; rep < SPEED_REPS; rep++) {
    const from = warm + rep * step
    const records = recorder.take(from, from + step)
    const t = performance.now()
    drive(detector, records, 2_000, noTotals())
    ours.push((step / (performance.now() - t)) * 1000)
    river.push(python('venv', 'hst.py', [`${path}.f32`, FEATURE_COUNT, from, from + SPEED_ROWS, scores]).events_per_s)
    const batch = [`${path}.f32`, FEATURE_COUNT, 0, 20_000, 3_000, from, from + step, scores]
    forest.push(python('venv', 'iforest.py', batch).events_per_s)
    if (!without.has('pyod')) pyod.push(python('venv-pyod', 'autoencoder.py', batch).events_per_s)
  }
  return { ours: median(ours), river: median(river), pyod: pyod.length === 0 ? null : median(pyod), forest: median(forest) }
}

export const peers = async (): Promise<Measured> => {
  const noRiver = setup('river')
  if (noRiver !== null) return skipped(noRiver)
  const noPyod = setup('pyod')
  const without = new Set<Name>(noPyod === null ? [] : ['pyod'])
  const seeds: Record<string, Precision>[] = []
  let first = ''
  for (const seed of SEEDS) {
    const run = await companyRun({ generate: companyOf(seed), keepVectors: true })
    first ||= run.vectors!
    process.stderr.write(`peers on seed ${seed} …\n`)
    seeds.push(seedTable(run.vectors!, seed, without))
  }
  const speed = await speeds(first, without)
  const ap = (name: Name, per: keyof Precision = 'event'): number => mean(seeds.map((s) => s[name]?.[per] ?? Number.NaN))
  const perSecond: Partial<Record<Name, number | null>> = speed
  const rows = (Object.keys(NAMES) as Name[])
    .filter((n) => !without.has(n))
    .map((n) => [
      NAMES[n],
      ap(n),
      ...seeds.map((s) => s[n]?.event ?? null),
      ap(n, 'session'),
      perSecond[n] === undefined ? null : Math.round(perSecond[n] ?? Number.NaN),
    ])
  return {
    title: 'Peers on the same vectors',
    how: [
      `Generated companies of 200 identities over 15 days (about 300,000 events, the last three days labelled, subtlety 3), seeds ${SEEDS.join(', ')}, measured repeatedly while the detector changed: read them as a development set. All detectors see the ${FEATURE_COUNT} features our detector recorded before it scored. Positives: key events of attacks; negatives: benign life and twins; surroundings of attacks are left out. Average precision per event on the labelled days, mean over the seeds; beside it per session (worst event counts), where a burst of a thousand events weighs no more than a theft of one.`,
      `A perfect detector would reach ${(1 / ap('river')).toFixed(1)} × River and ${noPyod === null ? (1 / ap('pyod')).toFixed(1) : '–'} × PyOD here: where that is below a bar, the bar cannot be met on this workload by anybody.`,
      `River: \`MinMaxScaler | HalfSpaceTrees\` with defaults, one model for all, score then learn. PyOD and scikit-learn: defaults, fitted on up to ${MOST_TRAINING} vectors of the days before, one thread. ${noPyod === null ? '' : `PyOD AutoEncoder: skipped, ${noPyod}.`}`,
      'Events per second in the same run, turn about, one thread each: ours is the whole path from bytes to outbox, the peers only score (River also learns) vectors that are ready.',
    ],
    values: {
      seeds: Object.fromEntries(SEEDS.map((s, i) => [s, seeds[i]])),
      average_precision: Object.fromEntries((Object.keys(NAMES) as Name[]).map((n) => [n, ap(n)])),
      events_per_s: speed,
    },
    bars: [
      { what: 'events/s ÷ River HalfSpaceTrees', measured: speed.ours / speed.river, bar: 10, atLeast: true, unit: '×', digits: 1 },
      { what: 'average precision ÷ River HalfSpaceTrees', measured: ap('ours') / ap('river'), bar: 4, atLeast: true, unit: '×', digits: 1 },
      {
        what: 'average precision ÷ PyOD AutoEncoder',
        measured: noPyod === null ? ap('ours') / ap('pyod') : null,
        bar: 2,
        atLeast: true,
        unit: '×',
        digits: 1,
        ...(noPyod === null ? {} : { skipped: noPyod }),
      },
      {
        what: 'average precision per session ÷ River HalfSpaceTrees',
        measured: ap('ours', 'session') / ap('river', 'session'),
        bar: 4,
        atLeast: true,
        unit: '×',
        digits: 1,
        stretch: true,
      },
      { what: 'average precision ÷ plain sum of surprises', measured: ap('ours') / ap('sum'), bar: 1, atLeast: true, unit: '×' },
    ],
    tables: [
      {
        title: 'Average precision and speed',
        columns: ['detector', 'average precision per event', ...SEEDS.map((s) => `seed ${s}`), 'per session', 'events/s'],
        rows,
      },
    ],
  }
}

const skipped = (why: string): Measured => ({
  title: 'Peers on the same vectors',
  how: [`Skipped: ${why}.`],
  values: { skipped: why },
  bars: [],
  tables: [],
})
