import { randomUUID } from 'node:crypto'
import type { ChunkCommit } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Kafka, Producer, TopicMessages, Transaction } from 'kafkajs'
import { type KafkaCompression, RETRY, compressionType, isFenced, kafkaError } from './client.ts'
import { BARRIER_KEY } from './codec.ts'
import type { Barrier } from './restore.ts'
import { SLOT_KEY_BYTES } from './slots.ts'

/** Places in the protocol where a test may stop the process, or fail the call by throwing. */
export type KafkaPoint =
  | 'acquire:begin'
  /** The former owner is fenced, the barrier is not written. */
  | 'acquire:initialised'
  | 'acquire:barrier'
  | 'acquire:restored'
  /** Some of the events between the stored state and the stored outputs were computed once more. */
  | 'acquire:replaying'
  | 'commit:begin'
  | 'commit:begun'
  /** A request of several was sent: outbox records and perhaps some state. Chunks of one request do not pass it. */
  | 'commit:partly'
  /** All outbox records and all state were sent. */
  | 'commit:sent'
  | 'commit:offsets'
  | 'commit:committed'

/**
 * A transaction that is not ended in this time is aborted by the broker and its producer fenced: longer than any chunk takes,
 * and as long as readers of the outbox wait behind an owner that died in the middle of one.
 */
const TRANSACTION_MS = 15_000

/** Gives a producer of a transactional id. Another one than `connectProducer` is for the negative control of the fault suite. */
export type ConnectProducer = (kafka: Kafka, transactionalId: string, transactionMs?: number) => Promise<Producer>

/** Connects a producer of the shard's transactional id, which no two owners can use at the same time. */
export const connectProducer: ConnectProducer = async (kafka, transactionalId, transactionMs = TRANSACTION_MS) => {
  const producer = kafka.producer({
    transactionalId,
    transactionTimeout: transactionMs,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: RETRY,
  })
  await producer.connect()
  return producer
}

/**
 * Writes the barrier. Its first request initialises the transactional id: the broker fences the former owner and settles the
 * transaction that one may have left open before it answers.
 */
export const writeBarrier = async (
  producer: Producer,
  topic: string,
  shard: number,
  onPoint: (point: KafkaPoint) => void,
): Promise<Barrier> => {
  const nonce = randomUUID()
  const transaction = await producer.transaction()
  onPoint('acquire:initialised')
  const [written] = await transaction.send({ topic, messages: [{ partition: shard, key: BARRIER_KEY, value: nonce }], acks: -1 })
  await transaction.commit()
  if (written?.baseOffset === undefined) throw new PlumblineError('SHARD_ACQUIRE_FAILED', `The broker did not say where the barrier is.`)
  return { offset: Number(written.baseOffset), nonce }
}

/** An offset of the workers' group. Only so that tools show the lag: the truth is the position in the state topic. */
export interface GroupOffset {
  readonly groupId: string
  readonly topic: string
  readonly offset: number
}

/** One chunk, ready to be sent. */
export interface Chunk {
  readonly shard: number
  readonly nextOffset: number
  readonly requests: readonly TopicMessages[][]
  readonly offset: GroupOffset
}

const sendOffset = (transaction: Transaction, shard: number, { groupId, topic, offset }: GroupOffset): Promise<void> =>
  transaction.sendOffsets({
    consumerGroupId: groupId,
    topics: [{ topic, partitions: [{ partition: shard, offset: String(offset) }] }],
  })

/** An offset with what the state topic says of it, in a transaction of its own. After an error the producer cannot be used again. */
export const tellOffset = async (producer: Producer, shard: number, offset: GroupOffset, state: TopicMessages): Promise<void> => {
  const transaction = await producer.transaction()
  await transaction.sendBatch({ topicMessages: [state], acks: -1 })
  await sendOffset(transaction, shard, offset)
  await transaction.commit()
}

const sendAll = async (transaction: Transaction, chunk: Chunk, compression: KafkaCompression, onPoint: (point: KafkaPoint) => void) => {
  for (const [i, topicMessages] of chunk.requests.entries()) {
    await transaction.sendBatch({ topicMessages: [...topicMessages], acks: -1, compression: compressionType(compression) })
    onPoint(i < chunk.requests.length - 1 ? 'commit:partly' : 'commit:sent')
  }
  await sendOffset(transaction, chunk.shard, chunk.offset)
  onPoint('commit:offsets')
}

/**
 * Stores one chunk in one transaction. Any error leaves the outcome unknown, also one of the commit itself: it is neither
 * repeated nor aborted here, the next take-over settles it.
 */
export const storeChunk = async (
  producer: Producer,
  chunk: Chunk,
  compression: KafkaCompression,
  onPoint: (point: KafkaPoint) => void,
): Promise<void> => {
  try {
    onPoint('commit:begin')
    const transaction = await producer.transaction()
    onPoint('commit:begun')
    await sendAll(transaction, chunk, compression, onPoint)
    await transaction.commit()
    onPoint('commit:committed')
  } catch (cause) {
    if (isFenced(cause))
      throw kafkaError('SHARD_FENCED', `Shard ${chunk.shard} has another owner now, or its transaction took too long.`, cause)
    throw kafkaError('COMMIT_UNKNOWN', `Whether the chunk of shard ${chunk.shard} was stored is not known. Acquire the shard again.`, cause)
  }
}

export const stale = (message: string): PlumblineError =>
  new PlumblineError('COMMIT_STALE', `${message} Acquire the shard again.`, { retryable: true })

/** Refuses a chunk that does not start where the last one of its shard ended. */
export const checkCommit = ({ shard, nextOffset, scored, slots }: ChunkCommit, position: number): void => {
  if (nextOffset <= position) throw stale(`Shard ${shard} is at ${position}; a commit to ${nextOffset} comes too late.`)
  if (scored !== null && (scored.firstOffset < position || scored.lastOffset >= nextOffset))
    throw stale(`Shard ${shard} is at ${position}; scored rows ${scored.firstOffset}-${scored.lastOffset} lie outside the chunk.`)
  const odd = slots.find(({ key }) => key.length !== SLOT_KEY_BYTES)
  if (odd !== undefined)
    throw new PlumblineError('SLOT_KEY_INVALID', `A slot key has ${odd.key.length} bytes, not ${SLOT_KEY_BYTES}.`, { retryable: true })
}
