import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import type { Admin, IResourceConfigEntry } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { type KafkaSettings, brokerErrorType, createKafka, kafkaError } from './client.ts'
import { checkTopics, partitionCounts } from './topic-check.ts'
import { TOPIC_KINDS, type TopicOptions, lanesFor, requiredPartitions, settingsOf, topicNames } from './topics.ts'

const CREATED_MS = 30_000
const CREATED_POLL_MS = 50
const NOT_YET = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])

/** A broker acknowledges new topics before all brokers know them, itself included; kafkajs's own wait for it fails on that. */
const untilKnown = async (admin: Admin, names: readonly string[]): Promise<void> => {
  for (const until = performance.now() + CREATED_MS; performance.now() < until; await sleep(CREATED_POLL_MS)) {
    try {
      if ((await partitionCounts(admin, names)).size === names.length) return
    } catch (error) {
      if (!NOT_YET.has(brokerErrorType(error) ?? '')) throw error
    }
  }
  throw new PlumblineError(
    'TOPIC_MISSING',
    `Topics were created, but after ${CREATED_MS / 1000} s not all of them are known to the brokers.`,
    { retryable: true },
  )
}

const entriesOf = (settings: Record<string, string>): IResourceConfigEntry[] =>
  Object.entries(settings).map(([name, value]) => ({ name, value }))

/** Creates the topics that are missing and checks those that are there. Several may do this at the same time. */
export const ensureTopics = async (settings: KafkaSettings, options: TopicOptions): Promise<void> => {
  const admin = await connectAdmin(createKafka(settings), settings)
  try {
    const names = topicNames(options.prefix)
    const there = await partitionCounts(admin, Object.values(names))
    const missing = TOPIC_KINDS.filter((kind) => !there.has(names[kind]))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: false,
        topics: missing.map((kind) => ({
          topic: names[kind],
          numPartitions: requiredPartitions(kind, options.shards) ?? options.lanes ?? lanesFor(options.shards),
          replicationFactor: options.replicationFactor ?? -1,
          configEntries: entriesOf(settingsOf(kind, options)),
        })),
      })
      await untilKnown(admin, Object.values(names))
    }
    await checkTopics(admin, options)
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The topics cannot be made.', error)
  } finally {
    await admin.disconnect()
  }
}
