import { setTimeout as sleep } from 'node:timers/promises'
import { type KafkaLog, openKafkaLog, topicNames } from '@plumbline/adapters/kafka'
import { type AppendRecord, eventKey, shardOfKey } from '@plumbline/detector'
import type { Alert, EventInput } from '@plumbline/schemas'
import { type Corpus, corpusOf } from '../lib/corpus.ts'
import { quantile } from '../lib/numbers.ts'
import type { TrainedRelease } from '../lib/release.ts'
import type { Table } from '../lib/result.ts'
import { type BenchBroker, benchPrefix, committed, removeTopics } from './broker.ts'
import { fill, recordsOf } from './fill.ts'
import { ensureBenchTopics } from './topics.ts'
import { giveRelease, startWorker } from './worker.ts'

const SHARDS = 8
const DAY_MS = 86_400_000
const HISTORY = 150_000
const ACTS = 100
const EVERY_MS = 200
const TICK_MS = 10
const PATIENCE_MS = 5_000
/** Events of one identity that come at once, and so many others per second beside them. */
const HOT = 150_000
const BESIDE = 1_000

/** A company whose events end last midnight: recent enough to be learned, and the same corpus all day. */
export const company = () => ({
  seed: 61,
  identities: 5_000,
  days: 5,
  eventsPerIdentityDay: 28,
  startTime: Math.floor(Date.now() / DAY_MS) * DAY_MS - 5 * DAY_MS,
  attacks: 'none' as const,
  peerGroups: false,
})

/** A bot that has read something foreign takes a great deal of payroll to a place that this named and nobody ever sent anything to. */
const act = (identity: string, session: string): EventInput => ({
  v: 1,
  id: session,
  time: Date.now(),
  identity: { id: identity, kind: 'agent' },
  session,
  action: 'payroll.export',
  resource: { id: `payroll/${session}`, class: 'payroll', sensitivity: 3 },
  destination: `${session}.example.net`,
  destinationProvenance: 'tool',
  content: { untrusted: true },
  outcome: 'success',
  bytesOut: 400_000_000_000,
  source: { ip: '203.0.113.77', country: 'KP', asn: 64_999, userAgent: 'curl/8.5' },
})

/** Alerts as they become readable with read_committed, by session. */
const watchAlerts = async (broker: BenchBroker, topic: string): Promise<{ readonly seen: Map<string, number>; stop(): Promise<void> }> => {
  const seen = new Map<string, number>()
  const consumer = broker.kafka.consumer({ groupId: `${topic}-watch`, maxWaitTimeInMs: 20, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: false })
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()))
  await consumer.run({
    autoCommit: false,
    async eachMessage({ message: { key, value } }) {
      if (key?.toString().startsWith('a:') !== true) return
      const { session } = (JSON.parse(value!.toString()) as Alert).facts
      if (session !== undefined && !seen.has(session)) seen.set(session, performance.now())
    },
  })
  await joined
  return { seen, stop: () => consumer.disconnect() }
}

export interface Source {
  readonly log: KafkaLog
  readonly records: readonly AppendRecord[]
  at: number
}

/** Appends `rate` events per second until told to stop. Returns how many went. */
export const background = (source: Source, rate: number): { stop(): Promise<number> } => {
  let running = true
  const run = (async () => {
    const begun = performance.now()
    let sent = 0
    while (running) {
      const due = Math.floor(((performance.now() - begun) / 1000) * rate) - sent
      const batch = Array.from({ length: due }, (_, i) => source.records[(source.at + i) % source.records.length]!)
      source.at += due
      sent += due
      if (batch.length > 0) await source.log.append(batch.map((record) => ({ ...record, ingestTimeMs: Date.now() })))
      await sleep(TICK_MS)
    }
    return sent / ((performance.now() - begun) / 1000)
  })()
  return {
    stop() {
      running = false
      return run
    },
  }
}

export interface Latency {
  readonly rate: number
  readonly sustained: number
  readonly p50: number
  readonly p99: number
  readonly missing: number
}

const measure = async (
  source: Source,
  seen: ReadonlyMap<string, number>,
  victims: readonly string[],
  rate: number,
  name = `act-${rate}`,
): Promise<Latency> => {
  const noise = background(source, rate)
  await sleep(2_000)
  const began = new Map<string, number>()
  for (let n = 0; n < ACTS; n++) {
    const session = `${name}-${n}`
    const identity = victims[n % victims.length]!
    const key = eventKey('default', identity)
    began.set(session, performance.now())
    const value = Buffer.from(JSON.stringify(act(identity, session)))
    await source.log.append([{ shard: shardOfKey(key, SHARDS), ingestTimeMs: Date.now(), key, value }])
    await sleep(EVERY_MS)
  }
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until && [...began.keys()].some((s) => !seen.has(s)); )
    await sleep(50)
  const sustained = await noise.stop()
  const took = [...began].flatMap(([session, at]) => (seen.has(session) ? [seen.get(session)! - at] : []))
  return { rate, sustained, p50: quantile(took, 0.5), p99: quantile(took, 0.99), missing: ACTS - took.length }
}

const rowOf = (name: string, { sustained, p50, p99, missing }: Latency): (string | number)[] => [
  name,
  Math.round(sustained),
  ACTS,
  missing,
  p50.toFixed(0),
  p99.toFixed(0),
]

export interface Hot extends Latency {
  /** Positions of the hot shard that were not processed when the others had been measured. */
  readonly backlog: number
}

/** One identity sends far more than its shard gets through; acts happen on all other shards. */
const measureHot = async (
  broker: BenchBroker,
  prefix: string,
  source: Source,
  seen: ReadonlyMap<string, number>,
  victims: readonly string[],
): Promise<Hot> => {
  const hot = source.records[0]!
  await fill(
    source.log,
    Array.from({ length: HOT }, () => ({ ...hot, ingestTimeMs: Date.now() })),
  )
  const shardOfIdentity = (identity: string): number => shardOfKey(eventKey('default', identity), SHARDS)
  const elsewhere = victims.filter((identity) => shardOfIdentity(identity) !== hot.shard)
  const measured = await measure(source, seen, elsewhere, BESIDE, 'hot')
  const topic = topicNames(prefix).events
  const [ends, group] = await Promise.all([
    broker.admin.fetchTopicOffsets(topic),
    broker.admin.fetchOffsets({ groupId: `${prefix}.worker`, topics: [topic] }),
  ])
  const end = Number(ends.find(({ partition }) => partition === hot.shard)?.high ?? 0)
  const position = Number(group[0]?.partitions.find(({ partition }) => partition === hot.shard)?.offset ?? 0)
  return { ...measured, backlog: end - position }
}

export const untilProcessed = async (broker: BenchBroker, prefix: string, total: number): Promise<void> => {
  while ((await committed(broker.admin, `${prefix}.worker`, topicNames(prefix).events)) < total) await sleep(100)
}

/** From the source's append to the alert that a read_committed consumer has, beside so many other events per second. */
export const latencies = async (
  broker: BenchBroker,
  release: TrainedRelease,
  rates: readonly number[],
): Promise<{ readonly measured: readonly Latency[]; readonly hot: Hot; readonly table: Table }> => {
  const corpus: Corpus = corpusOf(company())
  // Each act is another's: what one does for the third time is told with the fourth.
  const victims = corpus.identities.filter((id) => id.includes('agent') || id.includes('bot'))
  const victimsOf = (n: number): readonly string[] => victims.filter((_, at) => at % (rates.length + 1) === n)
  const prefix = benchPrefix()
  await ensureBenchTopics(broker, prefix, SHARDS)
  const log = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS })
  const controls = await giveRelease(broker, prefix, SHARDS, release)
  await log.append(controls)
  await fill(log, recordsOf(corpus, SHARDS, 0, HISTORY))
  const worker = startWorker(broker, prefix, SHARDS, { chunk: 1_000 })
  await untilProcessed(broker, prefix, HISTORY + controls.length)
  const alerts = await watchAlerts(broker, topicNames(prefix).alerts)
  const source: Source = { log, records: recordsOf(corpus, SHARDS, HISTORY, corpus.count, 0), at: 0 }
  const measured: Latency[] = []
  for (const [n, rate] of rates.entries()) {
    process.stderr.write(`latency at ${rate} events/s …\n`)
    measured.push(await measure(source, alerts.seen, victimsOf(n), rate))
  }
  process.stderr.write('latency beside a hot identity …\n')
  const hot = await measureHot(broker, prefix, source, alerts.seen, victimsOf(rates.length))
  await alerts.stop()
  await worker.stop()
  await log.close()
  await removeTopics(broker.admin, prefix)
  return {
    measured,
    hot,
    table: {
      title: 'Source to alert readable with read_committed',
      columns: ['events/s meant', 'events/s sent', 'acts', 'not seen in 5 s', 'p50, ms', 'p99, ms'],
      rows: [
        ...measured.map((m) => rowOf(`${m.rate}`, m)),
        rowOf(`${BESIDE} beside ${HOT} of one identity at once: acts on the other shards`, hot),
      ],
      notes: [
        `One worker, ${SHARDS} shards; source, broker, worker and reader share the machine's cores. An act is a bot that takes 400 GB of payroll to a new place that something foreign named, from a country where nobody is, every ${EVERY_MS} ms, each time another one.`,
      ],
    },
  }
}
