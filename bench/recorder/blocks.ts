import { ensureDeployment, openKafkaLog, openKafkaValues } from '@plumbline/adapters/kafka'
import type { ScoredBlock } from '@plumbline/detector'
import { type BenchBroker, benchPrefix } from '../kafka/broker.ts'
import { ensureBenchTopics } from '../kafka/topics.ts'
import { Recorder, corpusOf } from '../lib/corpus.ts'
import { drive, noTotals, openDetector } from '../lib/drive.ts'

/** Shards, and lanes of the outbox. */
export const LANES = 4

const CORPUS = { seed: 43, identities: 2_000, days: 10, eventsPerIdentityDay: 24, peerGroups: false, arguments: false } as const
const SLOTS = 20_000

export interface Blocks {
  /** Per lane, in order. */
  readonly lanes: readonly (readonly ScoredBlock[])[]
  readonly rows: number
  readonly bytes: number
}

/** What the detector writes of a generated company: statistics alone score, as before a first training. */
export const blocksOf = (events: number, chunk: number): Blocks => {
  const corpus = corpusOf(CORPUS)
  const reader = new Recorder(corpus, LANES)
  const perShard = reader.take(0, Math.min(events, corpus.count))
  const lanes: ScoredBlock[][] = Array.from({ length: LANES }, () => [])
  const totals = noTotals()
  drive(openDetector(LANES, [], SLOTS), perShard, chunk, totals, ({ shard, scored }) => {
    // Its bytes are the detector's until the next chunk.
    if (scored !== null) lanes[shard]!.push({ ...scored, bytes: Buffer.from(scored.bytes) })
  })
  return { lanes, rows: totals.rows, bytes: totals.scoredBytes }
}

/** Stores the blocks as workers do, one chunk one transaction. Returns the prefix of the topics. */
export const publishBlocks = async ({ brokers, ...broker }: BenchBroker, { lanes }: Blocks): Promise<string> => {
  const prefix = benchPrefix()
  await ensureBenchTopics({ brokers, ...broker }, prefix, LANES)
  const values = await openKafkaValues({ brokers }, { prefix })
  await ensureDeployment(values, { shards: LANES, masterKey: Buffer.alloc(32, 1) })
  await values.close()
  const log = await openKafkaLog({ brokers }, { prefix, shards: LANES, compression: 'zstd' })
  try {
    await Promise.all(
      lanes.map(async (blocks, shard) => {
        await log.acquire(shard)
        for (const scored of blocks)
          await log.commit([
            { shard, nextOffset: scored.lastOffset + 1, slots: [], meta: [], scored, alerts: [], capsules: [], deadLetters: [] },
          ])
      }),
    )
  } finally {
    await log.close()
  }
  return prefix
}
