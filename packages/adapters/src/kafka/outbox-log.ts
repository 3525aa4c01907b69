import type { DeploymentLog, KeyValue } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Kafka } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { shiftOutbox } from './bases.ts'
import { type KafkaCompression, type KafkaSettings, RETRY, compressionType, createKafka, kafkaError } from './client.ts'
import { createClosers } from './closers.ts'
import { readDeployment } from './deployment-value.ts'
import { type KafkaOutbox, createKafkaOutbox } from './outbox.ts'
import { publishedParts } from './publish.ts'
import { cutRequests } from './requests.ts'
import { checkTopics } from './topic-check.ts'
import { type TopicNames, topicNames } from './topics.ts'
import type { TopicParts } from './transactor.ts'
import { openKafkaValues } from './values.ts'

export interface KafkaOutboxLogOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  readonly compression?: KafkaCompression
}

/** What a recorder needs of a deployment: it opens no shard, takes no events in and knows no key. */
export interface KafkaOutboxLog extends Pick<DeploymentLog, 'id' | 'shards' | 'outbox' | 'kv' | 'publish'> {
  readonly outbox: KafkaOutbox
  readonly kv: KeyValue
  readonly topics: TopicNames
  close(): Promise<void>
}

/**
 * Opens the outbox of a deployment that is there.
 * Errors: DEPLOYMENT_MISSING, DEPLOYMENT_MOVED, TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS, KAFKA_UNREACHABLE.
 */
export const openKafkaOutboxLog = async (settings: KafkaSettings, options: KafkaOutboxLogOptions = {}): Promise<KafkaOutboxLog> => {
  const { prefix = 'plumbline', compression = 'none' } = options
  const kafka = createKafka(settings)
  const names = topicNames(prefix)
  const closers = createClosers()
  try {
    const admin = await connectAdmin(kafka, settings)
    closers.add(() => admin.disconnect())
    if (!(await admin.listTopics()).includes(names.values))
      throw new PlumblineError('DEPLOYMENT_MISSING', `There are no topics of ${prefix} yet. Check kafkaPrefix, or run plumbline migrate.`)
    const kv = await openKafkaValues(settings, { prefix, compression })
    closers.add(kv.close)
    const { id, shards, bases } = readDeployment(kv)
    const partitions = await checkTopics(admin, { prefix, shards })
    const outbox = shiftOutbox(createKafkaOutbox({ kafka, admin, names, partitions, prefix }), bases.outbox)
    closers.add(outbox.close)
    return {
      id,
      shards,
      kv,
      outbox,
      topics: names,
      publish: (topic, rows) => send(kafka, publishedParts(topic, rows, names), compression),
      close: closers.close,
    }
  } catch (error) {
    await closers.close().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', 'The deployment cannot be opened.', error)
  }
}

/**
 * Rows of refused blocks and of removals: rare, so a producer each time. One that was stored without an answer is published
 * again with the block, and is then the same row of its table.
 */
const send = async (kafka: Kafka, parts: TopicParts, compression: KafkaCompression): Promise<void> => {
  if (parts.size === 0) return
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry: RETRY })
  try {
    await producer.connect()
    for (const topicMessages of cutRequests([...parts].map(([topic, messages]) => ({ topic, messages }))))
      await producer.sendBatch({ topicMessages, acks: -1, compression: compressionType(compression) })
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'Rows could not be published.', error)
  } finally {
    await producer.disconnect().catch(() => {})
  }
}
