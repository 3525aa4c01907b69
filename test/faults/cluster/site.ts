import { ensureTopics, openKafkaValues, type TopicNames, topicNames } from '@plumbline/adapters/kafka'
import { announceSigner, type LogRecord, releaseNames } from '@plumbline/detector'
import { generateSigningKey, signRelease } from '@plumbline/training'
import type { Kafka, Message } from 'kafkajs'
import { INGEST_HEADER } from '../../../packages/adapters/src/kafka/codec.ts'
import { COMPANY, type Log, makeLog, SHARDS } from '../../support/detector-log.ts'
import { type ExtraBroker, startApacheKafka } from '../../support/kafka/apache.ts'
import { type BrokerProxy, startBrokerProxy } from '../../support/kafka/proxy.ts'
import { testKafka, uniquePrefix, warmUp } from '../../support/kafka/topics.ts'
import { type StateWatch, watchState } from './watch.ts'

/** Where deployments are made: a broker, and the log that they are fed with. */
export interface Ground {
  readonly brokers: readonly string[]
  readonly kafka: Kafka
  readonly log: Log
}

/** A broker of the campaign's own, which it may kill, and the proxy that all workers reach it through. */
export interface Site extends Ground {
  readonly broker: ExtraBroker
  readonly proxy: BrokerProxy
  close(): Promise<void>
}

/** Enough events for a campaign of about a hundred faults. */
const DAYS = 8
/** A broker that was killed may come again once it is missed, which takes 9 s by default. */
const MISSED = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }

const endWithAll = (): never => process.exit(143)

/** Throws NoBroker where this machine cannot start one. */
export const openSite = async (): Promise<Site> => {
  // A signal by itself would leave broker and workers behind: they end with the exit of this process.
  process.once('SIGTERM', endWithAll)
  const proxies: BrokerProxy[] = []
  const broker = await startApacheKafka({
    listeners: { PROXIED: 'PLAINTEXT' },
    async advertise(name, address) {
      if (name !== 'PROXIED') return address
      proxies.unshift(await startBrokerProxy(address))
      return proxies[0]!.address
    },
    settings: () => MISSED,
  })
  await warmUp(broker.brokers)
  return {
    broker,
    brokers: broker.brokers,
    proxy: proxies[0]!,
    kafka: testKafka(broker.brokers),
    log: await makeLog({ ...COMPANY, days: DAYS }),
    async close() {
      process.off('SIGTERM', endWithAll)
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await broker.stop()
    },
  }
}

/** Topics of one campaign, and the hand that fills the events topic. */
export interface Deployment {
  readonly prefix: string
  readonly names: TopicNames
  readonly watch: StateWatch
  /** Appends the next records of the company's log, about so many over all shards. */
  feed(records: number): Promise<void>
  /** How much of the log is appended, 0 to 1. */
  fed(): number
  /** Everything appended so far is processed and committed. */
  settled(ms: number): Promise<boolean>
  close(): Promise<void>
}

const messageOf = (partition: number, { key, value, ingestTimeMs }: LogRecord): Message => ({
  partition,
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: { [INGEST_HEADER]: String(ingestTimeMs) },
})

const shards = Array.from({ length: SHARDS }, (_, shard) => shard)

const signer = generateSigningKey()

/** Makes the releases known to all workers, as the front does. */
const putReleases = async (brokers: readonly string[], prefix: string, artifacts: Log['artifacts']): Promise<void> => {
  const values = await openKafkaValues({ brokers }, { prefix })
  await announceSigner(values, signer.publicKey)
  for (const [sha256, bytes] of artifacts) {
    const { artifact, envelope } = releaseNames(sha256)
    await values.put({ [artifact]: bytes, [envelope]: Buffer.from(JSON.stringify(signRelease(bytes, signer))) })
  }
  await values.close()
}

export const openDeployment = async ({ brokers, kafka, log }: Ground): Promise<Deployment> => {
  const prefix = uniquePrefix('cluster')
  const names = topicNames(prefix)
  await ensureTopics({ brokers }, { prefix, shards: SHARDS })
  await putReleases(brokers, prefix, log.artifacts)
  const watch = await watchState(kafka, names.state, SHARDS)
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  const admin = kafka.admin()
  await Promise.all([producer.connect(), admin.connect()])
  const total = log.shards.reduce((sum, { length }) => sum + length, 0)
  const fed = shards.map(() => 0)

  const ends = async (): Promise<number[]> => {
    const offsets = await admin.fetchTopicOffsets(names.events)
    return shards.map((shard) => Number(offsets.find(({ partition }) => partition === shard)?.high ?? 0))
  }

  return {
    prefix,
    names,
    watch,
    async feed(records) {
      const messages = log.shards.flatMap((all, shard) => {
        const share = Math.ceil((records * all.length) / total)
        const next = all.slice(fed[shard], fed[shard]! + share)
        fed[shard]! += next.length
        return next.map((record) => messageOf(shard, record))
      })
      if (messages.length > 0) await producer.send({ topic: names.events, messages, acks: -1 })
    },
    fed: () => fed.reduce((sum, n) => sum + n, 0) / total,
    async settled(ms) {
      const end = await ends()
      return watch.until(() => shards.every((shard) => watch.position(shard) === end[shard]), ms)
    },
    async close() {
      await Promise.all([watch.close(), producer.disconnect(), admin.disconnect()])
    },
  }
}
