import type { TestContext } from 'node:test'
import {
  type KafkaLog,
  type KafkaLogOptions,
  type KafkaSettings,
  type TopicNames,
  ensureTopics,
  openKafkaLog,
  topicNames,
} from '@plumbline/adapters/kafka'
import type { AppendRecord } from '@plumbline/detector'
import type { Kafka } from 'kafkajs'
import { removeTopics, testKafka, uniquePrefix } from './topics.ts'

/** Topics of one test, removed after it. */
export interface Cluster {
  readonly kafka: Kafka
  readonly prefix: string
  readonly names: TopicNames
  readonly settings: KafkaSettings
  /** Opened logs are closed after the test. */
  open(options?: Partial<KafkaLogOptions>, settings?: Partial<KafkaSettings>): Promise<KafkaLog>
}

export const SHARDS = 4

export const clusterFor = async (t: TestContext, brokers: readonly string[]): Promise<Cluster> => {
  const kafka = testKafka(brokers)
  const prefix = uniquePrefix('kafka')
  const settings = { brokers }
  const logs: KafkaLog[] = []
  t.after(async () => {
    for (const log of logs) await log.close()
    await removeTopics(kafka, prefix)
  })
  await ensureTopics(settings, { prefix, shards: SHARDS })
  return {
    kafka,
    prefix,
    names: topicNames(prefix),
    settings,
    async open(options, more) {
      const log = await openKafkaLog({ ...settings, ...more }, { prefix, shards: SHARDS, ...options })
      logs.push(log)
      return log
    },
  }
}

export const event = (shard: number, value: string, ingestTimeMs = 1_000): AppendRecord => ({
  shard,
  ingestTimeMs,
  key: Buffer.from(`e:t|${value}`),
  value: Buffer.from(value),
})

/** Matches an error by its stable code. */
export const code =
  (...expected: readonly string[]) =>
  (error: unknown): boolean =>
    expected.includes((error as { code?: string }).code ?? '')
