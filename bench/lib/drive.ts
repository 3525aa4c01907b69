import { createHash } from 'node:crypto'
import { type ChunkCommit, Detector, type LogRecord, type SlotSource } from '@plumbline/detector'
import { CONFIG, MASTER_KEY, type TrainedRelease } from './release.ts'

const NO_SLOTS: SlotSource = { load: () => -1 }

export const openDetector = (
  shards: number,
  release: TrainedRelease,
  residentSlots: number,
  slots: SlotSource = NO_SLOTS,
  masterKey = MASTER_KEY,
): Detector => {
  const detector = new Detector({
    config: { ...CONFIG, shards },
    masterKey,
    slots,
    releases: { artifact: (_id, sha256) => (sha256 === release.sha256 ? release.bytes : undefined) },
    residentSlots,
    topic: 'bench',
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

/** Hash of the outbox: scored rows of each shard one after the other, alerts beside them. Chunk borders leave no trace. */
export class OutboxDigest {
  readonly #rows: ReturnType<typeof createHash>[]
  readonly #alerts: ReturnType<typeof createHash>[]

  constructor(shards: number) {
    this.#rows = Array.from({ length: shards }, () => createHash('sha256'))
    this.#alerts = Array.from({ length: shards }, () => createHash('sha256'))
  }

  readonly add = (commit: ChunkCommit): void => {
    if (commit.scored !== null) this.#rows[commit.shard]!.update(commit.scored.bytes)
    for (const alert of commit.alerts) this.#alerts[commit.shard]!.update(`${JSON.stringify(alert)}\n`)
  }

  get hex(): string {
    const all = createHash('sha256')
    for (const h of [...this.#rows, ...this.#alerts]) all.update(h.digest())
    return all.digest('hex')
  }
}
