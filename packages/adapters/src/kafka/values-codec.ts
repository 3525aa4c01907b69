import { randomUUID } from 'node:crypto'
import type { Message } from 'kafkajs'
import type { ReadRecord } from './record.ts'
import { sizeOf } from './requests.ts'
import { MAX_RECORD_BYTES, type TopicNames } from './topics.ts'

const VALUE = 'v:'
const PART = 'p:'
/** Header of every record of one `put`: its name and how many records it has. A copy takes them all at once. */
const PUT = 'put'
/** Headers of a value in parts: how many, and the name that its parts carry as well. */
const PARTS = 'parts'
const OF = 'of'

/** A value that does not fit into one record is cut into pieces of this size. */
export const PART_BYTES = 4 * 1024 * 1024

/** Releases are large and few; everything else is small. */
export const topicOfValue = (name: string, { models, values }: TopicNames): string => (name.startsWith('release:') ? models : values)

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** Records of one value, its own last; `former` parts of a longer one are removed. null removes the value. */
const messagesOf = (name: string, bytes: Uint8Array | null, former: number): Message[] => {
  const key = `${VALUE}${name}`
  const part = (i: number) => `${PART}${i}:${name}`
  const removed = (from: number): Message[] =>
    Array.from({ length: Math.max(0, former - from) }, (_, i) => ({ partition: 0, key: part(from + i), value: null }))
  if (bytes === null) return [...removed(0), { partition: 0, key, value: null }]
  const whole = { partition: 0, key, value: view(bytes) }
  // A put's own headers come on top.
  if (sizeOf(whole) + 256 <= MAX_RECORD_BYTES) return [...removed(0), whole]
  const of = randomUUID()
  const count = Math.ceil(bytes.length / PART_BYTES)
  const parts = Array.from({ length: count }, (_, i) => ({
    partition: 0,
    key: part(i),
    value: view(bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES)),
    headers: { [OF]: of },
  }))
  return [...parts, ...removed(count), { partition: 0, key, value: Buffer.alloc(0), headers: { [OF]: of, [PARTS]: String(count) } }]
}

/** Records of one `put`, per topic. `partsOf` says in how many parts the present value of a name is. */
export const putMessages = (
  values: Readonly<Record<string, Uint8Array | null>>,
  names: TopicNames,
  partsOf: (name: string) => number,
): Map<string, Message[]> => {
  const parts = new Map<string, Message[]>()
  for (const [name, bytes] of Object.entries(values)) {
    const topic = topicOfValue(name, names)
    parts.set(topic, [...(parts.get(topic) ?? []), ...messagesOf(name, bytes, partsOf(name))])
  }
  const count = [...parts.values()].flat().length
  if (count === 1) return parts
  const put = `${randomUUID()}:${count}`
  return new Map([...parts].map(([topic, messages]) => [topic, messages.map((m) => ({ ...m, headers: { ...m.headers, [PUT]: put } }))]))
}

/** What a record of the topics of values says; undefined for what this build does not know. */
export type ValueRecord =
  | { readonly kind: 'value'; readonly name: string; readonly bytes: Buffer | null; readonly parts: number; readonly of: string }
  | { readonly kind: 'part'; readonly name: string; readonly bytes: Buffer | null; readonly index: number; readonly of: string }

export const readValue = ({ key, value, headers }: ReadRecord): ValueRecord | undefined => {
  const text = key?.toString() ?? ''
  const of = headers[OF]?.toString() ?? ''
  if (text.startsWith(VALUE)) return { kind: 'value', name: text.slice(2), bytes: value, parts: Number(headers[PARTS] ?? 0), of }
  if (!text.startsWith(PART)) return undefined
  const at = text.indexOf(':', 2)
  return { kind: 'part', name: text.slice(at + 1), bytes: value, index: Number(text.slice(2, at)), of }
}

/** Name and size of the put that a record belongs to; undefined for one alone. */
export const putOf = ({ headers }: ReadRecord): { readonly name: string; readonly count: number } | undefined => {
  const [name, count] = headers[PUT]?.toString().split(':') ?? []
  return name === undefined || count === undefined ? undefined : { name, count: Number(count) }
}
