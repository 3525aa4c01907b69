import { type Alert, MOST_EVIDENCE, type Position } from '@plumbline/schemas'

/** The last published revision of a group that is not closed, with the events that joined since, and the key of its identity's slot. */
export interface OpenAlert {
  readonly alert: Alert
  readonly lo: number
  readonly hi: number
}

/** Groups of one tenant in one shard that may be open at once; one more closes the one silent for longest. */
export const MOST_OPEN = 64

/**
 * What a closing revision is made from: it repeats what was published, so that whoever keeps only the highest revision
 * loses nothing. Numbered places of fixed count, so that what is stored of them stays bounded too.
 */
export class OpenAlerts {
  readonly #places: (OpenAlert | null)[] = []
  /** Position of a group's first event to its place. */
  readonly #byFirst = new Map<number, number>()
  /** Places whose content differs from what is stored. */
  readonly changed = new Set<number>()

  get size(): number {
    return this.#byFirst.size
  }

  /** Puts back what was stored. */
  restore(place: number, open: OpenAlert): void {
    while (this.#places.length <= place) this.#places.push(null)
    this.#places[place] = open
    this.#byFirst.set(firstOf(open.alert), place)
  }

  at(place: number): OpenAlert | null {
    return this.#places[place] ?? null
  }

  /** Keeps the newest revision of a group. Make room first: see `oldest`. */
  keep(open: OpenAlert): void {
    const known = this.#byFirst.get(firstOf(open.alert))
    const free = known ?? this.#places.indexOf(null)
    const place = free < 0 ? this.#places.length : free
    this.restore(place, open)
    this.changed.add(place)
  }

  /** The last published revision of the group that begins at `first`. */
  lastOf(first: number): Alert | null {
    const place = this.#byFirst.get(first)
    return place === undefined ? null : this.at(place)!.alert
  }

  /** Positions known of the group that begins at `first`. */
  evidenceOf(first: number): readonly Position[] {
    return this.lastOf(first)?.evidence ?? []
  }

  /** Notes an event that joined a group without a revision of its own, as long as there is room for it. */
  note(first: number, position: Position): void {
    const place = this.#byFirst.get(first)
    const open = place === undefined ? null : this.at(place)
    if (place === undefined || open === null || open.alert.evidence.length >= MOST_EVIDENCE) return
    this.#places[place] = { ...open, alert: { ...open.alert, evidence: [...open.alert.evidence, position] } }
    this.changed.add(place)
  }

  /** Removes a group by the position of its first event and returns what was kept of it. */
  take(first: number): OpenAlert | null {
    const place = this.#byFirst.get(first)
    if (place === undefined) return null
    const open = this.at(place)
    this.#places[place] = null
    this.#byFirst.delete(first)
    this.changed.add(place)
    return open
  }

  /** The group to close before the one that begins at `first` is kept, or null while there is room. */
  oldest(first: number): OpenAlert | null {
    if (this.size < MOST_OPEN || this.#byFirst.has(first)) return null
    let oldest: OpenAlert | null = null
    for (const open of this.#places) if (open !== null && (oldest === null || isOlder(open.alert, oldest.alert))) oldest = open
    return oldest
  }

  /** Forgets every group: nothing more is told of any. */
  clear(): void {
    for (const first of Array.from(this.#byFirst.keys())) this.take(first)
  }

  /** Removes all of one identity: nothing more is told of it. */
  forget(lo: number, hi: number): void {
    for (const open of this.#places) if (open !== null && open.lo === lo && open.hi === hi) this.take(firstOf(open.alert))
  }
}

const firstOf = (alert: Alert): number => alert.evidence[0]!.offset

const isOlder = (a: Alert, b: Alert): boolean => a.lastSeen < b.lastSeen || (a.lastSeen === b.lastSeen && firstOf(a) < firstOf(b))
