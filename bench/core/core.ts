// Detector core, one thread, against bare JSON.parse of the same events in the same run.
import type { LogRecord } from '@plumbline/detector'
import { type Corpus, corpusOf, eventBytes, Recorder } from '../lib/corpus.ts'
import { OutboxDigest } from '@plumbline/detector/replay'
import { drive, type LogName, noTotals, openDetector, type Totals } from '../lib/drive.ts'
import { median } from '../lib/numbers.ts'
import { releaseOf } from '../lib/release.ts'
import type { Measured, Table } from '../lib/result.ts'
import { withFallbacks } from './fallback.ts'
import { type Placed, REPLAY_LOG, replayed } from './replayed.ts'
import { stageTable } from './stages.ts'

const IDENTITIES = 5_000
const WARM = 150_000
const REP_EVENTS = 8_000
const REPS = 30
const CHUNK = 2_000

const company = (withArguments: boolean) =>
  ({ seed: 41, identities: IDENTITIES, days: 3, eventsPerIdentityDay: 28, peerGroups: false, arguments: withArguments }) as const

/** Events of one repetition as three readers see them. */
interface Rep {
  readonly records: readonly (readonly LogRecord[])[]
  readonly values: readonly Buffer[]
  readonly strings: readonly string[]
}

interface Rates {
  readonly detector: number
  readonly buffer: number
  readonly latin1: number
  readonly strings: number
}

interface Time {
  wall: number
  /** Processor time of this thread: other work on the machine costs it less. */
  cpu: number
}

const seconds = (work: () => void): Time => {
  const cpu = process.threadCpuUsage()
  const t = performance.now()
  work()
  const wall = (performance.now() - t) / 1000
  const used = process.threadCpuUsage(cpu)
  return { wall, cpu: (used.user + used.system) / 1e6 }
}

/** Kept, so that no parse can be left out by the compiler. */
let kept = 0

const parseBuffers = (values: readonly Buffer[]): void => {
  for (const v of values) kept += (JSON.parse(v.toString('utf8', 0, v.length)) as { time: number }).time & 1
}
const parseLatin1 = (values: readonly Buffer[]): void => {
  for (const v of values) kept += (JSON.parse(v.toString('latin1', 0, v.length)) as { time: number }).time & 1
}
const parseStrings = (strings: readonly string[]): void => {
  for (const s of strings) kept += (JSON.parse(s) as { time: number }).time & 1
}

interface Series {
  readonly corpus: Corpus
  readonly releases: readonly Placed[]
  readonly shards: number
  readonly bytesOf?: (i: number) => Buffer
  readonly reps: number
  readonly log?: LogName
}

interface SeriesResult {
  /** Medians over the repetitions, events/s of wall clock. */
  readonly rates: Rates
  /** Median over the repetitions of detector rate ÷ parse rate of the same events. */
  readonly ratio: number
  /** The same by processor time of the thread. */
  readonly cpuRatio: number
  readonly spread: readonly [number, number]
  readonly totals: Totals
  readonly bytes: number
  readonly digest: string
}

/** Events from..to per shard, with the releases that come into force among them. */
const stretch = (
  recorder: Recorder,
  releases: readonly Placed[],
  from: number,
  to: number,
  bytesOf: (i: number) => Buffer,
): LogRecord[][] => {
  let out: LogRecord[][] = Array.from({ length: recorder.shards }, () => [])
  const add = (records: LogRecord[][]): void => {
    out = out.map((before, shard) => before.concat(records[shard]!))
  }
  let at = from
  for (const { after, release } of releases) {
    if (after < from || after >= to) continue
    add(recorder.take(at, after, bytesOf))
    add(recorder.control(release.control.controlId, release.control))
    at = after
  }
  add(recorder.take(at, to, bytesOf))
  return out
}

/** One stretch of the stream after another: the detector and the parsers take turns on the same events. */
const runSeries = ({ corpus, releases, shards, bytesOf = (i) => eventBytes(corpus, i), reps, log }: Series): SeriesResult => {
  const recorder = new Recorder(corpus, shards)
  const artifacts = releases.map(({ release }) => release)
  const detector = openDetector(shards, artifacts, IDENTITIES * 2, undefined, log)
  const digest = new OutboxDigest(shards)
  drive(detector, stretch(recorder, releases, 0, WARM, bytesOf), CHUNK, noTotals(), digest.add)
  const totals = noTotals()
  const rates: Rates[] = []
  const cpuRatios: number[] = []
  let byteSum = 0
  for (let rep = 0; rep < reps; rep++) {
    const from = WARM + rep * REP_EVENTS
    const values = Array.from({ length: REP_EVENTS }, (_, k) => bytesOf(from + k))
    byteSum += values.reduce((n, v) => n + v.length, 0)
    const it: Rep = {
      records: stretch(recorder, releases, from, from + REP_EVENTS, (i) => values[i - from]!),
      values,
      strings: values.map((v) => v.toString('utf8')),
    }
    const commits: Parameters<typeof digest.add>[0][] = []
    const none: Time = { wall: 0, cpu: 0 }
    const time = { detector: none, buffer: none, latin1: none, strings: none }
    const turns = [
      () => void (time.detector = seconds(() => drive(detector, it.records, CHUNK, totals, (c) => commits.push(c)))),
      () => void (time.buffer = seconds(() => parseBuffers(it.values))),
      () => void (time.latin1 = seconds(() => parseLatin1(it.values))),
      () => void (time.strings = seconds(() => parseStrings(it.strings))),
    ]
    for (let k = 0; k < turns.length; k++) turns[(k + rep) % turns.length]!()
    for (const c of commits) digest.add(c)
    // The first repetitions still compile.
    if (rep < 2) continue
    const rate = (t: Time): number => REP_EVENTS / t.wall
    rates.push({ detector: rate(time.detector), buffer: rate(time.buffer), latin1: rate(time.latin1), strings: rate(time.strings) })
    cpuRatios.push(time.buffer.cpu / time.detector.cpu)
  }
  if (totals.rejected > 0) throw new Error(`${totals.rejected} events were refused`)
  const of = (name: keyof Rates): number => median(rates.map((r) => r[name]))
  const ratios = rates.map((r) => r.detector / r.buffer).sort((a, b) => a - b)
  return {
    rates: { detector: of('detector'), buffer: of('buffer'), latin1: of('latin1'), strings: of('strings') },
    ratio: median(ratios),
    cpuRatio: median(cpuRatios),
    spread: [ratios[0]!, ratios.at(-1)!],
    totals,
    bytes: byteSum / (reps * REP_EVENTS),
    digest: digest.hex(),
  }
}

export const core = async (): Promise<Measured> => {
  const corpus = corpusOf(company(false))
  const nested = corpusOf(company(true))
  const need = WARM + REPS * REP_EVENTS
  for (const c of [corpus, nested]) if (c.count < need) throw new Error(`the corpus has ${c.count} events, ${need} are needed`)
  const release = await releaseOf(corpus, WARM)
  const short = Math.ceil(REPS / 2)
  const replay = replayed(corpus, need)
  const main = runSeries({ corpus, releases: replay.releases, shards: 1, reps: REPS, log: REPLAY_LOG })
  const releases = [{ after: WARM, release }]
  const sharded = runSeries({ corpus, releases, shards: 64, reps: short })
  const withArguments = runSeries({ corpus: nested, releases, shards: 1, reps: short })
  const { bytesOf, share } = withFallbacks(corpus, 0.1)
  const mixed = runSeries({ corpus, releases, shards: 1, reps: short, bytesOf })
  const stages = await stageTable(corpus, release, WARM, WARM + 160_000)
  const per = main.totals.rows
  const same = replay.digest === main.digest
  return {
    title: 'Detector core, one thread',
    how: [
      `\`Detector.process\` of the shipped package, chunks of ${CHUNK} records, one shard, ${IDENTITIES} identities, ${Math.round(main.bytes)} bytes an event on average (generated, L2, no declared peer groups); its releases (${replay.releases.length}, the last of them models) are those that \`plumbline replay\` of the same events makes, at the same places; the other series use one release trained on the first ${WARM} events. Included: decode, validation, features, baseline, autoencoder, score, alerts with their words and capsules, scored rows as RowBinary, packed slots.`,
      `Reference: \`JSON.parse(buffer.toString('utf8', start, end))\` of the same events, turn about with the detector in ${REPS - 2} repetitions of ${REP_EVENTS} events; medians.`,
      `Outbox: ${(main.totals.scoredBytes / per).toFixed(0)} bytes of scored rows and ${(main.totals.slotBytes / per).toFixed(0)} bytes of packed slots per event (${(main.totals.slots / per).toFixed(2)} slots), ${main.totals.alerts} alert records.`,
      `SHA-256 of the outbox \`${main.digest}\`; of \`npx plumbline replay --json ${replay.path}\` (\`outboxSha256\`): ${same ? 'the same' : `DIFFERENT, \`${replay.digest}\``}.`,
    ],
    values: {
      events_per_s: Math.round(main.rates.detector),
      json_parse_per_s: Math.round(main.rates.buffer),
      ratio: main.ratio,
      ratio_cpu_time: main.cpuRatio,
      ratio_min: main.spread[0],
      ratio_max: main.spread[1],
      reference: "JSON.parse(buffer.toString('utf8', start, end))",
      json_parse_latin1_per_s: Math.round(main.rates.latin1),
      json_parse_string_per_s: Math.round(main.rates.strings),
      mean_bytes: main.bytes,
      identities: IDENTITIES,
      outbox_sha256: main.digest,
      replay_equal: same,
      ratio_64_shards: sharded.ratio,
      ratio_arguments: withArguments.ratio,
      ratio_fallback: mixed.ratio,
      fallback_share: share,
      alerts: main.totals.alerts,
      stages: stages.values,
      hot: stages.hot,
    },
    bars: [
      { what: 'rate ÷ bare JSON.parse from a buffer', measured: main.ratio, bar: 0.35, atLeast: true, unit: '×' },
      { what: 'rate ÷ bare JSON.parse from a buffer', measured: main.ratio, bar: 0.55, atLeast: true, unit: '×', stretch: true },
      {
        what: 'outbox equal to that of plumbline replay of the same file',
        measured: same ? 1 : 0,
        bar: 1,
        atLeast: true,
        unit: 'of 1',
        digits: 0,
      },
    ],
    tables: [ratesTable({ main, sharded, withArguments, mixed, share }), stages.table],
  }
}

const ratesTable = (r: {
  main: SeriesResult
  sharded: SeriesResult
  withArguments: SeriesResult
  mixed: SeriesResult
  share: number
}): Table => {
  const row = (what: string, s: SeriesResult): (string | number)[] => [
    what,
    Math.round(s.bytes),
    Math.round(s.rates.detector),
    Math.round(s.rates.buffer),
    s.ratio.toFixed(3),
    s.cpuRatio.toFixed(3),
    `${s.spread[0].toFixed(3)}–${s.spread[1].toFixed(3)}`,
    (s.rates.detector / s.rates.latin1).toFixed(3),
    (s.rates.detector / s.rates.strings).toFixed(3),
  ]
  return {
    title: 'Rates',
    columns: [
      'events',
      'bytes',
      'detector events/s',
      'JSON.parse from buffer/s',
      'ratio',
      'by processor time',
      'lowest–highest',
      'ratio to latin1 + parse',
      'ratio to parse of ready strings',
    ],
    rows: [
      row('one shard', r.main),
      row('64 shards, each in turn', r.sharded),
      row('with call arguments (nested attributes)', r.withArguments),
      row(`${(r.share * 100).toFixed(0)} % that the scanner hands to the full parser`, r.mixed),
    ],
  }
}
