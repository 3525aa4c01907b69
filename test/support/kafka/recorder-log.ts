import { type KafkaSettings, openKafkaValues, topicNames } from '@plumbline/adapters/kafka'
import type { DeploymentLog } from '@plumbline/detector'
import type { DeadLetter } from '@plumbline/schemas'
import { createKafkaOutbox } from '../../../packages/adapters/src/kafka/outbox.ts'
import { testKafka } from './topics.ts'

/** What a recorder needs of a log. */
export interface RecorderLog extends Pick<DeploymentLog, 'id' | 'outbox' | 'kv' | 'publish'> {
  close(): Promise<void>
}

export const openRecorderLog = async (settings: KafkaSettings, prefix: string, lanes: number): Promise<RecorderLog> => {
  const kafka = testKafka(settings.brokers)
  const names = topicNames(prefix)
  const admin = kafka.admin()
  await admin.connect()
  const kv = await openKafkaValues(settings, { prefix })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const outbox = createKafkaOutbox({ kafka, admin, names, prefix, partitions: new Map([['scored', lanes]]) })
  return {
    id: prefix,
    outbox,
    kv,
    async publish(topic, values) {
      if (topic !== 'dead-letters') throw new Error(`Nobody publishes to ${topic} here.`)
      const messages = (values as readonly DeadLetter[]).map((letter) => ({
        key: `d:${letter.shard}:${letter.offset}`,
        value: JSON.stringify(letter),
      }))
      await producer.send({ topic: names['dead-letters'], messages })
    },
    async close() {
      await outbox.close()
      await Promise.all([kv.close(), producer.disconnect(), admin.disconnect()])
    },
  }
}
