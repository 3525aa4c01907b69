import type { Producer, Transaction } from 'kafkajs'
import { type ConnectProducer, connectProducer } from '../../../packages/adapters/src/kafka/shard.ts'

/**
 * The negative control: one transactional id per worker, whatever the shard. Its transactions follow each other on one
 * producer, and nothing fences a worker whose shards have gone to another.
 */
export const producerPerWorker = (worker: string): ConnectProducer => {
  let shared: Promise<Producer> | null = null
  let free: Promise<void> = Promise.resolve()
  let holder: { readonly by: object; readonly release: () => void } | null = null

  const begin = async (by: object, producer: Producer): Promise<Transaction> => {
    const before = free
    const { promise, resolve } = Promise.withResolvers<void>()
    free = promise
    await before
    holder = { by, release: resolve }
    const transaction = await producer.transaction()
    const commit = async (): Promise<void> => {
      await transaction.commit()
      resolve()
    }
    return { ...transaction, commit }
  }

  return async (kafka, transactionalId) => {
    shared ??= connectProducer(kafka, transactionalId.replace(/\.shard-\d+$/, `.worker-${worker}`))
    const producer = await shared
    const self = {}
    return {
      ...producer,
      transaction: () => begin(self, producer),
      // A shard that gives up in the middle of its transaction takes the producer with it; the next take-over makes a new one.
      async disconnect() {
        if (holder?.by !== self) return
        shared = null
        holder.release()
        holder = null
        await producer.disconnect()
      },
    }
  }
}
