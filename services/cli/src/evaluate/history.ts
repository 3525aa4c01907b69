import { FEATURE_COUNT, SCORED_FLAGS } from '@plumbline/schemas'
import type { ScoredRow } from '@plumbline/detector/replay'
import { alertedAs } from '@plumbline/training'

/** First statistics-only release of a tenant, in events; the next ones follow at each doubling. */
const FIRST_STATISTICS = 500
/** Share of the history that training wants to have been scored with peer statistics in force. */
const TRAINING_SHARE = 1 / 3
/** Vectors kept at most; the older half goes first. 100 MB. */
const MOST_ROWS = 400_000
const NOT_KEPT = SCORED_FLAGS.late | SCORED_FLAGS.duplicate

/** What training reads of each row. */
export interface TrainingRows {
  /** Feature vectors one after the other. */
  readonly rows: Float32Array
  /** How each event alerted; see `alertedAs`. */
  readonly alerted: Uint8Array
  /** The group an alert on it would join: equal numbers, equal group. */
  readonly groups: Uint32Array
}

const HOUR_MS = 3_600_000

/** Group of a row as alerts are grouped: identity and session, else identity and hour. FNV-1a; chance collisions do not matter. */
const groupOf = ({ identity, session, event_time }: ScoredRow): number => {
  const name = `${identity}\u0000${session === '' ? Math.floor(event_time / HOUR_MS) : session}`
  let h = 0x811c9dc5
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/** A typed array twice as long that begins with the same values. */
const doubled = <T extends Float32Array | Uint32Array | Uint8Array>(values: T, empty: (length: number) => T): T => {
  const larger = empty(values.length * 2)
  larger.set(values)
  return larger
}

/** What training needs of one tenant's history: the vectors as they were when scored, and when statistics were released. */
export class History {
  readonly identities = new Set<string>()
  fromTime = Number.POSITIVE_INFINITY
  toTime = 0
  events = 0
  #vectors = new Float32Array(FEATURE_COUNT * 1024)
  #alerted = new Uint8Array(1024)
  #groups = new Uint32Array(1024)
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
    if (this.#rows === this.#alerted.length) {
      this.#vectors = doubled(this.#vectors, (n) => new Float32Array(n))
      this.#alerted = doubled(this.#alerted, (n) => new Uint8Array(n))
      this.#groups = doubled(this.#groups, (n) => new Uint32Array(n))
    }
    this.#alerted[this.#rows] = alertedAs(row.flags)
    this.#groups[this.#rows] = groupOf(row)
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
    this.#groups.copyWithin(0, half, this.#rows)
    this.#rows -= half
    this.#releasedAt = this.#releasedAt.map((at) => Math.max(0, at - half))
  }

  #from(row: number): TrainingRows {
    return {
      rows: this.#vectors.subarray(row * FEATURE_COUNT, this.#rows * FEATURE_COUNT),
      alerted: this.#alerted.subarray(row, this.#rows),
      groups: this.#groups.subarray(row, this.#rows),
    }
  }

  /** Over all identities; at least a quarter of a day counts. */
  get eventsPerDay(): number {
    return this.events / Math.max(0.25, (this.toTime - this.fromTime) / 86_400_000)
  }
}
