// The reference: a plain kafkajs loop that consumes, transforms and produces in transactions, one record out per event in.
// Arguments: brokers, events topic, outgoing topic, group, events per transaction.
import kafkajs from 'kafkajs'

const [, , brokers = '', topic = '', out = '', groupId = '', size = '1000'] = process.argv
const chunk = Number(size)
const RETRY = { initialRetryTime: 10, multiplier: 2, factor: 0.2, maxRetryTime: 1_000, retries: 8 }
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), clientId: 'plain', logLevel: kafkajs.logLevel.NOTHING, retry: RETRY })
const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50, readUncommitted: false, maxBytesPerPartition: 1024 * 1024 })
const producers = new Map<number, kafkajs.Producer>()

/** A producer per partition, as exactly once with this client needs it; the product has the same. */
const producerOf = async (partition: number): Promise<kafkajs.Producer> => {
  let producer = producers.get(partition)
  if (producer === undefined) {
    const settings = { transactionalId: `${groupId}-${partition}`, idempotent: true, maxInFlightRequests: 1, retry: RETRY }
    producers.set(partition, (producer = kafka.producer(settings)))
    await producer.connect()
  }
  return producer
}

/** What stands for the transformation: the event is read, one field is added, and it is written again, 400 bytes. */
const transform = (value: Buffer): Buffer => {
  const event = JSON.parse(value.toString()) as { time: number }
  return Buffer.from(
    JSON.stringify({ ...event, seen: event.time & 1 })
      .padEnd(400)
      .slice(0, 400),
  )
}

await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  eachBatchAutoResolve: false,
  async eachBatch({ batch, resolveOffset, heartbeat }) {
    const producer = await producerOf(batch.partition)
    for (let i = 0; i < batch.messages.length; i += chunk) {
      const messages = batch.messages.slice(i, i + chunk)
      const next = String(Number(messages.at(-1)!.offset) + 1)
      const transaction = await producer.transaction()
      const outgoing = messages.map(({ key, value }) => ({ partition: batch.partition, key, value: transform(value!) }))
      await transaction.send({ topic: out, messages: outgoing, acks: -1 })
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [{ partition: batch.partition, offset: next }] }],
      })
      await transaction.commit()
      resolveOffset(messages.at(-1)!.offset)
      await heartbeat()
    }
  },
})

process.stdin.on('end', () => process.exit(0)).resume()
