import type { AppendRecord } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Kafka, Message, Producer, RecordMetadata } from 'kafkajs'
import { type KafkaCompression, RETRY, compressionType, kafkaError } from './client.ts'
import { eventMessage } from './codec.ts'
import { MAX_REQUEST_BYTES, sizeOf } from './requests.ts'

/** What the events topic takes: a broker's default for one record, less some room for its batch. */
const MAX_EVENT_BYTES = 1_000_000

export interface AppenderOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly shards: number
  readonly compression: KafkaCompression
  /** What is added to offsets to get positions (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Called with the end of each shard that grew, before the append resolves. */
  readonly onAppended: (shard: number, end: number) => void
}

export interface Appender {
  append(records: readonly AppendRecord[]): Promise<readonly number[]>
  /** Waits for what is under way. */
  close(): Promise<void>
}

interface Pending {
  readonly messages: readonly Message[]
  readonly bytes: number
  readonly resolve: (offsets: readonly number[]) => void
  readonly reject: (error: Error) => void
}

/**
 * Events into their topic with one idempotent producer and one request at a time; what waits meanwhile shares the next one.
 * After a failed request the producer is thrown away: kafkajs goes on with the sequence number of the failed records, and if
 * those did arrive the broker takes the next ones for their repetition, acknowledges them and drops them.
 */
export const createAppender = ({ kafka, topic, shards, compression, baseOf, onAppended }: AppenderOptions): Appender => {
  let queue: Pending[] = []
  let running: Promise<void> | null = null
  let producer: Producer | null = null
  let closed = false

  const connected = async (): Promise<Producer> => {
    if (producer !== null) return producer
    const fresh = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry: RETRY })
    await fresh.connect()
    return (producer = fresh)
  }

  const discard = (): void => {
    producer?.disconnect().catch(() => {})
    producer = null
  }

  const take = (): Pending[] => {
    let bytes = 0
    let n = 0
    while (n < queue.length && (n === 0 || bytes + queue[n]!.bytes <= MAX_REQUEST_BYTES)) bytes += queue[n++]!.bytes
    const batch = queue.slice(0, n)
    queue = queue.slice(n)
    return batch
  }

  const send = async (messages: readonly Message[]): Promise<readonly number[]> => {
    const to = await connected()
    const answers = await to.send({ topic, messages: [...messages], acks: -1, compression: compressionType(compression) })
    return offsetsOf(messages, answers).map((offset, i) => offset + baseOf(messages[i]!.partition!))
  }

  const write = async (batch: readonly Pending[]): Promise<void> => {
    try {
      const messages = batch.flatMap((pending) => pending.messages)
      const offsets: number[] = []
      for (const part of cut(messages)) offsets.push(...(await send(part)))
      messages.forEach(({ partition }, i) => onAppended(partition!, offsets[i]! + 1))
      let at = 0
      for (const { messages: own, resolve } of batch) resolve(offsets.slice(at, (at += own.length)))
    } catch (cause) {
      discard()
      const error = kafkaError('APPEND_UNKNOWN', `Kafka did not confirm events; some of them may be stored. Send them again.`, cause)
      for (const { reject } of batch) reject(error)
    }
  }

  const drain = async (): Promise<void> => {
    // One turn of waiting lets every caller of this turn into the same request.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (queue.length > 0) await write(take())
    running = null
  }

  return {
    append(records) {
      if (closed) return Promise.reject(new PlumblineError('STORE_CLOSED', 'The log is closed.'))
      if (records.length === 0) return Promise.resolve([])
      const messages = records.map((record) => eventMessage(record))
      const refusal = refused(records, messages, shards)
      if (refusal !== undefined) return Promise.reject(refusal)
      return new Promise((resolve, reject) => {
        queue.push({ messages, bytes: messages.reduce((sum, message) => sum + sizeOf(message), 0), resolve, reject })
        running ??= drain()
      })
    },
    async close() {
      closed = true
      while (running !== null) await running
      await producer?.disconnect()
    },
  }
}

/** Checked before the request is made, so that one caller's mistake does not fail the others in it. */
const refused = (records: readonly AppendRecord[], messages: readonly Message[], shards: number): PlumblineError | undefined => {
  const stranger = records.find(({ shard }) => !Number.isInteger(shard) || shard < 0 || shard >= shards)
  if (stranger !== undefined)
    return new PlumblineError('SHARD_UNKNOWN', `There is no shard ${stranger.shard}; shards are 0 to ${shards - 1}.`)
  const large = messages.map((message) => sizeOf(message)).find((size) => size > MAX_EVENT_BYTES)
  if (large === undefined) return undefined
  return new PlumblineError('RECORD_TOO_LARGE', `A record of ${large} bytes is above the limit of ${MAX_EVENT_BYTES}.`)
}

/** Parts of at most one request each. */
const cut = (messages: readonly Message[]): Message[][] => {
  const parts: Message[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const message of messages) {
    const size = sizeOf(message)
    if (bytes + size > MAX_REQUEST_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(message)
    bytes += size
  }
  return parts
}

/** A partition's records of one request are one batch: they got consecutive offsets from the one that the broker names. */
const offsetsOf = (messages: readonly Message[], answers: readonly RecordMetadata[]): number[] => {
  const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
  return messages.map(({ partition }) => {
    const offset = next.get(partition!)!
    next.set(partition!, offset + 1)
    return offset
  })
}
