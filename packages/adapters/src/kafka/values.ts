import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyValue } from '@plumbline/detector'
import type { PlumblineError } from '@plumbline/schemas'
import { connectAdmin } from './access.ts'
import { type KafkaCompression, type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { createClosers } from './closers.ts'
import { type Journal, openJournal } from './journal.ts'
import { createQueue } from './queue.ts'
import { topicsMissing } from './topic-check.ts'
import { topicNames } from './topics.ts'
import { type TopicOffsets, type TopicParts, type TransactionPoint, type Transactor, createTransactor, joinParts } from './transactor.ts'
import { putMessages } from './values-codec.ts'
import { type ValuesCopy, createValuesCopy } from './values-copy.ts'

export interface KafkaValuesOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  /** How values are compressed on the way and at rest. Default "none". */
  readonly compression?: KafkaCompression
  /** Tests stop the process or fail a call at named points; nothing else uses this. */
  readonly onPoint?: (point: TransactionPoint) => void
}

/**
 * Named values of a deployment in two compacted topics, with a copy in this process that follows what others put. A put is
 * taken over by every copy as a whole. Of two that put the same name at once, the later in the topic stays.
 */
export interface KafkaValues extends KeyValue {
  /** Called with the names whose value is another one now, whoever put it. */
  onChange(listener: (names: readonly string[]) => void): () => void
  /** Puts a value that nobody has put yet. Resolves with the one that is there: of several processes, one is the first. */
  putOnce(name: string, bytes: Uint8Array): Promise<Uint8Array>
  /** Records that put these values, for a transaction of somebody else. */
  records(values: Readonly<Record<string, Uint8Array | null>>): TopicParts
  /** Resolves when the copy has taken in what was stored at these offsets. */
  taken(offsets: TopicOffsets): Promise<void>
  close(): Promise<void>
}

/** Values that wait share a transaction up to this size. */
const TRANSACTION_BYTES = 4 * 1024 * 1024
const TRIES = 5
const CONTENTION_MS = 200
const TAKEN_MS = 30_000

interface Put {
  readonly values: Readonly<Record<string, Uint8Array | null>>
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Opens the values and resolves when the copy has all that was put before. The topics must be there. Errors: TOPIC_MISSING, KAFKA_UNREACHABLE. */
export const openKafkaValues = async (settings: KafkaSettings, options: KafkaValuesOptions = {}): Promise<KafkaValues> => {
  const { prefix = 'plumbline', compression = 'none', onPoint } = options
  const kafka = createKafka(settings)
  const names = topicNames(prefix)
  const copy = createValuesCopy()
  const closers = createClosers()
  closers.add(async () => copy.close())
  const transactorOf = (name: string, journal: Journal, others: readonly Journal[]): Transactor =>
    createTransactor({
      kafka,
      transactionalId: `${prefix}.${name}`,
      journal,
      others,
      compression,
      ...(onPoint === undefined ? {} : { onPoint }),
    })
  try {
    const admin = await connectAdmin(kafka, settings)
    closers.add(() => admin.disconnect())
    const there = new Set(await admin.listTopics())
    const missing = [names.values, names.models].filter((topic) => !there.has(topic))
    if (missing.length > 0) throw topicsMissing(missing)
    const opening = [names.values, names.models].map(async (topic) => {
      const journal = await openJournal({ kafka, admin, topic, onRecords: copy.take })
      closers.add(journal.close)
      return journal
    })
    // Both are settled before a failure of one is told: closing must find all there is to close.
    await Promise.allSettled(opening)
    const [values, models] = (await Promise.all(opening)) as [Journal, Journal]
    const transactor = transactorOf(`values-${randomUUID()}`, values, [models])
    closers.add(transactor.close)
    await transactor.ready()
    copy.goLive()
    return assemble(copy, [values, models], transactor, { names, once: (name) => transactorOf(name, values, [models]) }, closers.close)
  } catch (error) {
    await closers.close().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', 'The values of the deployment cannot be read.', error)
  }
}

interface Places {
  readonly names: ReturnType<typeof topicNames>
  readonly once: (name: string) => Transactor
}

const assemble = (
  copy: ValuesCopy,
  journals: readonly Journal[],
  transactor: Transactor,
  { names, once }: Places,
  close: () => Promise<void>,
): KafkaValues => {
  /** Parts that this process wrote and its copy may not have yet. */
  const written = new Map<string, number>()
  const partsOf = (name: string): number => Math.max(copy.partsOf(name), written.get(name) ?? 0)

  const records = (values: Readonly<Record<string, Uint8Array | null>>): TopicParts => {
    const parts = putMessages(values, names, partsOf)
    for (const { key, value } of [...parts.values()].flat()) {
      const [, index, name] = /^p:(\d+):(.*)$/s.exec(String(key)) ?? []
      if (name !== undefined && value !== null) written.set(name, Math.max(partsOf(name), Number(index) + 1))
    }
    return parts
  }

  const taken = async (offsets: TopicOffsets): Promise<void> => {
    const reached = journals.flatMap((journal) => {
      const end = offsets.get(journal.topic)?.at(-1)
      return end === undefined ? [] : [journal.reached(end, TAKEN_MS)]
    })
    await Promise.all(reached)
  }

  const store = async (puts: readonly Put[], triesLeft = TRIES): Promise<void> => {
    const parts = joinParts(puts.map(({ values }) => records(values)))
    try {
      await taken(await transactor.commit(parts))
      for (const { resolve } of puts) resolve()
    } catch (error) {
      if ((error as PlumblineError).code === 'TRANSACTION_ABORTED' && triesLeft > 1) return store(puts, triesLeft - 1)
      for (const { reject } of puts) reject(kafkaError('VALUES_NOT_STORED', 'Kafka did not confirm named values. Put them again.', error))
    }
  }
  const queue = createQueue<Put>(TRANSACTION_BYTES, store)

  return {
    get: copy.get,
    list: copy.list,
    onChange: copy.onChange,
    records,
    taken,
    put: (values) =>
      new Promise((resolve, reject) => {
        const bytes = Object.values(values).reduce((sum, value) => sum + (value?.length ?? 0) + 100, 0)
        if (bytes === 0) resolve()
        else queue.push({ values, bytes, resolve, reject })
      }),
    async putOnce(name, bytes) {
      const first = once(`once-${name}`)
      try {
        for (;;) {
          const there = copy.get(name)
          if (there !== undefined) return there
          await first.ready()
          if (copy.get(name) !== undefined) continue
          try {
            await taken(await first.commit(records({ [name]: bytes })))
          } catch (error) {
            // Another process began after this one, and has the say; it may be about to put. Not in step with it: look again.
            if ((error as PlumblineError).code !== 'TRANSACTION_ABORTED') throw error
            await sleep(Math.random() * CONTENTION_MS)
          }
        }
      } finally {
        await first.close()
      }
    },
    async close() {
      await queue.close()
      await close()
    },
  }
}
