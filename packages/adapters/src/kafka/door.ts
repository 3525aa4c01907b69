import type { AppendRecord, IngestBatch, IngestResult } from '@plumbline/detector'
import { PlumblineError, type Topic, type TopicRecord } from '@plumbline/schemas'
import type { Admin, Kafka } from 'kafkajs'
import { type KafkaCompression, kafkaError } from './client.ts'
import { eventMessage } from './codec.ts'
import { openJournal } from './journal.ts'
import { FINGERPRINT_BYTES, type Idempotency, answerBytes, answerMessage, createKeyTable, earlierAnswer, keyHash } from './keys.ts'
import { checkSizes, publishedParts } from './publish.ts'
import { createQueue } from './queue.ts'
import { sizeOf } from './requests.ts'
import type { TopicNames } from './topics.ts'
import { type TopicOffsets, type TopicParts, type TransactionPoint, createTransactor, joinParts } from './transactor.ts'
import type { KafkaValues } from './values.ts'

export interface DoorOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: TopicNames
  readonly shards: number
  readonly compression: KafkaCompression
  readonly values: KafkaValues
  /**
   * Processes with the same one take the door from each other: whoever comes later settles what the other left open and knows
   * its Idempotency-Keys. A key is exact among them, and only among them.
   */
  readonly transactionalId: string
  /** Folder for the table of Idempotency-Keys. Default: the system's temporary folder. */
  readonly cacheDir?: string
  /** What is added to offsets of events to get positions (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Called with the end of each shard that grew. */
  readonly onAppended: (shard: number, end: number) => void
  /** How long a request waits for brokers that are away before it is refused, ms. Default 25,000. */
  readonly waitMs?: number
  readonly onPoint?: (point: TransactionPoint) => void
}

/** Where everything enters that no worker writes: exactly once, whatever answers get lost (docs/adr/0016). */
export interface Door {
  /** See DeploymentLog. Errors: INGEST_UNKNOWN, KAFKA_UNREACHABLE, and what is wrong with the batch. */
  ingest(batch: IngestBatch): Promise<IngestResult>
  publish<T extends Topic>(topic: T, values: readonly TopicRecord[T][]): Promise<void>
  close(): Promise<void>
}

interface Job {
  readonly bytes: number
  readonly parts: TopicParts
  readonly records: readonly AppendRecord[]
  readonly values: Readonly<Record<string, Uint8Array>>
  readonly key: { readonly hash: Buffer; readonly idempotency: Idempotency } | undefined
  readonly resolve: (result: IngestResult) => void
  readonly reject: (error: Error) => void
}

const ROW_TOPICS = ['feedback', 'releases', 'audit', 'incidents'] as const
/** Requests that wait share a transaction up to this size. */
const TRANSACTION_BYTES = 4 * 1024 * 1024
const MAX_KEY_BYTES = 65_535
const TRIES = 5

const checkBatch = ({ records, idempotency }: IngestBatch, shards: number): void => {
  const print = idempotency?.fingerprint
  if (print !== undefined && print.length !== FINGERPRINT_BYTES)
    throw new PlumblineError('FINGERPRINT_INVALID', `A fingerprint has ${FINGERPRINT_BYTES} bytes.`)
  const stranger = records.find(({ shard }) => !Number.isInteger(shard) || shard < 0 || shard >= shards)
  if (stranger !== undefined)
    throw new PlumblineError('SHARD_UNKNOWN', `There is no shard ${stranger.shard}; shards are 0 to ${shards - 1}.`)
  if (records.some(({ key }) => key.length > MAX_KEY_BYTES))
    throw new PlumblineError('RECORD_KEY_INVALID', 'A record key is longer than 65,535 bytes.')
}

const bytesOf = (parts: TopicParts, values: Job['values']): number =>
  [...parts.values()].flat().reduce((sum, message) => sum + sizeOf(message), 0) +
  Object.values(values).reduce((sum, value) => sum + value.length + 100, 0)

/** Jobs of one transaction: what is new, and what follows from an earlier request with the same key. */
interface Decided {
  readonly fresh: readonly Job[]
  readonly answers: readonly (readonly [hash: Buffer, bytes: Buffer])[]
  readonly repeated: readonly (readonly [job: Job, answer: Partial<IngestResult>])[]
}

const decide = (jobs: readonly Job[], stored: (hash: Buffer) => Buffer | undefined): Decided => {
  const staged = new Map<string, readonly [Buffer, Buffer]>()
  const fresh: Job[] = []
  const repeated: [Job, Partial<IngestResult>][] = []
  for (const job of jobs) {
    const { key } = job
    const first = key === undefined ? undefined : (staged.get(key.hash.toString('latin1'))?.[1] ?? stored(key.hash))
    const answer = first === undefined ? undefined : earlierAnswer(first, key!.idempotency)
    if (answer !== undefined) {
      repeated.push([job, answer])
      continue
    }
    if (key !== undefined) staged.set(key.hash.toString('latin1'), [key.hash, answerBytes(key.idempotency)])
    fresh.push(job)
  }
  return { fresh, answers: [...staged.values()], repeated }
}

const refusalOf = (cause: unknown): PlumblineError => {
  if ((cause as PlumblineError).code !== 'TRANSACTION_UNKNOWN') return kafkaError('KAFKA_UNREACHABLE', 'Nothing can be stored now.', cause)
  const message = 'Kafka did not confirm a request; whether it is stored is not known yet. Send it again with the same Idempotency-Key.'
  return new PlumblineError('INGEST_UNKNOWN', message, { retryable: true, cause })
}

export const openDoor = async (options: DoorOptions): Promise<Door> => {
  const { kafka, admin, names, shards, values, cacheDir, baseOf, onAppended } = options
  const table = createKeyTable(cacheDir)
  const opening = openJournal({ kafka, admin, topic: names['ingest-keys'], onRecords: table.take })
  const journal = await opening.catch(async (error: unknown) => {
    await table.close()
    throw error
  })
  const transactor = createTransactor({ ...options, journal })
  const close = async (): Promise<void> => {
    await Promise.all([transactor.close(), journal.close()])
    await table.close()
  }

  const partsOf = ({ fresh, answers }: Decided): TopicParts =>
    joinParts([
      ...fresh.map(({ parts }) => parts),
      ...fresh.map((job) => values.records(job.values)),
      new Map(answers.length === 0 ? [] : [[names['ingest-keys'], answers.map(([hash, bytes]) => answerMessage(hash, bytes))]]),
    ])

  const tell = ({ fresh, repeated }: Decided, stored: TopicOffsets): void => {
    const offsets = stored.get(names.events) ?? []
    let at = 0
    for (const { records, resolve } of fresh) {
      const own = offsets.slice(at, (at += records.length)).map((offset, i) => offset + baseOf(records[i]!.shard))
      records.forEach(({ shard }, i) => onAppended(shard, own[i]! + 1))
      resolve({ offsets: own })
    }
    for (const [job, answer] of repeated) job.resolve({ offsets: [], ...answer })
  }

  /** Nothing is answered before the door knows all keys that were stored under its id, and the outcome of its own transaction. */
  const store = async (jobs: readonly Job[], triesLeft = TRIES): Promise<void> => {
    try {
      await transactor.ready()
      const decided = decide(jobs, table.get)
      const parts = partsOf(decided)
      const stored = parts.size === 0 ? new Map<string, number[]>() : await transactor.commit(parts)
      table.put(decided.answers)
      for (const { key } of jobs) if (key !== undefined) table.forget(key.idempotency.nowMs)
      await values.taken(stored)
      tell(decided, stored)
    } catch (error) {
      if ((error as PlumblineError).code === 'TRANSACTION_ABORTED' && triesLeft > 1) return store(jobs, triesLeft - 1)
      for (const { reject } of jobs) reject(refusalOf(error))
    }
  }
  const queue = createQueue<Job>(TRANSACTION_BYTES, store)
  const push = (job: Omit<Job, 'bytes' | 'resolve' | 'reject'>): Promise<IngestResult> =>
    new Promise((resolve, reject) => queue.push({ ...job, bytes: bytesOf(job.parts, job.values), resolve, reject }))

  try {
    await transactor.ready()
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
  return {
    async ingest(batch) {
      const { records, deadLetters = [], rows = {}, values: put = {}, idempotency } = batch
      checkBatch(batch, shards)
      const messages = records.map((record) => eventMessage(record))
      checkSizes('events', messages)
      const events: TopicParts = new Map(messages.length === 0 ? [] : [[names.events, messages]])
      const told = ROW_TOPICS.map((topic) => publishedParts(topic, rows[topic] ?? [], names))
      const parts = joinParts([events, publishedParts('dead-letters', deadLetters, names), ...told])
      if (parts.size + Object.keys(put).length === 0 && idempotency === undefined) return { offsets: [] }
      const key = idempotency === undefined ? undefined : { hash: keyHash(idempotency), idempotency }
      return push({ parts, records, values: put, key })
    },
    async publish(topic, rows) {
      const parts = publishedParts(topic, rows, names)
      if (parts.size > 0) await push({ parts, records: [], values: {}, key: undefined })
    },
    async close() {
      await queue.close()
      await close()
    },
  }
}
