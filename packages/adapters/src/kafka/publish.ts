import { type Alert, type AlertCapsule, type DeadLetter, PlumblineError, type Topic, type TopicRecord } from '@plumbline/schemas'
import type { Message } from 'kafkajs'
import { alertMessage, capsuleMessage, json, letterMessage, positionHeaders } from './codec.ts'
import { PLACES } from './outbox-entry.ts'
import { sizeOf } from './requests.ts'
import { LARGE, MAX_RECORD_BYTES, type TopicKind, type TopicNames } from './topics.ts'
import type { TopicParts } from './transactor.ts'

/** What topics of small records take: a broker's default for one record, less some room for its batch. */
const MAX_SMALL_BYTES = 1_000_000

/** Refuses a record that its topic does not take, before it is part of a transaction with others. */
export const checkSizes = (kind: TopicKind, messages: readonly Message[]): void => {
  const limit = LARGE.includes(kind) ? MAX_RECORD_BYTES : MAX_SMALL_BYTES
  const large = messages.map((message) => sizeOf(message)).find((size) => size > limit)
  if (large !== undefined)
    throw new PlumblineError('RECORD_TOO_LARGE', `A record of ${large} bytes for ${kind} is above the limit of ${limit}.`)
}

/** Rows without a position in a shard. */
const row = (key: string, value: unknown): Message => ({ key, value: json(value), headers: positionHeaders(0, 0) })

/** What was refused at the door has no position: a negative one is told as 0. */
const letter = (value: DeadLetter): Message => letterMessage(Math.max(0, value.shard), value)

const messageOf = (topic: Topic, value: unknown): Message => {
  if (topic === 'dead-letters') return letter(value as DeadLetter)
  if (topic === 'alerts') return alertMessage(0, value as Alert)
  if (topic === 'capsules') return capsuleMessage(0, value as AlertCapsule)
  if (topic === 'feedback') return row(`f:${(value as TopicRecord['feedback']).alertId}`, value)
  if (topic === 'releases') return row(`l:${(value as TopicRecord['releases']).releaseId}`, value)
  if (topic === 'incidents') return row(`i:${(value as TopicRecord['incidents']).id}`, value)
  if (topic === 'audit') return row(`u:${(value as TopicRecord['audit']).action}`, value)
  throw new PlumblineError('TOPIC_NOT_PUBLISHABLE', 'Scored rows are stored by the worker that scored them, and not published.')
}

/** Records of JSON rows of one topic. Error: RECORD_TOO_LARGE. */
export const publishedParts = (topic: Topic, values: readonly unknown[], names: TopicNames): TopicParts => {
  const messages = values.map((value) => ({ ...messageOf(topic, value), partition: 0 }))
  const { kind } = PLACES[topic]
  checkSizes(kind, messages)
  return new Map(messages.length === 0 ? [] : [[names[kind], messages]])
}
