// A real broker beside the product's own processes: throughput against a plain loop, latency, take-over, two workers.
import { corpusOf } from '../lib/corpus.ts'
import { median } from '../lib/numbers.ts'
import { releaseOf } from '../lib/release.ts'
import type { Bar, Measured } from '../lib/result.ts'
import { benchBroker } from './broker.ts'
import { doorCost } from './door.ts'
import { idleCost } from './idle.ts'
import { latencies } from './latency.ts'
import { restoreTimes } from './restore.ts'
import { stateWritten } from './state.ts'
import { throughput, twoAgainstOne } from './throughput.ts'

const CORPUS = { seed: 41, identities: 5_000, days: 3, eventsPerIdentityDay: 28, peerGroups: false, arguments: false } as const
const CHUNKS = [1_000, 2_000] as const
const REPETITIONS = 3
const RATES = [1_000, 5_000, 10_000] as const
const SIZES = [50_000, 500_000] as const
const TRAINED_ON = 150_000

const skipped = (why: string): Measured => ({
  title: 'Kafka: exactly once, end to end',
  how: [],
  values: {},
  bars: [{ what: 'worker against a plain transactional loop', measured: null, bar: 1, atLeast: true, unit: '×', skipped: why }],
  tables: [],
})

export const kafka = async (): Promise<Measured> => {
  const broker = await benchBroker()
  if (typeof broker === 'string') return skipped(broker)
  try {
    const corpus = corpusOf(CORPUS)
    const release = await releaseOf(corpus, TRAINED_ON)
    const rates = await throughput(broker, corpus, release, CHUNKS, REPETITIONS)
    const workers = await twoAgainstOne(broker, corpus, release, CHUNKS[0])
    const delay = await latencies(broker, release, RATES)
    const door = await doorCost(broker, corpus, release)
    const idle = await idleCost(broker, release)
    const state = await stateWritten(broker, release, RATES[0])
    const restored = await restoreTimes(broker, corpus, release, SIZES)
    const ratio = (chunk: number): number => median(rates.pairs.filter((p) => p.chunk === chunk).map((p) => p.worker / p.plain))
    const bars: Bar[] = [
      ...CHUNKS.flatMap((chunk): Bar[] => [
        {
          what: `worker against a plain transactional loop, ${chunk} events a transaction`,
          measured: ratio(chunk),
          bar: 1,
          atLeast: true,
          unit: '×',
        },
        { what: `the same, ${chunk}`, measured: ratio(chunk), bar: 2, atLeast: true, unit: '×', stretch: true },
      ]),
      ...delay.measured.map(
        ({ rate, p99, missing }): Bar => ({
          what: `source to alert readable, p99 at ${rate} events/s`,
          measured: missing > 0 ? Number.POSITIVE_INFINITY : p99,
          bar: 1_000,
          atLeast: false,
          unit: 'ms',
          digits: 0,
        }),
      ),
      {
        what: 'source to alert readable, p99 on the shards beside a hot one',
        measured: delay.hot.missing > 0 ? Number.POSITIVE_INFINITY : delay.hot.p99,
        bar: 1_000,
        atLeast: false,
        unit: 'ms',
        digits: 0,
      },
      { what: 'an idle shard', measured: idle.corePerShard * 100, bar: 0.2, atLeast: false, unit: '% of a core' },
      {
        what: 'two workers against one, broker on the same cores',
        measured: workers.two / workers.one,
        bar: 1.65,
        atLeast: true,
        unit: '×',
      },
    ]
    return {
      title: 'Kafka: exactly once, end to end',
      how: [
        `${corpus.count} generated events of ${CORPUS.identities} identities (${Math.round(corpus.bytes.length / corpus.count)} bytes each), a trained release in force from the first position. One real broker on loopback, replication 1, beside the processes under measurement.`,
        'Rates are taken between 25 % and 95 % of the committed positions of each process’s group. The plain loop reads each event, adds a field and writes one record of 400 bytes for it; the worker parses, scores, and commits alerts, state and packed rows. The loop is the client as it comes; the worker decodes and encodes records itself, through hooks of the patch that it carries.',
      ],
      values: {
        ratio_1000: ratio(1_000),
        ratio_2000: ratio(2_000),
        pairs: rates.pairs,
        bytes: rates.bytes,
        workers,
        latency: delay.measured,
        hot: delay.hot,
        idle,
        state: state.measured,
        door,
        restore: restored.measured,
      },
      bars,
      tables: [rates.table, delay.table, state.table, restored.table],
    }
  } finally {
    await broker.close()
  }
}
