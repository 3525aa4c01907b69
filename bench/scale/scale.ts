// What a load takes, computed from what the other benches measured; writes docs/scale.md. Measures nothing itself.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../lib/numbers.ts'
import { ROOT } from '../lib/paths.ts'
import { readStored, type Stored } from '../lib/result.ts'
import { CHOICES, type Costs, type Load, type Needs, needsOf } from './model.ts'

/** Memory of one resident identity: slot, index and open sessions (bench `flat`). */
interface FlatValues {
  readonly bytes_per_identity: number
}

interface KafkaValues {
  readonly pairs: readonly { readonly chunk: number; readonly worker: number; readonly workerCpu: number; readonly workerBroker: number }[]
  readonly bytes: { readonly events: number; readonly scored: number; readonly state: number; readonly intakeBroker: number }
  readonly restore: readonly { readonly identities: number; readonly bytes: number; readonly seconds: number }[]
  readonly door: { readonly cpuMicros: number }
}

interface RecorderValues {
  readonly recorderMicros: number
  readonly engineMicros: number
  readonly storedRowBytes: number
}

const CHUNK = 1_000

const stored = (name: string): Stored => {
  const found = readStored().find((result) => result.name === name)
  if (found === undefined) throw new Error(`bench/results has no ${name}: run npm run bench -- ${name} first`)
  return found
}

/** Costs as the stored results say. Throws when one of the benches it needs was never run here. */
export const measuredCosts = (): Costs => {
  const kafka = stored('kafka').values as unknown as KafkaValues
  const recorder = stored('recorder').values as unknown as RecorderValues
  const flat = stored('flat').values as unknown as FlatValues
  const pairs = kafka.pairs.filter(({ chunk }) => chunk === CHUNK)
  const largest = kafka.restore.at(-1)!
  return {
    workerMicros: median(pairs.map(({ workerCpu }) => workerCpu)),
    brokerMicros: kafka.bytes.intakeBroker + median(pairs.map(({ workerBroker }) => workerBroker)),
    recorderMicros: recorder.recorderMicros,
    clickhouseMicros: recorder.engineMicros,
    doorMicros: kafka.door.cpuMicros,
    perShard: median(pairs.map(({ worker }) => worker)),
    eventBytes: kafka.bytes.events,
    scoredBytes: kafka.bytes.scored,
    stateBytes: kafka.bytes.state,
    slotBytes: largest.bytes / largest.identities,
    residentBytes: flat.bytes_per_identity,
    restoreBytesPerSecond: largest.bytes / largest.seconds,
    storedRowBytes: recorder.storedRowBytes,
  }
}

const LOADS: readonly Load[] = [
  { eventsPerSecond: 1_000, identities: 50_000 },
  { eventsPerSecond: 10_000, identities: 1_000_000 },
  { eventsPerSecond: 100_000, identities: 10_000_000 },
  { eventsPerSecond: 1_000_000, identities: 100_000_000 },
]

const round = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2))
const mb = (bytes: number): string => `${round(bytes / 1e6)} MB`
const gb = (bytes: number): string => `${round(bytes / 1e9)} GB`

const LINES: readonly (readonly [string, (needs: Needs) => string])[] = [
  ['worker processes (one core each)', ({ workers }) => round(workers)],
  ['shards = partitions of the events topic', ({ shards }) => round(shards)],
  ['memory of a worker for resident identities', ({ workerMemoryBytes }) => gb(workerMemoryBytes)],
  ['cores of fronts (door)', ({ doorCores }) => round(doorCores)],
  ['cores of brokers', ({ brokerCores }) => round(brokerCores)],
  ['brokers, in, all together per second', ({ brokerInBytes }) => mb(brokerInBytes)],
  ['brokers, out, all together per second', ({ brokerOutBytes }) => mb(brokerOutBytes)],
  ['disk of Kafka', ({ kafkaDiskBytes }) => gb(kafkaDiskBytes)],
  ['state of all identities, one copy', ({ stateTopicBytes }) => gb(stateTopicBytes)],
  ['recorder processes (one core each)', ({ recorders }) => round(recorders)],
  ['cores of ClickHouse for inserts', ({ clickhouseCores }) => round(clickhouseCores)],
  ['disk of ClickHouse per day', ({ clickhouseBytesPerDay }) => gb(clickhouseBytesPerDay)],
  ['transactions per second', ({ transactionsPerSecond }) => round(transactionsPerSecond)],
  ['producers of a worker', ({ producersPerWorker }) => round(producersPerWorker)],
  ['take-over of all shards of a lost worker', ({ takeOverSeconds }) => `${round(takeOverSeconds)} s`],
  ['most events per second of one identity', ({ hottestIdentity }) => round(hottestIdentity)],
]

const COSTS: readonly (readonly [string, keyof Costs, string])[] = [
  ['worker, Kafka client included', 'workerMicros', 'µs per event'],
  ['broker: event in, event out, outputs in, per copy', 'brokerMicros', 'µs per event'],
  ['recorder', 'recorderMicros', 'µs per row'],
  ['ClickHouse, insert', 'clickhouseMicros', 'µs per row'],
  ['front (door)', 'doorMicros', 'µs per event'],
  ['one worker, and so the ceiling of one shard', 'perShard', 'events/s'],
  ['event in Kafka', 'eventBytes', 'bytes'],
  ['scored row in Kafka, before compression', 'scoredBytes', 'bytes'],
  ['state written', 'stateBytes', 'bytes per event'],
  ['packed slot', 'slotBytes', 'bytes'],
  ['resident identity', 'residentBytes', 'bytes'],
  ['take-over', 'restoreBytesPerSecond', 'bytes/s'],
  ['row on the disk of ClickHouse', 'storedRowBytes', 'bytes'],
]

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map((_, i) => (i === 0 ? '---|' : '--:|')).join('')}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')

/** The largest load's page of arithmetic, and what gives way first. */
const page = (costs: Costs): string => {
  const needs = LOADS.map((load) => needsOf(costs, load))
  const top = needs.at(-1)!
  const head = [
    '',
    ...LOADS.map(
      ({ eventsPerSecond, identities }) => `${eventsPerSecond.toLocaleString('en')}/s, ${identities.toLocaleString('en')} identities`,
    ),
  ]
  return `# What a load takes

Generated by \`npm run bench -- scale\` from the stored results of \`kafka\`, \`recorder\` and \`flat\`; do not edit. It is arithmetic over
costs measured on one small machine with the broker beside the processes, not a measurement of a large deployment: nothing here
queues, waits or fails. It says where the next limit is.

## Costs it is computed from
${table(
  ['cost', 'measured', ''],
  COSTS.map(([what, name, unit]) => [what, round(costs[name]), unit]),
)}

## Needs
${CHOICES.replication} copies in Kafka, events and rows kept there for ${CHOICES.retentionDaysKafka} days, cores and shards planned for ${CHOICES.utilisation * 100} % of what they can do, the
fullest shard ${CHOICES.skew} times the mean, ${CHOICES.resident * 100} % of identities in memory (the rest is in the worker's cache on disk).

${table(
  head,
  LINES.map(([what, of]) => [what, ...needs.map(of)]),
)}

## What breaks first on the way to 1,000,000 events/s
1. **One identity.** All of its events are scored one after the other, at most ${round(costs.perShard)} a second on the measured core. Whatever the
   number of workers, an identity beyond that is late, visibly (\`plumbline lag\`), and its shard's other identities with it; other
   shards are not (bench \`kafka\`, hot identity). Splitting it takes another identity per instance of the agent.
2. **The door.** One front is one process. ${round(top.doorCores)} cores of it at the top: from about ${round((1e6 / costs.doorMicros) * CHOICES.utilisation)} events/s on, senders write to the events
   topic themselves, with a key of their own at the brokers, or several fronts are needed, which this version does not have.
3. **Partitions and transactions.** ${round(top.shards)} shards are as many transactional ids, ${round(top.producersPerWorker)} producers in each worker, and ${round(top.transactionsPerSecond)} transactions a
   second over the coordinators. One kafkajs producer per shard is the next thing to share.
4. **The network of the brokers.** ${mb(top.brokerInBytes)} in and ${mb(top.brokerOutBytes)} out a second over all of them; of each event ${round(costs.eventBytes)} bytes are the event,
   ${round(costs.scoredBytes)} its scored row with the feature vector, ${round(costs.stateBytes)} state. zstd
   (\`kafkaCompression\`) is the first lever, fewer stored features the second.
5. **ClickHouse.** ${round(top.clickhouseCores)} cores for inserts and ${gb(top.clickhouseBytesPerDay)} a day: several shards of ClickHouse, each with recorders of its own lanes. The
   outbox has one lane per partition of \`scored\`, 8 unless the topic is made with more; more recorders than lanes idle.
6. **Take-over.** State is read whole: ${round(top.takeOverSeconds)} s when the lost worker's shards spread over all others, and as many times longer as fewer take
   them. A standby copy would end that; there is none yet.
`
}

export const SCALE_PAGE = join(ROOT, 'docs', 'scale.md')

/** The page as the stored results make it. */
export const scalePage = (): string => page(measuredCosts())

/** Writes docs/scale.md. */
export const writeScale = (): void => writeFileSync(SCALE_PAGE, scalePage())
