import { randomUUID } from 'node:crypto'
import type { Kafka, KafkaMessage } from 'kafkajs'

/** What the state topic says of a deployment while it runs, read with a client of the test's own: committed records only. */
export interface StateWatch {
  /** Position of the shard as last committed. */
  position(shard: number): number
  /** Take-overs of the shard so far: its barriers. */
  takeOvers(shard: number): number
  /** Resolves with true as soon as the condition holds, which is looked at whenever something was committed; false after `ms`. */
  until(condition: () => boolean, ms: number): Promise<boolean>
  close(): Promise<void>
}

export const watchState = async (kafka: Kafka, topic: string, shards: number): Promise<StateWatch> => {
  const positions = Array.from({ length: shards }, () => 0)
  const barriers = Array.from({ length: shards }, () => 0)
  const read = Array.from({ length: shards }, () => -1)
  const listeners = new Set<() => void>()
  const take = (shard: number, { key, value, offset }: KafkaMessage): void => {
    // After a rejoin the group may begin anew.
    if (Number(offset) <= read[shard]!) return
    read[shard] = Number(offset)
    const name = key?.toString('latin1')
    if (name === 'o:next') positions[shard] = Number(value?.toString())
    if (name === 'b:barrier') barriers[shard]!++
  }
  const consumer = kafka.consumer({
    groupId: `watch-${randomUUID()}`,
    maxWaitTimeInMs: 20,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) take(batch.partition, message)
      for (const listener of listeners) listener()
    },
  })
  return {
    position: (shard) => positions[shard]!,
    takeOvers: (shard) => barriers[shard]!,
    until: (condition, ms) =>
      new Promise((resolve) => {
        const end = (held: boolean): void => {
          clearTimeout(timer)
          listeners.delete(look)
          resolve(held)
        }
        const look = (): void => {
          if (condition()) end(true)
        }
        const timer = setTimeout(() => end(condition()), ms)
        listeners.add(look)
        look()
      }),
    close: () => consumer.disconnect(),
  }
}
