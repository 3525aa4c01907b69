import type { Outbox } from '@plumbline/detector'
import { OutboxTrimmed } from '@plumbline/schemas'
import type { KafkaOutbox } from './outbox.ts'

/**
 * What is added to offsets of the topics to get positions and sequences. A deployment that began with its topics has none. One
 * that was restored or repartitioned into new topics goes on counting where the former ones ended: positions in rows, alerts
 * and capsules, and the order of sequences, stay one history (docs/adr/0016).
 */
export interface Bases {
  /** Per shard, of events. */
  readonly events: readonly number[]
  /** Of all lanes of the outbox. */
  readonly outbox: number
}

export const NO_BASES: Bases = { events: [], outbox: 0 }

export const eventBase = ({ events }: Bases, shard: number): number => events[shard] ?? 0

/** The outbox with sequences that begin behind `base`. */
export const shiftOutbox = (outbox: KafkaOutbox, base: number): KafkaOutbox => {
  if (base === 0) return outbox
  const raw = (sequence: number): number => Math.max(0, sequence - base)
  const shifted: Omit<Outbox, 'lanes' | 'onEntries' | 'register' | 'leave'> = {
    read: async (topic, after, maxBytes, through = Number.POSITIVE_INFINITY, lane = 0) => {
      try {
        const entries = await outbox.read(topic, raw(after), maxBytes, raw(through), lane)
        return entries.map((entry) => ({ ...entry, sequence: entry.sequence + base }))
      } catch (error) {
        if (error instanceof OutboxTrimmed) throw new OutboxTrimmed(topic, lane, error.firstLost + base, error.firstThere + base)
        throw error
      }
    },
    head: (topic, lane) => outbox.head(topic, lane) + base,
    end: async (topic, lane) => (await outbox.end(topic, lane)) + base,
    lag: (topic, after, lane) => outbox.lag(topic, raw(after), lane),
    passed: (topic, after, lane) => outbox.passed(topic, raw(after), lane) + base,
    cursor: async (consumer, topic, lane) => {
      const at = await outbox.cursor(consumer, topic, lane)
      return at === 0 ? 0 : at + base
    },
    advance: (consumer, topic, sequence, lane) => outbox.advance(consumer, topic, raw(sequence), lane),
  }
  return { ...outbox, ...shifted }
}
