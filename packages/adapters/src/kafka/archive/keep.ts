import { join } from 'node:path'
import type { Admin, Kafka } from 'kafkajs'
import type { Bases } from '../bases.ts'
import { groupOf } from '../outbox-cursors.ts'
import type { PartitionReader } from '../reader.ts'
import type { ReadRecord } from '../record.ts'
import { scanRange } from '../scan.ts'
import { type TopicKind, topicNames } from '../topics.ts'
import type { KafkaValues } from '../values.ts'
import { type FileMark, writeFrames } from './frames.ts'
import { FILES } from './manifest.ts'
import type { BackupOptions } from './take.ts'

/** What the parts of a backup share. */
export interface Context {
  readonly options: BackupOptions
  readonly kafka: Kafka
  readonly admin: Admin
  readonly values: KafkaValues
  readonly bases: Bases
  readonly files: Record<string, FileMark>
  reader(kind: TopicKind, partitions: number): Promise<PartitionReader>
}

/** Topics of the outbox, and the outbox topic whose cursor of the recorder says what ClickHouse holds already. */
const OUTBOX = [
  ['scored', ['scored']],
  ['alerts', ['alerts', 'capsules', 'incidents']],
  ['dead-letters', ['dead-letters']],
  ['feedback', ['feedback']],
  ['audit', ['releases', 'audit']],
] as const

export const endsOf = async (admin: Admin, topic: string): Promise<Map<number, { low: number; high: number }>> =>
  new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]))

export const fileOf = ({ options, files }: Context, name: string) => {
  const writer = writeFrames(join(options.dir, name))
  return { write: writer.write, end: () => void (files[name] = writer.end()) }
}

const rawHead = ({ key, headers }: ReadRecord): Buffer =>
  Buffer.from(
    JSON.stringify({
      key: key?.toString('base64') ?? '',
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(String(value)).toString('base64')])),
    }),
  )

/** Records of a topic of one partition, or more, from offsets on, as they are. */
export const keepRaw = async (
  context: Context,
  kind: TopicKind,
  partitions: number,
  fileName: (partition: number) => string,
  from: (partition: number) => number,
) => {
  const topic = topicNames(context.options.prefix)[kind]
  const ends = await endsOf(context.admin, topic)
  const reader = await context.reader(kind, partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const { low, high } = ends.get(partition) ?? { low: 0, high: 0 }
    const file = fileOf(context, fileName(partition))
    await scanRange(reader, { topic, partition, from: Math.max(low, from(partition)), to: high }, (messages) => {
      for (const message of messages) if (message.key !== null) file.write(rawHead(message), message.value)
    })
    file.end()
  }
  return Math.max(...[...ends.values()].map(({ high }) => high))
}

/** What no recorder has told to have stored. Returns the highest end. */
export const keepOutbox = async (context: Context, partitions: ReadonlyMap<TopicKind, number>): Promise<number> => {
  const { admin, options, bases } = context
  let end = 0
  for (const [kind, topics] of OUTBOX) {
    const name = topicNames(options.prefix)[kind]
    const cursors = await Promise.all(
      topics.map((topic) => admin.fetchOffsets({ groupId: groupOf(options.prefix, 'recorder', topic), topics: [name] })),
    )
    const cursorOf = (lane: number): number =>
      Math.min(...cursors.map(([found]) => Math.max(0, Number(found?.partitions.find(({ partition }) => partition === lane)?.offset ?? 0))))
    end = Math.max(end, await keepRaw(context, kind, partitions.get(kind) ?? 1, (lane) => FILES.outbox(kind, lane), cursorOf))
  }
  return end + bases.outbox
}
