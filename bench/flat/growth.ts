import type { Detector, LogRecord, SlotSource } from '@plumbline/detector'
import { corpusOf, type Corpus } from '../lib/corpus.ts'
import { drive, noTotals, openDetector } from '../lib/drive.ts'
import { settledMemory } from '../lib/machine.ts'
import { median, random } from '../lib/numbers.ts'
import { releaseOf, type TrainedRelease } from '../lib/release.ts'
import type { Bar, Table } from '../lib/result.ts'
import { copyName, copyRecord } from './copies.ts'

export interface Part {
  readonly how: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
  readonly bars: readonly Bar[]
  readonly tables: readonly Table[]
}

const IDENTITIES = 5_000
const SIZES = [5_000, 100_000, 1_000_000]
export const WARM = 150_000
const REP_EVENTS = 10_000
const REPS = 12
const CHUNK = 2_000
const ZIPF = 1.1

export const CORPUS = { seed: 41, identities: IDENTITIES, days: 3, eventsPerIdentityDay: 28, peerGroups: false, arguments: false } as const

/** A source that knows every copy of an identity as its original stands: all sizes are equally mature. */
class Donors implements SlotSource {
  current: Uint8Array | null = null
  load(_shard: number, _key: Uint8Array, into: Uint8Array): number {
    if (this.current === null) return -1
    into.set(this.current)
    return this.current.length
  }
}

/** Packed baselines of the corpus's identities after its first events. */
export const donorsOf = (corpus: Corpus, release: TrainedRelease): Map<string, Uint8Array> => {
  const detector = openDetector(1, release, IDENTITIES * 2)
  const packed = new Map<string, Uint8Array>()
  const records = (function* (): Generator<LogRecord> {
    for (let i = 0; i < WARM; i++) yield { ...copyRecord(corpus, i, 0, i) }
  })()
  drive(detector, [[...records]], CHUNK, noTotals())
  const tenant = detector.tenantsOf(0).get('default')!
  for (const identity of corpus.identities) {
    const { lo, hi } = detector.identityKey(tenant, copyName(identity, 0))
    const slot = detector.slots.peek(lo, hi)
    if (slot >= 0) packed.set(identity, detector.slots.pack(slot))
  }
  return packed
}

interface Grown {
  readonly detector: Detector
  readonly companies: number
  readonly resident: number
  readonly bytesPerIdentity: number
  readonly reps: { readonly uniform: number[]; readonly zipf: number[] }
}

const grow = (corpus: Corpus, release: TrainedRelease, donors: ReadonlyMap<string, Uint8Array>, size: number): Grown => {
  const companies = Math.round(size / IDENTITIES)
  const source = new Donors()
  const before = settledMemory()
  const detector = openDetector(1, release, size + 4_096, source)
  const control = { offset: 0, ingestTimeMs: corpus.times[WARM - 1]!, key: Buffer.from(`c:${release.control.controlId}`), value: Buffer.from(JSON.stringify(release.control)) }
  detector.process(0, [control])
  detector.settle(0)
  const tenant = detector.tenantsOf(0).get('default')!
  const dirty: number[] = []
  for (let c = 0; c < companies; c++) {
    for (const [identity, packed] of donors) {
      source.current = packed
      const { lo, hi } = detector.identityKey(tenant, copyName(identity, c))
      detector.slots.touch(0, lo, hi, dirty)
    }
    detector.slots.settle(dirty)
    dirty.length = 0
  }
  source.current = null
  const after = settledMemory()
  const resident = detector.slots.resident
  const used = after.anonymous > 0 ? after.anonymous - before.anonymous : after.rss - before.rss
  return { detector, companies, resident, bytesPerIdentity: used / resident, reps: { uniform: [], zipf: [] } }
}

/** Draws a company with probability ∝ 1 / rank^s. */
const zipfOf = (n: number, s: number, next: () => number): (() => number) => {
  const cumulative = new Float64Array(n)
  let total = 0
  for (let i = 0; i < n; i++) cumulative[i] = total += (i + 1) ** -s
  return () => {
    const u = next() * total
    let low = 0
    let high = n - 1
    while (low < high) {
      const mid = (low + high) >> 1
      if (cumulative[mid]! < u) low = mid + 1
      else high = mid
    }
    return low
  }
}

export const growth = async (): Promise<Part> => {
  const corpus = corpusOf(CORPUS)
  const release = await releaseOf(corpus, WARM)
  const donors = donorsOf(corpus, release)
  const grown: Grown[] = []
  for (const size of SIZES) {
    process.stderr.write(`${size} identities …\n`)
    grown.push(grow(corpus, release, donors, size))
  }
  // The sizes take turns on the same stretch of events, so that a busy machine is busy for all of them.
  for (let rep = 0; rep < REPS; rep++) {
    for (const g of grown) {
      for (const kind of ['uniform', 'zipf'] as const) {
        const from = WARM + (rep * 2 + (kind === 'zipf' ? 1 : 0)) * REP_EVENTS
        const next = random(rep * 2 + (kind === 'zipf' ? 1 : 0))
        const draw = kind === 'zipf' ? zipfOf(g.companies, ZIPF, next) : () => Math.floor(next() * g.companies)
        const records = Array.from({ length: REP_EVENTS }, (_, k) => copyRecord(corpus, from + k, draw(), from + k + 1))
        const cpu = process.threadCpuUsage()
        drive(g.detector, [records], CHUNK, noTotals())
        const used = process.threadCpuUsage(cpu)
        if (rep >= 2) g.reps[kind].push((used.user + used.system) / REP_EVENTS)
      }
    }
  }
  const cost = (g: Grown, kind: 'uniform' | 'zipf'): number => median(g.reps[kind])
  const [base, , most] = grown as [Grown, Grown, Grown]
  // What does not depend on the identities cancels in the difference of two sizes.
  const perIdentity = (most.bytesPerIdentity * most.resident - base.bytesPerIdentity * base.resident) / (most.resident - base.resident)
  return {
    how: [
      `Growth: events of a generated company of ${IDENTITIES} identities, happening in 1, 20 and 200 copies of that company; every identity of every size begins with the baseline it has after ${WARM} events of its company, so that the sizes differ in number only. One shard, chunks of ${CHUNK}, all resident; per event the copy is drawn evenly (the hard case: hardly any slot is in a cache) or by Zipf(${ZIPF}). Processor time of the thread, median of ${REPS - 2} repetitions of ${REP_EVENTS} events, sizes turn about.`,
    ],
    values: {
      us_per_event: Object.fromEntries(grown.map((g) => [g.resident, { uniform: cost(g, 'uniform'), zipf: cost(g, 'zipf') }])),
      bytes_per_identity: perIdentity,
    },
    bars: [
      { what: `cost per event at ${most.resident} identities ÷ at ${base.resident}, drawn evenly`, measured: cost(most, 'uniform') / cost(base, 'uniform'), bar: 1.5, atLeast: false, unit: '×' },
      { what: `the same, Zipf(${ZIPF})`, measured: cost(most, 'zipf') / cost(base, 'zipf'), bar: 1.5, atLeast: false, unit: '×' },
      { what: 'memory per identity beyond the base', measured: perIdentity / 1024, bar: 4.6, atLeast: false, unit: 'KB' },
    ],
    tables: [
      {
        title: 'Growth',
        columns: ['identities resident', 'µs per event, even', '× base', `µs per event, Zipf(${ZIPF})`, '× base', 'bytes per identity'],
        rows: grown.map((g) => [
          g.resident,
          cost(g, 'uniform').toFixed(2),
          (cost(g, 'uniform') / cost(base, 'uniform')).toFixed(2),
          cost(g, 'zipf').toFixed(2),
          (cost(g, 'zipf') / cost(base, 'zipf')).toFixed(2),
          Math.round(g.bytesPerIdentity),
        ]),
      },
    ],
  }
}
