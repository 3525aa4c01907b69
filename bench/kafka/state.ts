import { setTimeout as sleep } from 'node:timers/promises'
import { openKafkaLog, topicNames } from '@plumbline/adapters/kafka'
import { corpusOf } from '../lib/corpus.ts'
import type { TrainedRelease } from '../lib/release.ts'
import type { Table } from '../lib/result.ts'
import { type BenchBroker, benchPrefix, bytesIn, committed, rateOf, removeTopics } from './broker.ts'
import { fill, recordsOf } from './fill.ts'
import { background, company, type Source, untilProcessed } from './latency.ts'
import { ensureBenchTopics } from './topics.ts'
import { giveRelease, startWorker } from './worker.ts'

const SHARDS = 8
const HISTORY = 150_000
const LIVE_MS = 25_000
const QUIET_MS = 500

export interface StateWritten {
  readonly snapshotSeconds: number
  /** With a backlog: full chunks. */
  readonly eventsPerSecond: number
  readonly backlogBytes: number
  /** As events come. */
  readonly liveRate: number
  readonly liveBytes: number
}

const writtenWith = async (
  broker: BenchBroker,
  release: TrainedRelease,
  snapshotSeconds: number,
  liveRate: number,
): Promise<StateWritten> => {
  const corpus = corpusOf(company())
  const prefix = benchPrefix()
  const { events, state } = topicNames(prefix)
  await ensureBenchTopics(broker, prefix, SHARDS)
  const log = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS })
  const controls = await giveRelease(broker, prefix, SHARDS, release)
  await log.append(controls)
  await fill(log, recordsOf(corpus, SHARDS, 0, HISTORY))
  const total = HISTORY + controls.length
  const worker = startWorker(broker, prefix, SHARDS, { chunk: 1_000, snapshotSeconds })
  const { perSecond } = await rateOf(broker.admin, `${prefix}.worker`, events, total)
  await untilProcessed(broker, prefix, total)
  // What is written by time alone belongs to what came before.
  await sleep(snapshotSeconds * 1_000 + 2_000)
  const backlog = await bytesIn(broker, state)
  const source: Source = { log, records: recordsOf(corpus, SHARDS, HISTORY, corpus.count, 0), at: 0 }
  const noise = background(source, liveRate)
  await sleep(LIVE_MS)
  await noise.stop()
  const group = `${prefix}.worker`
  let at = 0
  for (let now = total; now > at; now = await committed(broker.admin, group, events)) {
    at = now
    await sleep(QUIET_MS)
  }
  await worker.stop()
  const live = at - total
  const liveBytes = ((await bytesIn(broker, state)) - backlog) / live
  await log.close()
  await removeTopics(broker.admin, prefix)
  return { snapshotSeconds, eventsPerSecond: perSecond, backlogBytes: backlog / total, liveRate, liveBytes }
}

/** Bytes of state that are written per event, with each chunk or in snapshots, with a backlog and live. */
export const stateWritten = async (
  broker: BenchBroker,
  release: TrainedRelease,
  liveRate: number,
): Promise<{ readonly measured: readonly StateWritten[]; readonly table: Table }> => {
  const measured: StateWritten[] = []
  for (const seconds of [0, 10]) {
    process.stderr.write(`state, ${seconds === 0 ? 'with each chunk' : `every ${seconds} s`} …\n`)
    measured.push(await writtenWith(broker, release, seconds, liveRate))
  }
  return {
    measured,
    table: {
      title: 'State written to Kafka',
      columns: ['state is written', 'backlog: bytes per event', 'backlog: events/s', `live at ${liveRate} events/s: bytes per event`],
      rows: measured.map(({ snapshotSeconds, backlogBytes, eventsPerSecond, liveBytes }) => [
        snapshotSeconds === 0 ? 'with each chunk' : `every ${snapshotSeconds} s`,
        Math.round(backlogBytes),
        Math.round(eventsPerSecond),
        Math.round(liveBytes),
      ]),
      notes: [
        `${SHARDS} shards, 5,000 identities, chunks of at most 1,000 events; an event has about 460 bytes. The last snapshot, at the worker's end, is counted.`,
      ],
    },
  }
}
