import type { Batch, Consumer, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'
import { asFetched, fetchedBatch } from './fetched.ts'
import { joinGroup } from './member.ts'
import type { StoredRecord } from './record.ts'
import { MAX_REQUEST_BYTES } from './requests.ts'

/** Who takes the records of one partition. */
interface RecordSink {
  /**
   * Records in order, none where there were only markers or aborted ones; `position` is where the next one will be looked for,
   * `end` where the log ended when they were sent.
   */
  onRecords(messages: readonly StoredRecord[], position: number, end: number): void
  /** The records before `first` are gone. True: go on there. False: the stream has ended. */
  onGap(first: number): boolean
  /** The brokers cannot be read now; the stream has ended. */
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

const SESSION_MS = 30_000
/** Twice a request: what a fetch brings of a partition may be cut off within a batch, and then holds a whole one before it. */
const PARTITION_BYTES = 2 * MAX_REQUEST_BYTES

export const openPartitionReader = async ({ kafka, topic, partitions, waitMs }: ReaderOptions): Promise<PartitionReader> => {
  const readings = new Map<number, Reading>()
  // Null while there is no member: nobody to tell, and the next join brings everything in order.
  let consumer: Consumer | null = null
  let failure: Error | null = null

  const halt = (partition: number): void => consumer?.pause([{ topic, partitions: [partition] }])
  const go = (partition: number, { position }: Reading): void => {
    consumer?.seek({ topic, partition, offset: String(position) })
    consumer?.resume([{ topic, partitions: [partition] }])
  }
  const putRight = (): void => {
    failure = null
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
    const fetched = asFetched(batch)
    if (fetched.from > reading.position && !reading.sink.onGap(fetched.from)) {
      readings.delete(partition)
      return halt(partition)
    }
    const from = Math.max(reading.position, fetched.from)
    reading.position = Math.max(from, fetched.next)
    const messages = fetched.from < from ? fetched.messages.filter(({ offset }) => offset >= from) : fetched.messages
    reading.sink.onRecords(messages, reading.position, Number(batch.highWatermark))
  }

  /** What holds only markers or aborted records is not handed out; the position passes it all the same. */
  const onEmpty = (partition: number, first: number, last: number, end: number): void => {
    const reading = readings.get(partition)
    if (reading === undefined || first > reading.position || last < reading.position) return
    reading.position = last + 1
    reading.sink.onRecords([], reading.position, end)
  }

  const onFailed = (error: Error): void => {
    failure = kafkaError('KAFKA_UNREACHABLE', `Topic ${topic} cannot be read now.`, error)
    for (const { sink } of readings.values()) sink.onFailed(failure)
    readings.clear()
  }

  const config = {
    groupId: `${topic}-reader`,
    alone: true,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: 3_000,
    maxWaitTimeInMs: waitMs,
    maxBytesPerPartition: PARTITION_BYTES,
    createBatch: fetchedBatch,
  }
  const member = await joinGroup(kafka, topic, config, {
    onJoined(_, joined) {
      consumer = joined
      putRight()
    },
    onBatch,
    onEmpty,
    onStopped() {
      consumer = null
    },
    onFailed,
  })

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
    async close() {
      readings.clear()
      await member.leave()
    },
  }
}
