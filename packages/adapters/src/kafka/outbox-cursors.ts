import type { Topic } from '@plumbline/schemas'
import type { Admin } from 'kafkajs'
import { kafkaError } from './client.ts'
import { PLACES } from './outbox-entry.ts'
import type { TopicNames } from './topics.ts'

/** How far consumers of the outbox are, as offsets of groups: for lag tools, and as a place to begin where nothing better is known. */
export interface Cursors {
  read(consumer: string, topic: Topic, lane: number): Promise<number>
  /** Told to the broker soon, and at most once a second per lane; a failure is tried again with the next. */
  advance(consumer: string, topic: Topic, lane: number, sequence: number): void
  /** Tells the broker what it has not heard yet. */
  flush(): Promise<void>
}

const EVERY_MS = 1_000

/** Two outbox topics may share a Kafka topic, and a group has one offset per partition: the second one has a group of its own. */
export const groupOf = (prefix: string, consumer: string, topic: Topic): string =>
  topic === PLACES[topic].kind ? `${prefix}.${consumer}` : `${prefix}.${consumer}.${topic}`

interface Place {
  readonly groupId: string
  readonly topic: string
  readonly offsets: Map<number, number>
}

export const createCursors = (admin: Admin, names: TopicNames, prefix: string): Cursors => {
  const known = new Map<string, number>()
  let waiting = new Map<string, Place>()
  let timer: NodeJS.Timeout | undefined
  let flushing: Promise<void> = Promise.resolve()

  const tell = async (places: ReadonlyMap<string, Place>): Promise<void> => {
    for (const [id, { groupId, topic, offsets }] of places) {
      const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
      try {
        await admin.commitOffsets({ groupId, topic, partitions })
      } catch {
        // Not lost: what came later stands, the rest is told with the next.
        const later = waiting.get(id)
        waiting.set(id, { groupId, topic, offsets: new Map([...offsets, ...(later?.offsets ?? [])]) })
      }
    }
  }
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const now = waiting
    waiting = new Map()
    flushing = flushing.then(() => tell(now))
    return flushing
  }

  return {
    async read(consumer, topic, lane) {
      const groupId = groupOf(prefix, consumer, topic)
      const found = await admin.fetchOffsets({ groupId, topics: [names[PLACES[topic].kind]] }).catch((error: unknown) => {
        throw kafkaError('KAFKA_UNREACHABLE', `The offsets of ${groupId} are not known.`, error)
      })
      const offset = Number(found[0]?.partitions.find(({ partition }) => partition === lane)?.offset ?? -1)
      return Math.max(0, offset, known.get(`${topic} ${lane} ${groupId}`) ?? 0)
    },
    advance(consumer, topic, lane, sequence) {
      const groupId = groupOf(prefix, consumer, topic)
      const id = `${topic} ${lane} ${groupId}`
      if (sequence <= (known.get(id) ?? 0)) return
      known.set(id, sequence)
      const name = names[PLACES[topic].kind]
      const place = waiting.get(`${groupId} ${name}`) ?? { groupId, topic: name, offsets: new Map<number, number>() }
      place.offsets.set(lane, sequence)
      waiting.set(`${groupId} ${name}`, place)
      timer ??= setTimeout(() => void flush(), EVERY_MS).unref()
    },
    flush,
  }
}
