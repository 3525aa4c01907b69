// From Kafka into ClickHouse: the recorder against bare inserts of the same blocks, taking turns on one engine.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { engineProblem } from '@plumbline/adapters/clickhouse'
import { median } from '../lib/numbers.ts'
import type { Bar, Measured } from '../lib/result.ts'
import { type BenchBroker, benchBroker, removeTopics } from '../kafka/broker.ts'
import { bareRun } from './bare.ts'
import { LANES, type Blocks, blocksOf, publishBlocks } from './blocks.ts'
import { type Run, type Target, openTarget } from './target.ts'
import { type RecorderRun, recorderRun } from './through.ts'

const REPETITIONS = 5
/** Enough that the first and the last insert of a lane do not weigh: some seconds. */
const EVENTS = 480_000
const CHUNK = 1_000
const BAR = 0.7

const TITLE = 'Recorder: Kafka to ClickHouse'
const WHAT = 'recorder against bare inserts of the same blocks'

const skipped = (why: string): Measured => ({
  title: TITLE,
  how: [],
  values: {},
  bars: [{ what: WHAT, measured: null, bar: BAR, atLeast: true, unit: '×', skipped: why }],
  tables: [],
})

interface Pair {
  readonly bare: Run
  readonly recorder: RecorderRun
}

const measure = async (broker: BenchBroker, target: Target, blocks: Blocks): Promise<Pair[]> => {
  const prefix = await publishBlocks(broker, blocks)
  const pairs: Pair[] = []
  try {
    for (let i = 0; i <= REPETITIONS; i++) {
      process.stderr.write(i === 0 ? 'once to warm up …\n' : `${i} of ${REPETITIONS} …\n`)
      // Who is first would be first for the caches too: they take turns.
      const first = i % 2 === 0 ? await bareRun(target, blocks) : undefined
      const recorder = await recorderRun(broker, prefix, target, blocks)
      const bare = first ?? (await bareRun(target, blocks))
      if (i > 0) pairs.push({ bare, recorder })
    }
  } finally {
    await removeTopics(broker.admin, prefix)
  }
  return pairs
}

const perSecond = (run: Run): number => run.rows / run.seconds
const perRow = (run: Run): number => (run.cpuSeconds / run.rows) * 1e6

export const recorder = async (): Promise<Measured> => {
  const problem = engineProblem()
  if (problem !== undefined) return skipped(problem.message)
  const broker = await benchBroker()
  if (typeof broker === 'string') return skipped(broker)
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-bench-recorder-'))
  const target = await openTarget(dir)
  try {
    const blocks = blocksOf(EVENTS, CHUNK)
    const pairs = await measure(broker, target, blocks)
    const ratio = median(pairs.map(({ bare, recorder: own }) => perSecond(own) / perSecond(bare)))
    const bar: Bar = { what: WHAT, measured: ratio, bar: BAR, atLeast: true, unit: '×' }
    const row = (name: string, runs: readonly Run[]): (string | number)[] => [
      name,
      Math.round(median(runs.map(perSecond))),
      Math.round(Math.max(...runs.map(perSecond))),
      Number(median(runs.map(perRow)).toFixed(2)),
      Number(median(runs.map((run) => (run.engineSeconds / run.rows) * 1e6)).toFixed(2)),
    ]
    return {
      title: TITLE,
      how: [
        `${blocks.rows} scored rows of a generated company (${Math.round(blocks.bytes / blocks.rows)} bytes each, feature vectors included) in blocks of ${CHUNK} as the detector wrote them, ${LANES} lanes, zstd in Kafka. Broker, ClickHouse’s engine and the writer share the machine.`,
        `Bare: the official client inserts the same bytes in the same pieces of at most 4 MiB, ${LANES} at a time, without tokens, positions or Kafka. Recorder: from the first block it has in hand to the last row stored, Kafka included. They take turns, each into a database of its own; medians of ${REPETITIONS}.`,
      ],
      values: {
        ratio,
        rows: blocks.rows,
        recorderMicros: median(pairs.map(({ recorder: own }) => perRow(own))),
        engineMicros: median(pairs.map(({ recorder: own }) => (own.engineSeconds / own.rows) * 1e6)),
        storedRowBytes: median(pairs.map(({ recorder: own }) => own.rowBytes)),
        pairs,
      },
      bars: [bar],
      tables: [
        {
          title: 'Rows per second',
          columns: ['writer', 'median', 'best', 'µs of its own CPU per row', 'µs of the engine’s'],
          rows: [
            row(
              'bare client',
              pairs.map(({ bare }) => bare),
            ),
            row(
              'recorder',
              pairs.map(({ recorder: own }) => own),
            ),
          ],
        },
      ],
    }
  } finally {
    await target.close()
    await broker.close()
    rmSync(dir, { recursive: true, force: true })
  }
}
