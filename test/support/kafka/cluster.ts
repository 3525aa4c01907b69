import type { TestContext } from 'node:test'
import {
  type KafkaLog,
  type KafkaLogOptions,
  type KafkaSettings,
  type KafkaValues,
  type KafkaValuesOptions,
  type TopicNames,
  ensureTopics,
  openKafkaLog,
  openKafkaValues,
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
  /** Closes something after the test, and before its topics go. */
  keep<T extends { close(): Promise<void> }>(part: T): T
  /** The same for named values. */
  values(options?: Partial<KafkaValuesOptions>, settings?: Partial<KafkaSettings>): Promise<KafkaValues>
}

export const SHARDS = 4

export const clusterFor = async (t: TestContext, brokers: readonly string[]): Promise<Cluster> => {
  const kafka = testKafka(brokers)
  const prefix = uniquePrefix('kafka')
  const settings = { brokers }
  const opened: { close(): Promise<void> }[] = []
  const kept = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part)
    return part
  }
  t.after(async () => {
    for (const part of opened.reverse()) await part.close()
    await removeTopics(kafka, prefix)
  })
  await ensureTopics(settings, { prefix, shards: SHARDS })
  return {
    kafka,
    prefix,
    names: topicNames(prefix),
    settings,
    keep: kept,
    open: async (options, more) => kept(await openKafkaLog({ ...settings, ...more }, { prefix, shards: SHARDS, ...options })),
    values: async (options, more) => kept(await openKafkaValues({ ...settings, ...more }, { prefix, ...options })),
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
