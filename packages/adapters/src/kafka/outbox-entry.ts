import type { OutboxEntry, Topic } from '@plumbline/schemas'
import type { ReadRecord } from './record.ts'
import type { TopicKind } from './topics.ts'

/** Where entries of an outbox topic are: the Kafka topic, and how their keys begin there (codec.ts). */
export const PLACES: Readonly<Record<Topic, { readonly kind: TopicKind; readonly prefix: string }>> = {
  scored: { kind: 'scored', prefix: 'r:' },
  alerts: { kind: 'alerts', prefix: 'a:' },
  capsules: { kind: 'alerts', prefix: 'k:' },
  incidents: { kind: 'alerts', prefix: 'i:' },
  'dead-letters': { kind: 'dead-letters', prefix: 'd:' },
  feedback: { kind: 'feedback', prefix: 'f:' },
  releases: { kind: 'audit', prefix: 'l:' },
  audit: { kind: 'audit', prefix: 'u:' },
}

const NOTHING = Buffer.alloc(0)
const COLON = 58

/** Keys begin with one ASCII letter and a colon. */
const begins = (key: Buffer | null, prefix: string): boolean =>
  key !== null && key.length >= 2 && key[0] === prefix.charCodeAt(0) && key[1] === COLON

const numberIn = ({ headers }: ReadRecord, name: string, absent: number): number => {
  const header = headers[name]
  const value = header === undefined ? Number.NaN : Number(header.toString() || Number.NaN)
  return Number.isFinite(value) ? value : absent
}

/** A record as an entry of the topic; undefined when it is another topic's in the same Kafka topic, or nobody's. */
export const toEntry = (topic: Topic, message: ReadRecord): OutboxEntry | undefined => {
  if (!begins(message.key, PLACES[topic].prefix)) return undefined
  const firstOffset = numberIn(message, 'offset', 0)
  return {
    topic,
    sequence: message.offset + 1,
    shard: numberIn(message, 'shard', 0),
    firstOffset,
    lastOffset: numberIn(message, 'last-offset', firstOffset),
    rows: numberIn(message, 'rows', 1),
    schemaVersion: numberIn(message, 'schema-version', 1),
    payload: message.value ?? NOTHING,
  }
}
