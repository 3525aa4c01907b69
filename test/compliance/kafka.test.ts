import type { Alert, AlertCapsule, DeadLetter } from '@plumbline/schemas'
import { type KafkaDeployment, type KafkaLog, ensureTopics, openKafkaDeployment, openKafkaLog, topicNames } from '@plumbline/adapters/kafka'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type ReadMessage, readCommitted, removeTopics, testKafka, uniquePrefix } from '../support/kafka/topics.ts'
import { deploymentLogCompliance } from './deployment-log.ts'
import { shardLogCompliance } from './shard-log.ts'

const { brokers, skip } = await kafkaBroker()

const header = (message: ReadMessage, name: string): string => message.headers?.[name]?.toString() ?? ''

shardLogCompliance(
  'Kafka',
  async () => {
    const prefix = uniquePrefix('compliance')
    const shards = 32
    const kafka = testKafka(brokers)
    const names = topicNames(prefix)
    await ensureTopics({ brokers }, { prefix, shards })
    const opened: KafkaLog[] = []
    const open = async (): Promise<KafkaLog> => {
      const log = await openKafkaLog({ brokers }, { prefix, shards })
      opened.push(log)
      return log
    }
    const ofShard = async (topic: string, shard: number): Promise<ReadMessage[]> =>
      (await readCommitted(kafka, topic)).filter((message) => header(message, 'shard') === String(shard))
    const values = <T>(messages: readonly ReadMessage[], type: string): T[] =>
      messages.filter(({ key }) => key?.toString().startsWith(type)).map(({ value }) => JSON.parse(value!.toString()) as T)
    return {
      log: await open(),
      shards,
      reopen: open,
      async outbox(shard) {
        const alerts = await ofShard(names.alerts, shard)
        return {
          scored: (await ofShard(names.scored, shard)).map((message) => ({
            firstOffset: Number(header(message, 'offset')),
            lastOffset: Number(header(message, 'last-offset')),
            bytes: message.value!,
          })),
          alerts: values<Alert>(alerts, 'a:'),
          capsules: values<AlertCapsule>(alerts, 'k:'),
          deadLetters: values<DeadLetter>(await ofShard(names['dead-letters'], shard), 'd:'),
        }
      },
      async close() {
        for (const log of opened) await log.close()
        await removeTopics(kafka, prefix)
      },
    }
  },
  skip,
)

deploymentLogCompliance(
  'Kafka',
  async () => {
    const prefix = uniquePrefix('deployment')
    const shards = 32
    const kafka = testKafka(brokers)
    await ensureTopics({ brokers }, { prefix, shards })
    const opened: KafkaDeployment[] = []
    const open = async (): Promise<KafkaDeployment> => {
      const log = await openKafkaDeployment({ brokers }, { prefix, shards, masterKey: Buffer.alloc(32, 1), door: 'front' })
      opened.push(log)
      return log
    }
    return {
      log: await open(),
      shards,
      // The former one stays open: its door is taken away from it.
      reopen: open,
      async close() {
        for (const log of opened) await log.close()
        await removeTopics(kafka, prefix)
      },
    }
  },
  skip,
)
