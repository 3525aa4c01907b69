import type { Detector, LogRecord, SlotSource } from '@plumbline/detector'
import { corpusOf, type Corpus, eventBytes } from '../lib/corpus.ts'
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

/** Enough for 5,000 of them to have been seen when the measurement begins. */
const IDENTITIES = 6_300
const SIZES = [5_000, 100_000, 1_000_000]
export const WARM = 150_000
const REP_EVENTS = 8_000
const REPS = 11
const CHUNK = 2_000
const ZIPF = 1.1

export const CORPUS = { seed: 43, identities: IDENTITIES, days: 3, eventsPerIdentityDay: 28, peerGroups: false, arguments: false } as const

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
const donorsOf = (corpus: Corpus, release: TrainedRelease): Map<string, Uint8Array> => {
  const detector = openDetector(1, [release], IDENTITIES * 2)
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

/**
 * Which copy of its identity an event happens to: `session` draws one per session, so that an identity's events come as
 * close together at every size as they do in life; `event` draws for each event alone, so that hardly two in a chunk belong
 * to one identity and each costs a slot of its own to fetch and to pack; `zipf` draws a few copies often.
 */
type Draw = 'session' | 'event' | 'zipf'
const DRAWS: readonly Draw[] = ['session', 'event', 'zipf']

interface Grown {
  readonly detector: Detector
  readonly companies: number
  readonly resident: number
  readonly bytesPerIdentity: number
  readonly reps: Record<Draw, { readonly us: number[]; readonly slots: number[] }>
}

const none = (): { us: number[]; slots: number[] } => ({ us: [], slots: [] })

const grow = (corpus: Corpus, release: TrainedRelease, donors: ReadonlyMap<string, Uint8Array>, size: number): Grown => {
  const companies = Math.max(1, Math.round(size / donors.size))
  const source = new Donors()
  const before = settledMemory()
  const detector = openDetector(1, [release], Math.ceil(size * 1.1) + 4_096, source)
  const control = {
    offset: 0,
    ingestTimeMs: corpus.times[WARM - 1]!,
    key: Buffer.from(`c:${release.control.controlId}`),
    value: Buffer.from(JSON.stringify(release.control)),
  }
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
  return { detector, companies, resident, bytesPerIdentity: used / resident, reps: { session: none(), event: none(), zipf: none() } }
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

const measure = (corpus: Corpus, g: Grown, draw: Draw, from: number, counts: boolean): void => {
  const next = random(from)
  const zipf = zipfOf(g.companies, ZIPF, next)
  const ofSession = new Map<string, number>()
  const copyFor = (i: number): number => {
    if (draw === 'zipf') return zipf()
    if (draw === 'event') return Math.floor(next() * g.companies)
    const session = /"session":"([^"]*)"/.exec(eventBytes(corpus, i).toString('latin1'))?.[1] ?? corpus.identities[corpus.identityOf[i]!]!
    if (!ofSession.has(session)) ofSession.set(session, Math.floor(next() * g.companies))
    return ofSession.get(session)!
  }
  const records = Array.from({ length: REP_EVENTS }, (_, k) => copyRecord(corpus, from + k, copyFor(from + k), from + k + 1))
  const totals = noTotals()
  const cpu = process.threadCpuUsage()
  drive(g.detector, [records], CHUNK, totals)
  const used = process.threadCpuUsage(cpu)
  if (!counts) return
  g.reps[draw].us.push((used.user + used.system) / REP_EVENTS)
  g.reps[draw].slots.push(totals.slots / REP_EVENTS)
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
    DRAWS.forEach((draw, d) => {
      const from = WARM + (rep * DRAWS.length + d) * REP_EVENTS
      for (const g of grown) measure(corpus, g, draw, from, rep >= 2)
    })
  }
  const cost = (g: Grown, draw: Draw): number => median(g.reps[draw].us)
  const ratio = (draw: Draw): number => cost(most, draw) / cost(base, draw)
  const [base, , most] = grown as [Grown, Grown, Grown]
  // What does not depend on the identities cancels in the difference of two sizes.
  const perIdentity = (most.bytesPerIdentity * most.resident - base.bytesPerIdentity * base.resident) / (most.resident - base.resident)
  return {
    how: [
      `Growth: events of a generated company, happening in ${grown.map((g) => g.companies).join(', ')} copies of it; every identity of every size begins with the baseline its original has after ${WARM} events, so that the sizes differ in number only. One shard, chunks of ${CHUNK}, all resident. Which copy an event happens to is drawn per session (events of an identity come together as in life), per event (the hard case: nearly each event fetches and packs a slot of its own), or by Zipf(${ZIPF}) per event. Processor time of the thread, median of ${REPS - 2} repetitions of ${REP_EVENTS} events, sizes turn about.`,
    ],
    values: {
      us_per_event: Object.fromEntries(grown.map((g) => [g.resident, Object.fromEntries(DRAWS.map((d) => [d, cost(g, d)]))])),
      bytes_per_identity: perIdentity,
    },
    bars: [
      {
        what: `cost per event at ${most.resident} identities ÷ at ${base.resident}, identities drawn per session`,
        measured: ratio('session'),
        bar: 1.5,
        atLeast: false,
        unit: '×',
      },
      { what: 'cost per event, drawn per event', measured: ratio('event'), bar: 1.5, atLeast: false, unit: '×' },
      { what: `cost per event, Zipf(${ZIPF})`, measured: ratio('zipf'), bar: 1.5, atLeast: false, unit: '×' },
      { what: 'memory per identity beyond the base', measured: perIdentity / 1024, bar: 4.6, atLeast: false, unit: 'KB' },
    ],
    tables: [
      {
        title: 'Growth',
        columns: [
          'identities resident',
          ...DRAWS.flatMap((d) => [`µs per event, by ${d}`, '× base', 'slots touched per event']),
          'bytes per identity',
        ],
        rows: grown.map((g) => [
          g.resident,
          ...DRAWS.flatMap((d) => [cost(g, d).toFixed(2), (cost(g, d) / cost(base, d)).toFixed(2), median(g.reps[d].slots).toFixed(2)]),
          g === base ? null : Math.round(g.bytesPerIdentity),
        ]),
      },
    ],
  }
}
