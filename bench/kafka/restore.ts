import { createHash } from 'node:crypto'
import { type KafkaLog, openKafkaLog, type TakeOver } from '@plumbline/adapters/kafka'
import type { SlotWrite } from '@plumbline/detector'
import type { Corpus } from '../lib/corpus.ts'
import { Recorder } from '../lib/corpus.ts'
import { drive, noTotals, openDetector } from '../lib/drive.ts'
import type { TrainedRelease } from '../lib/release.ts'
import type { Table } from '../lib/result.ts'
import { type BenchBroker, benchPrefix, removeTopics } from './broker.ts'
import { ensureBenchTopics } from './topics.ts'

const SHARDS = 8
const PER_COMMIT = 200

/** Packed slots as a worker writes them, of identities with a few weeks behind them. */
const slotsOf = (corpus: Corpus, release: TrainedRelease): Uint8Array[] => {
  const recorder = new Recorder(corpus, 1)
  const detector = openDetector(1, [release], corpus.identities.length)
  const latest = new Map<string, Uint8Array>()
  const keep = (slots: readonly SlotWrite[]): void => {
    for (const { key, bytes } of slots) latest.set(Buffer.from(key).toString('hex'), bytes.slice())
  }
  drive(detector, recorder.take(0, corpus.count), 2_000, noTotals(), ({ slots }) => keep(slots))
  return [...latest.values()]
}

const keyOf = (n: number): Uint8Array => createHash('sha256').update(String(n)).digest().subarray(0, 8)

/** State of `identities` identities, spread over the shards, written as chunks of a worker. */
const writeState = async (log: KafkaLog, identities: number, slots: readonly Uint8Array[]): Promise<number> => {
  let bytes = 0
  for (let shard = 0; shard < SHARDS; shard++) {
    await log.acquire(shard)
    const mine = Array.from({ length: Math.ceil((identities - shard) / SHARDS) }, (_, i) => shard + i * SHARDS)
    for (let i = 0, next = 1; i < mine.length; i += PER_COMMIT, next++) {
      const writes = mine.slice(i, i + PER_COMMIT).map((n) => ({ key: keyOf(n), bytes: slots[n % slots.length]! }))
      bytes += writes.reduce((sum, { bytes: b }) => sum + b.length, 0)
      await log.commit([{ shard, nextOffset: next, slots: writes, meta: [], scored: null, alerts: [], capsules: [], deadLetters: [] }])
    }
  }
  return bytes
}

export interface Restored {
  readonly identities: number
  readonly seconds: number
  readonly bytes: number
}

/** One worker takes over all shards, one after the other, as after the loss of every other. */
const restore = async (broker: BenchBroker, identities: number, slots: readonly Uint8Array[]): Promise<Restored> => {
  const prefix = benchPrefix()
  await ensureBenchTopics(broker, prefix, SHARDS)
  const writer = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS })
  const bytes = await writeState(writer, identities, slots)
  await writer.close()
  const taken: TakeOver[] = []
  const reader = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS, onAcquired: (t) => taken.push(t) })
  const begun = performance.now()
  for (let shard = 0; shard < SHARDS; shard++) await reader.acquire(shard)
  const seconds = (performance.now() - begun) / 1000
  const records = taken.reduce((sum, t) => sum + t.records, 0)
  if (records < identities) throw new Error(`${records} state records were read for ${identities} identities.`)
  await reader.close()
  await removeTopics(broker.admin, prefix)
  return { identities, seconds, bytes }
}

/** Take-over of the whole state by one process, for each size. */
export const restoreTimes = async (
  broker: BenchBroker,
  corpus: Corpus,
  release: TrainedRelease,
  sizes: readonly number[],
): Promise<{ readonly measured: readonly Restored[]; readonly table: Table }> => {
  const slots = slotsOf(corpus, release)
  const measured: Restored[] = []
  for (const size of sizes) {
    process.stderr.write(`restoring ${size} identities …\n`)
    measured.push(await restore(broker, size, slots))
  }
  return {
    measured,
    table: {
      title: 'Take-over of the whole state by one worker',
      columns: ['identities', 'state, MB', 'seconds', 'MB/s'],
      rows: measured.map(({ identities, bytes, seconds }) => [
        identities,
        Math.round(bytes / 1e6),
        seconds.toFixed(2),
        Math.round(bytes / 1e6 / seconds),
      ]),
      notes: [
        `${SHARDS} shards, one after the other; slots as a worker packs them (${Math.round(slots.reduce((s, b) => s + b.length, 0) / slots.length)} bytes on average).`,
      ],
    },
  }
}
