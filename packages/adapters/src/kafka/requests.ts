import type { ChunkCommit } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Message, TopicMessages } from 'kafkajs'
import { MAX_RECORD_BYTES } from './topics.ts'

/** kafkajs sends what it is given in one request, and brokers refuse more than about 1 MB of small records at once. */
export const MAX_REQUEST_BYTES = 512 * 1024

/** Most of what a record's lengths, delta and its share of the batch header take. */
const OVERHEAD = 40

const lengthOf = (part: unknown): number =>
  part === null || part === undefined ? 0 : typeof part === 'string' ? Buffer.byteLength(part) : (part as Uint8Array).length

export const sizeOf = ({ key, value, headers = {} }: Message): number =>
  OVERHEAD +
  lengthOf(key) +
  lengthOf(value) +
  Object.entries(headers).reduce((sum, [name, content]) => sum + name.length + lengthOf(content) + 4, 0)

const checkSize = (topic: string, size: number): void => {
  if (size > MAX_RECORD_BYTES)
    throw new PlumblineError('RECORD_TOO_LARGE', `A record of ${size} bytes for ${topic} is above the limit of ${MAX_RECORD_BYTES}.`)
}

const LARGE = MAX_RECORD_BYTES / 2
/** The commit with that of its state which may be too large for a record: a chunk has hundreds of slots, and all of them are small. */
export const largeParts = (commit: ChunkCommit): ChunkCommit => {
  const isLarge = ({ bytes }: { readonly bytes: Uint8Array }): boolean => bytes.length > LARGE
  return { ...commit, slots: commit.slots.filter(isLarge), meta: commit.meta.filter(isLarge) }
}

/** Error: RECORD_TOO_LARGE. */
export const checkSizes = (topics: readonly { readonly topic: string; readonly messages: readonly Message[] }[]): void => {
  for (const { topic, messages } of topics) for (const message of messages) checkSize(topic, sizeOf(message))
}

/**
 * Cuts messages of several topics into requests of at most `limit` bytes, in order. A larger record travels alone; one above
 * MAX_RECORD_BYTES is refused: no topic takes it.
 */
export const cutRequests = (
  topics: readonly { readonly topic: string; readonly messages: readonly Message[] }[],
  limit = MAX_REQUEST_BYTES,
): TopicMessages[][] => {
  const requests: TopicMessages[][] = []
  let request: TopicMessages[] = []
  let bytes = 0
  for (const { topic, messages } of topics) {
    for (const message of messages) {
      const size = sizeOf(message)
      checkSize(topic, size)
      if (bytes > 0 && bytes + size > limit) {
        requests.push(request)
        request = []
        bytes = 0
      }
      bytes += size
      const last = request.at(-1)
      if (last?.topic === topic) last.messages.push(message)
      else request.push({ topic, messages: [message] })
    }
  }
  if (bytes > 0) requests.push(request)
  return requests
}
