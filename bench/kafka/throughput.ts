import { openKafkaLog, topicNames } from '@plumbline/adapters/kafka'
import type { Corpus } from '../lib/corpus.ts'
import { median } from '../lib/numbers.ts'
import type { TrainedRelease } from '../lib/release.ts'
import type { Table } from '../lib/result.ts'
import { type BenchBroker, benchPrefix, bytesIn, type Rate, rateOf, removeTopics } from './broker.ts'
import { brokerCpuSeconds, type Child, startChild } from './child.ts'
import { fill, recordsOf } from './fill.ts'
import { giveRelease, startWorker } from './worker.ts'
import { ensureBenchTopics } from './topics.ts'

export const SHARDS = 8

export interface Pair {
  readonly chunk: number
  readonly plain: number
  readonly worker: number
  /** Processor time per event of each process, µs. */
  readonly plainCpu: number
  readonly workerCpu: number
  /** Processor time of the broker per event while each ran, µs. */
  readonly plainBroker: number
  readonly workerBroker: number
}

/** Bytes of keys and values in Kafka per event. */
export interface EventBytes {
  readonly events: number
  readonly scored: number
  readonly state: number
  /** Processor time of the broker to take one event in from the source, µs. */
  readonly intakeBroker: number
}

interface Run extends Rate {
  readonly cpuMicros: number
  readonly brokerMicros: number
}

/** A prefix whose events topic holds a release for every shard and then the events. Returns how many positions that makes. */
const prepared = async (
  broker: BenchBroker,
  corpus: Corpus,
  release: TrainedRelease,
): Promise<{ prefix: string; total: number; intakeBroker: number }> => {
  const prefix = benchPrefix()
  await ensureBenchTopics(broker, prefix, SHARDS)
  const log = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS })
  const controls = await giveRelease(broker, prefix, SHARDS, release)
  await log.append(controls)
  const before = brokerCpuSeconds()
  await fill(log, recordsOf(corpus, SHARDS, 0, corpus.count))
  const intakeBroker = ((brokerCpuSeconds() - before) * 1e6) / corpus.count
  await log.close()
  return { prefix, total: corpus.count + controls.length, intakeBroker }
}

const timed = async (broker: BenchBroker, children: readonly Child[], groupId: string, topic: string, total: number): Promise<Run> => {
  const before = brokerCpuSeconds()
  const rate = await rateOf(broker.admin, groupId, topic, total)
  const cpu = children.reduce((sum, child) => sum + child.cpuSeconds(), 0)
  for (const child of children) await child.stop()
  // Of the whole life of the process, its start included: an upper bound.
  return { ...rate, cpuMicros: (cpu * 1e6) / total, brokerMicros: ((brokerCpuSeconds() - before) * 1e6) / total }
}

const plainRun = async (broker: BenchBroker, prefix: string, total: number, chunk: number): Promise<Run> => {
  const { events } = topicNames(prefix)
  const out = `${prefix}.plain-out`
  const groupId = `${prefix}.plain-${chunk}`
  await broker.admin.createTopics({ topics: [{ topic: out, numPartitions: SHARDS }], waitForLeaders: false })
  const child = startChild('bench/kafka/plain-child.ts', [broker.brokers.join(','), events, out, groupId, String(chunk)])
  return timed(broker, [child], groupId, events, total)
}

const workerRun = async (broker: BenchBroker, prefix: string, total: number, chunk: number, workers: number): Promise<Run> => {
  const children = Array.from({ length: workers }, () => startWorker(broker, prefix, SHARDS, { chunk }))
  return timed(broker, children, `${prefix}.worker`, topicNames(prefix).events, total)
}

const bytesPerEvent = async (broker: BenchBroker, prefix: string, total: number, intakeBroker: number): Promise<EventBytes> => {
  const { events, scored, state } = topicNames(prefix)
  const of = async (topic: string): Promise<number> => (await bytesIn(broker, topic)) / total
  return { events: await of(events), scored: await of(scored), state: await of(state), intakeBroker }
}

/** The worker against the plain loop on the same events of the same broker, one after the other, in turns. */
export const throughput = async (
  broker: BenchBroker,
  corpus: Corpus,
  release: TrainedRelease,
  chunks: readonly number[],
  repetitions: number,
): Promise<{ readonly pairs: readonly Pair[]; readonly bytes: EventBytes; readonly table: Table }> => {
  const pairs: Pair[] = []
  let bytes: EventBytes | undefined
  for (let n = 0; n < repetitions; n++) {
    for (const chunk of chunks) {
      process.stderr.write(`chunk ${chunk}, ${n + 1} of ${repetitions} …\n`)
      const { prefix, total, intakeBroker } = await prepared(broker, corpus, release)
      const plain = await plainRun(broker, prefix, total, chunk)
      const worker = await workerRun(broker, prefix, total, chunk, 1)
      pairs.push({
        chunk,
        plain: plain.perSecond,
        worker: worker.perSecond,
        plainCpu: plain.cpuMicros,
        workerCpu: worker.cpuMicros,
        plainBroker: plain.brokerMicros,
        workerBroker: worker.brokerMicros,
      })
      bytes ??= await bytesPerEvent(broker, prefix, total, intakeBroker)
      await removeTopics(broker.admin, prefix)
    }
  }
  const of = (chunk: number, pick: (pair: Pair) => number): number => median(pairs.filter((p) => p.chunk === chunk).map(pick))
  return {
    pairs,
    bytes: bytes!,
    table: {
      title: 'Kafka in, alerts, state and packed rows committed, against a plain loop',
      columns: [
        'events per transaction',
        'plain, events/s',
        'worker, events/s',
        'ratio',
        'plain, µs CPU per event',
        'worker, µs CPU per event',
        'broker beside each, µs',
      ],
      rows: chunks.map((chunk) => [
        chunk,
        Math.round(of(chunk, (p) => p.plain)),
        Math.round(of(chunk, (p) => p.worker)),
        of(chunk, (p) => p.worker / p.plain).toFixed(2),
        of(chunk, (p) => p.plainCpu).toFixed(1),
        of(chunk, (p) => p.workerCpu).toFixed(1),
        `${of(chunk, (p) => p.plainBroker).toFixed(1)} / ${of(chunk, (p) => p.workerBroker).toFixed(1)}`,
      ]),
      notes: [
        `Medians of ${repetitions} pairs, each on topics of its own with ${SHARDS} partitions; the broker runs beside the one process on the same cores.`,
      ],
    },
  }
}

/** Two workers of one deployment against one, on the same machine as the broker. */
export const twoAgainstOne = async (
  broker: BenchBroker,
  corpus: Corpus,
  release: TrainedRelease,
  chunk: number,
): Promise<{ one: number; two: number }> => {
  const rates: number[] = []
  for (const workers of [1, 2]) {
    process.stderr.write(`${workers} worker${workers === 1 ? '' : 's'} …\n`)
    const { prefix, total } = await prepared(broker, corpus, release)
    rates.push((await workerRun(broker, prefix, total, chunk, workers)).perSecond)
    await removeTopics(broker.admin, prefix)
  }
  return { one: rates[0]!, two: rates[1]! }
}
