import { type ChunkCommit, Detector, type LogRecord, type SlotSource } from '@plumbline/detector'
import { CONFIG, MASTER_KEY, type TrainedRelease } from './release.ts'

const NO_SLOTS: SlotSource = { load: () => -1 }

/** Whose log it stands in for: alerts are named by key and topic. */
export interface LogName {
  readonly masterKey: Uint8Array
  readonly topic: string
}

const BENCH_LOG: LogName = { masterKey: MASTER_KEY, topic: 'bench' }

export const openDetector = (
  shards: number,
  releases: readonly TrainedRelease[],
  residentSlots: number,
  slots: SlotSource = NO_SLOTS,
  { masterKey, topic }: LogName = BENCH_LOG,
): Detector => {
  const detector = new Detector({
    config: { ...CONFIG, shards },
    masterKey,
    slots,
    releases: { artifact: (_id, sha256) => releases.find((release) => release.sha256 === sha256)?.bytes },
    residentSlots,
    topic,
  })
  for (let shard = 0; shard < shards; shard++) detector.open(shard, { nextOffset: 0, meta: new Map() })
  return detector
}

export interface Totals {
  rows: number
  alerts: number
  rejected: number
  scoredBytes: number
  slots: number
  slotBytes: number
}

export const noTotals = (): Totals => ({ rows: 0, alerts: 0, rejected: 0, scoredBytes: 0, slots: 0, slotBytes: 0 })

const add = (t: Totals, c: ChunkCommit): void => {
  t.rows += c.scored?.rows ?? 0
  t.scoredBytes += c.scored?.bytes.length ?? 0
  t.alerts += c.alerts.length
  t.rejected += c.deadLetters.length
  t.slots += c.slots.length
  for (const s of c.slots) t.slotBytes += s.bytes.length
}

/** Feeds records in chunks and settles each, as a worker does once the commit is stored. */
export const drive = (
  detector: Detector,
  perShard: readonly (readonly LogRecord[])[],
  chunk: number,
  totals: Totals,
  onCommit?: (commit: ChunkCommit) => void,
): void => {
  for (let shard = 0; shard < perShard.length; shard++) {
    const records = perShard[shard]!
    for (let i = 0; i < records.length; i += chunk) {
      const commit = detector.process(shard, records.slice(i, i + chunk))
      add(totals, commit)
      onCommit?.(commit)
      detector.settle(shard)
    }
  }
}
