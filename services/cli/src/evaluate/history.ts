import { FEATURE_COUNT, SCORED_FLAGS } from '@plumbline/schemas'
import type { ScoredRow } from './row-binary.ts'

/** First statistics-only release of a tenant, in events; the next ones follow at each doubling. */
const FIRST_STATISTICS = 500
/** Share of the history that training wants to have been scored with peer statistics in force. */
const TRAINING_SHARE = 1 / 3
/** Vectors kept at most; the older half goes first. 100 MB. */
const MOST_ROWS = 400_000
const NOT_KEPT = SCORED_FLAGS.late | SCORED_FLAGS.duplicate

/** Vectors one after the other, and per row 1 where the event alerted. */
export interface TrainingRows {
  readonly rows: Float32Array
  readonly alerted: Uint8Array
}

/** What training needs of one tenant's history: the vectors as they were when scored, and when statistics were released. */
export class History {
  readonly identities = new Set<string>()
  fromTime = Number.POSITIVE_INFINITY
  toTime = 0
  events = 0
  #vectors = new Float32Array(FEATURE_COUNT * 1024)
  #alerted = new Uint8Array(1024)
  #rows = 0
  /** Rows kept when each release took effect. */
  #releasedAt: number[] = []
  #nextRelease = FIRST_STATISTICS

  add(row: ScoredRow): void {
    this.events++
    this.identities.add(row.identity)
    this.fromTime = Math.min(this.fromTime, row.event_time)
    this.toTime = Math.max(this.toTime, row.event_time)
    if ((row.flags & NOT_KEPT) !== 0) return
    if (this.#rows >= MOST_ROWS) this.#dropOlderHalf()
    if ((this.#rows + 1) * FEATURE_COUNT > this.#vectors.length) {
      const larger = new Float32Array(this.#vectors.length * 2)
      larger.set(this.#vectors)
      this.#vectors = larger
      const longer = new Uint8Array(this.#alerted.length * 2)
      longer.set(this.#alerted)
      this.#alerted = longer
    }
    this.#alerted[this.#rows] = (row.flags & SCORED_FLAGS.alerted) === 0 ? 0 : 1
    this.#vectors.set(row.features, this.#rows++ * FEATURE_COUNT)
  }

  /** True when statistics of peers and everyone are due: without them a vector says nothing of peers. */
  get statisticsDue(): boolean {
    return this.events >= this.#nextRelease
  }

  /** Sequence of the next release; counts up. */
  get sequence(): number {
    return this.#releasedAt.length + 1
  }

  released(): void {
    this.#releasedAt.push(this.#rows)
    while (this.#nextRelease <= this.events) this.#nextRelease *= 2
  }

  get all(): TrainingRows {
    return this.#from(0)
  }

  /** Rows scored under the newest statistics that leave enough of them; all where there never were any. */
  get forTraining(): TrainingRows {
    return this.#from(this.#releasedAt.findLast((at) => this.#rows - at >= this.#rows * TRAINING_SHARE) ?? 0)
  }

  #dropOlderHalf(): void {
    const half = this.#rows >> 1
    this.#vectors.copyWithin(0, half * FEATURE_COUNT, this.#rows * FEATURE_COUNT)
    this.#alerted.copyWithin(0, half, this.#rows)
    this.#rows -= half
    this.#releasedAt = this.#releasedAt.map((at) => Math.max(0, at - half))
  }

  #from(row: number): TrainingRows {
    return {
      rows: this.#vectors.subarray(row * FEATURE_COUNT, this.#rows * FEATURE_COUNT),
      alerted: this.#alerted.subarray(row, this.#rows),
    }
  }

  /** Over all identities; at least a quarter of a day counts. */
  get eventsPerDay(): number {
    return this.events / Math.max(0.25, (this.toTime - this.fromTime) / 86_400_000)
  }
}
