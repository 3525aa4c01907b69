import type { ScoredRow } from '@plumbline/detector/replay'
import { FEATURES, SCORED_FLAGS } from '@plumbline/schemas'
import type { HighEvent } from './replay.ts'

const KEPT = 5
const FAMILIES = 3

/** Keeps the highest scored events, one per identity and action: more of the same would tell nothing new. */
export class Highest {
  #rows: ScoredRow[] = []

  add(row: ScoredRow): void {
    if ((this.#rows.length === KEPT && row.score <= (this.#rows.at(-1)?.score ?? 0)) || (row.flags & SCORED_FLAGS.duplicate) !== 0) return
    const same = this.#rows.findIndex((r) => r.tenant === row.tenant && r.identity === row.identity && r.action === row.action)
    if (same >= 0 && (this.#rows[same]?.score ?? 0) >= row.score) return
    if (same >= 0) this.#rows.splice(same, 1)
    this.#rows = [...this.#rows, row].sort((a, b) => b.score - a.score || a.offset - b.offset).slice(0, KEPT)
  }

  get events(): readonly HighEvent[] {
    return this.#rows.map((row) => ({
      time: row.event_time,
      tenant: row.tenant,
      identity: row.identity,
      action: row.action,
      resourceClass: row.resource_class,
      resource: row.resource,
      score: Number(row.score.toFixed(1)),
      families: [...new Set(Array.from(row.top_features, (i) => FEATURES[i]?.family ?? 'combination'))].slice(0, FAMILIES),
    }))
  }
}
