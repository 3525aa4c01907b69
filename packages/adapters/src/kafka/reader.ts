import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, Kafka, KafkaMessage } from 'kafkajs'
import { MEMBER_RETRY, kafkaError } from './client.ts'
import { MAX_REQUEST_BYTES } from './requests.ts'

/** Who takes the records of one partition. */
interface RecordSink {
  /** Records in order; `position` is where the next one will be looked for, `end` where the log ended when they were sent. */
  onRecords(messages: readonly KafkaMessage[], position: number, end: number): void
  /** The records before `first` are gone. True: go on there. False: the stream has ended. */
  onGap(first: number): boolean
  /** The reader cannot go on. */
  onFailed(error: Error): void
}

export interface Stream {
  pause(): void
  resume(): void
  close(): void
}

/**
 * Reads partitions of one topic from positions that its callers know, committed records only. kafkajs has no `assign()`: this
 * is a group of one member with a name of its own, which owns all partitions and keeps those paused that nobody reads. The
 * group stores nothing; whatever it believes about offsets after a rejoin is put right from the positions kept here.
 */
export interface PartitionReader {
  /** One stream per partition; a second one replaces the first. */
  open(partition: number, offset: number, sink: RecordSink): Stream
  close(): Promise<void>
}

interface Reading {
  position: number
  paused: boolean
  readonly sink: RecordSink
}

export interface ReaderOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly partitions: number
  /** Longest wait of a poll, ms, and so for a partition that begins to be read while others are idle. */
  readonly waitMs: number
}

const JOIN_MS = 60_000
const SESSION_MS = 30_000
/**
 * Twice a request: kafkajs passes a batch that compaction has emptied only together with a whole batch behind it, and would ask
 * for the empty one for ever.
 */
const PARTITION_BYTES = 2 * MAX_REQUEST_BYTES

/** The offset a fetch asked for; kafkajs has it, its types do not. */
const fetchedOffset = (batch: Batch): number => Number((batch as Batch & { fetchedOffset: string }).fetchedOffset)

export const openPartitionReader = async ({ kafka, topic, partitions, waitMs }: ReaderOptions): Promise<PartitionReader> => {
  const readings = new Map<number, Reading>()
  let closed = false
  const consumer = kafka.consumer({
    groupId: `${topic}-reader-${randomUUID()}`,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: 3_000,
    maxWaitTimeInMs: waitMs,
    maxBytesPerPartition: PARTITION_BYTES,
    allowAutoTopicCreation: false,
    retry: { ...MEMBER_RETRY, restartOnFailure: () => Promise.resolve(!closed) },
  })

  // While kafkajs starts its consumer anew after a crash there is nobody to tell; the next join brings everything in order.
  let running = false
  let failure: Error | null = null

  const halt = (partition: number): void => {
    if (running) consumer.pause([{ topic, partitions: [partition] }])
  }
  const go = (partition: number, { position }: Reading): void => {
    if (!running) return
    consumer.seek({ topic, partition, offset: String(position) })
    consumer.resume([{ topic, partitions: [partition] }])
  }
  /** After every join, also those that kafkajs makes by itself, its offsets and pauses are nobody's. */
  const restore = (): void => {
    running = true
    for (let partition = 0; partition < partitions; partition++) {
      const reading = readings.get(partition)
      if (reading === undefined || reading.paused) halt(partition)
      else go(partition, reading)
    }
  }

  const onBatch = (batch: Batch): void => {
    const { partition } = batch
    const reading = readings.get(partition)
    if (reading === undefined || reading.paused) return halt(partition)
    const fetched = fetchedOffset(batch)
    if (fetched > reading.position && !reading.sink.onGap(fetched)) {
      readings.delete(partition)
      return halt(partition)
    }
    const from = Math.max(reading.position, fetched)
    reading.position = Math.max(from, Number(batch.lastOffset()) + 1)
    const messages = batch.messages.filter(({ offset }) => Number(offset) >= from)
    if (messages.length > 0) reading.sink.onRecords(messages, reading.position, Number(batch.highWatermark))
  }

  /** What holds only markers or aborted records is not handed out; the position passes it all the same. */
  const onEmpty = (partition: number, first: number, last: number): void => {
    const reading = readings.get(partition)
    if (reading !== undefined && first <= reading.position) reading.position = Math.max(reading.position, last + 1)
  }

  const onStopped = (): void => {
    running = false
  }
  const onCrash = (error: Error): void => {
    failure = kafkaError('KAFKA_READER_STOPPED', `Topic ${topic} cannot be read any more.`, error)
    for (const { sink } of readings.values()) sink.onFailed(failure)
    readings.clear()
  }

  const close = async (): Promise<void> => {
    closed = true
    readings.clear()
    await consumer.disconnect()
  }

  try {
    await join(consumer, { topic, onJoined: restore, onBatch, onEmpty, onStopped, onCrash })
  } catch (error) {
    await close().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', `Topic ${topic} cannot be read.`, error)
  }

  return {
    open(partition, position, sink) {
      if (failure !== null) throw failure
      const reading: Reading = { position, paused: false, sink }
      const isCurrent = (): boolean => readings.get(partition) === reading
      readings.set(partition, reading)
      go(partition, reading)
      return {
        pause() {
          if (!isCurrent() || reading.paused) return
          reading.paused = true
          halt(partition)
        },
        resume() {
          if (!isCurrent() || !reading.paused) return
          reading.paused = false
          go(partition, reading)
        },
        close() {
          if (!isCurrent()) return
          readings.delete(partition)
          halt(partition)
        },
      }
    },
    close,
  }
}

interface Handlers {
  readonly topic: string
  readonly onJoined: () => void
  readonly onBatch: (batch: Batch) => void
  readonly onEmpty: (partition: number, first: number, last: number) => void
  readonly onStopped: () => void
  readonly onCrash: (error: Error) => void
}

/** Resolves once the member owns its partitions, and calls the handlers from then on. */
const joined = (consumer: Consumer, { topic, onJoined, onEmpty, onStopped, onCrash }: Handlers): Promise<void> =>
  new Promise((resolve, reject) => {
    const { GROUP_JOIN, END_BATCH_PROCESS, STOP, CRASH } = consumer.events
    const timer = setTimeout(() => reject(kafkaError('KAFKA_UNREACHABLE', `No partitions of ${topic} after ${JOIN_MS / 1000} s.`)), JOIN_MS)
    consumer.on(GROUP_JOIN, () => {
      clearTimeout(timer)
      onJoined()
      resolve()
    })
    consumer.on(END_BATCH_PROCESS, ({ payload: { partition, batchSize, firstOffset, lastOffset } }) => {
      if (batchSize === 0) onEmpty(partition, Number(firstOffset), Number(lastOffset))
    })
    consumer.on(STOP, onStopped)
    consumer.on(CRASH, ({ payload: { error, restart } }) => {
      if (restart) return
      clearTimeout(timer)
      onCrash(error)
      reject(kafkaError('KAFKA_UNREACHABLE', `Topic ${topic} cannot be read.`, error))
    })
  })

const join = async (consumer: Consumer, handlers: Handlers): Promise<void> => {
  await consumer.connect()
  // From the beginning: also the answer to a position that the broker no longer has, which the sink then hears of as a gap.
  await consumer.subscribe({ topic: handlers.topic, fromBeginning: true })
  const ready = joined(consumer, handlers)
  ready.catch(() => {})
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch, isStale }) => {
      if (!isStale()) handlers.onBatch(batch)
      return Promise.resolve()
    },
  })
  await ready
}
