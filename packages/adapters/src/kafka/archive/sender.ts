import type { Kafka, Message, Producer } from 'kafkajs'
import { RETRY } from '../client.ts'
import { MAX_REQUEST_BYTES, cutRequests, sizeOf } from '../requests.ts'

/** Fills topics that nobody reads yet: what fails is given up with them, so nothing here needs a transaction. */
export interface Sender {
  /** Resolves at once, or when what waited before is stored. */
  send(topic: string, message: Message): Promise<void>
  /** Resolves when everything is stored. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** So much waits before it is sent. */
const WAITING_BYTES = 4 * MAX_REQUEST_BYTES

export const openSender = async (kafka: Kafka): Promise<Sender> => {
  const producer: Producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry: RETRY })
  await producer.connect()
  let waiting = new Map<string, Message[]>()
  let bytes = 0
  const flush = async (): Promise<void> => {
    const parts = [...waiting].map(([topic, messages]) => ({ topic, messages }))
    waiting = new Map()
    bytes = 0
    for (const topicMessages of cutRequests(parts)) await producer.sendBatch({ topicMessages, acks: -1 })
  }
  return {
    async send(topic, message) {
      const own = waiting.get(topic)
      if (own === undefined) waiting.set(topic, [message])
      else own.push(message)
      bytes += sizeOf(message)
      if (bytes >= WAITING_BYTES) await flush()
    },
    flush,
    close: () => producer.disconnect(),
  }
}
