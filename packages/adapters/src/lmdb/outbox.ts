import type { Outbox } from '@plumbline/detector'
import { type OutboxEntry, TOPICS, type Topic } from '@plumbline/schemas'
import { decodeEntry, outboxKey, rowsOf, rowsSoFarOf, sequenceOf } from './codec.ts'
import { type Environment, kvKey } from './environment.ts'
import { type Heads, keepHead, topicNumber } from './staging.ts'
import type { Writer } from './writer.ts'

/** The outbox of the embedded log: one lane per topic, sequences without gaps over all shards. */
export interface EmbeddedOutbox extends Outbox {
  unregister(consumer: string): Promise<void>
  /** Removes what all consumers have passed; a topic without consumers keeps everything. Returns how many entries went. */
  trim(limit?: number): Promise<number>
}

const cursorKey = (topic: Topic, consumer: string): Buffer => kvKey(`cursor:${topic}:${consumer}`)
const sequenceValue = (sequence: number): Buffer => Buffer.from(String(sequence))

export const createOutbox = (env: Environment, heads: Heads, writer: Writer): EmbeddedOutbox => {
  const cursors = (topic: Topic): number[] => {
    const prefix = `cursor:${topic}:`
    return [...env.kv.getRange({ start: kvKey(prefix), end: kvKey(`cursor:${topic};`) })].map(({ value }) => Number(value.toString()))
  }

  /** Rows of the topic up to a sequence, also when that entry has been trimmed. */
  const rowsUpTo = (topic: Topic, sequence: number): number => {
    const reached = env.outbox.getBinaryFast(outboxKey(topicNumber(topic), sequence))
    if (reached !== undefined) return rowsSoFarOf(reached)
    const next = env.outbox.getBinaryFast(outboxKey(topicNumber(topic), sequence + 1))
    return next === undefined ? 0 : rowsSoFarOf(next) - rowsOf(next)
  }

  const trimTopic = (topic: Topic, limit: number): Promise<number> =>
    writer.run({
      bytes: 0,
      apply() {
        const passed = cursors(topic)
        if (passed.length === 0) return 0
        const number = topicNumber(topic)
        const upTo = Math.min(...passed, heads.topic(topic).sequence)
        const keys = [...env.outbox.getKeys({ start: outboxKey(number, 0), end: outboxKey(number, upTo + 1), limit })]
        if (keys.length > 0) keepHead(env, topic, heads.topic(topic))
        for (const key of keys) env.outbox.removeSync(key)
        return keys.length
      },
    })

  return {
    lanes: () => 1,
    async read(topic, after, maxBytes, through = Number.POSITIVE_INFINITY) {
      const number = topicNumber(topic)
      const entries: OutboxEntry[] = []
      let bytes = 0
      const last = Math.min(through, heads.topic(topic).sequence)
      for (const { key, value } of env.outbox.getRange({ start: outboxKey(number, after + 1), end: outboxKey(number, last + 1) })) {
        bytes += value.length
        if (entries.length > 0 && bytes > maxBytes) break
        entries.push({ topic, sequence: sequenceOf(key), ...decodeEntry(value) })
      }
      return entries
    },
    onEntries: (listener) => heads.onGrown((_, topics) => topics.length > 0 && listener(topics)),
    head: (topic) => heads.topic(topic).sequence,
    end: async (topic) => heads.topic(topic).sequence,
    lag(topic, after) {
      const head = heads.topic(topic)
      if (after >= head.sequence) return { entries: 0, rows: 0 }
      const rowsBefore = rowsUpTo(topic, after)
      return { entries: head.sequence - after, rows: head.rows - rowsBefore }
    },
    passed(topic, after) {
      const number = topicNumber(topic)
      const head = heads.topic(topic).sequence
      if (after >= head) return after
      const [next] = env.outbox.getKeys({ start: outboxKey(number, after + 1), end: outboxKey(number, head + 1), limit: 1 })
      return next === undefined ? head : sequenceOf(next) - 1
    },
    leave() {},
    register: (consumer, topics) =>
      writer.run({
        bytes: 0,
        apply() {
          for (const topic of topics)
            if (env.kv.get(cursorKey(topic, consumer)) === undefined) env.kv.putSync(cursorKey(topic, consumer), sequenceValue(0))
        },
      }),
    unregister: (consumer) =>
      writer.run({
        bytes: 0,
        apply() {
          for (const topic of TOPICS) env.kv.removeSync(cursorKey(topic, consumer))
        },
      }),
    cursor: async (consumer, topic) => Number(env.kv.get(cursorKey(topic, consumer))?.toString() ?? 0),
    advance: (consumer, topic, sequence) =>
      writer.run({
        bytes: 0,
        apply() {
          const known = Number(env.kv.get(cursorKey(topic, consumer))?.toString() ?? 0)
          if (sequence > known) env.kv.putSync(cursorKey(topic, consumer), sequenceValue(sequence))
        },
      }),
    async trim(limit = 2_000) {
      let removed = 0
      for (const topic of TOPICS) {
        let last: number
        do removed += last = await trimTopic(topic, limit)
        while (last === limit)
      }
      return removed
    },
  }
}
