import { HISTOGRAM_BUCKETS, HISTOGRAM_COUNT, WINDOW_METRICS } from './layout.ts'

/** Read-only counts by 32-bit fingerprint, built once from a release section. */
export class CountMap {
  readonly total: number
  readonly types: number
  readonly #mask: number
  readonly #keys: Uint32Array
  readonly #counts: Float32Array
  readonly #members: Float32Array

  /** @param quads per entry: low 16 bits, high 16 bits of the fingerprint, count, members that have it. */
  constructor(quads: Float32Array) {
    const n = quads.length >> 2
    let size = 16
    while (size < n * 2) size *= 2
    this.#mask = size - 1
    this.#keys = new Uint32Array(size)
    this.#counts = new Float32Array(size)
    this.#members = new Float32Array(size)
    let total = 0
    for (let i = 0; i < n; i++) {
      const key = (quads[i * 4]! + quads[i * 4 + 1]! * 65_536) >>> 0
      let at = key & this.#mask
      while (this.#keys[at] !== 0 && this.#keys[at] !== key) at = (at + 1) & this.#mask
      this.#keys[at] = key
      this.#counts[at] = quads[i * 4 + 2]!
      this.#members[at] = quads[i * 4 + 3]!
      total += quads[i * 4 + 2]!
    }
    this.total = total
    this.types = n
  }

  #at(fp: number): number {
    const keys = this.#keys
    const mask = this.#mask
    const wanted = fp >>> 0
    for (let at = wanted & mask; ; at = (at + 1) & mask) {
      const key = keys[at]!
      if (key === wanted) return at
      if (key === 0) return -1
    }
  }

  count(fp: number): number {
    const at = this.#at(fp)
    return at < 0 ? 0 : this.#counts[at]!
  }

  members(fp: number): number {
    const at = this.#at(fp)
    return at < 0 ? 0 : this.#members[at]!
  }
}

/** Tables of a group, in the order of their sections in a release. */
export const GROUP_TABLES = ['actions', 'classes', 'destinations', 'transitions', 'networks'] as const
export type GroupTable = (typeof GROUP_TABLES)[number]

/** What is normal in a peer group, or in a whole tenant, at the time of a release. Never changes between releases (C1). */
export interface GroupStats {
  readonly name: string
  readonly members: number
  readonly events: number
  readonly actions: CountMap
  readonly classes: CountMap
  readonly destinations: CountMap
  readonly transitions: CountMap
  readonly networks: CountMap
  /** Share of each hour of the week, 168 values that sum to 1. */
  readonly hours: Float32Array
  /** Per window metric: mean and variance of log(1 + value), and how many identities it rests on. */
  readonly windows: Float32Array
  /** Per histogram: share of values at or above each bucket. */
  readonly tails: Float32Array
  /** Share of first-time events per event: actions, classes, destinations, resources, sources. */
  readonly novelty: Float32Array
}

const none = new Float32Array(0)
const empty = (): CountMap => new CountMap(none)

/** What is assumed before the first release: nothing seen, wide windows, flat hours. */
export const NO_GROUP: GroupStats = {
  name: '',
  members: 0,
  events: 0,
  actions: empty(),
  classes: empty(),
  destinations: empty(),
  transitions: empty(),
  networks: empty(),
  hours: new Float32Array(168).fill(1 / 168),
  windows: Float32Array.from({ length: WINDOW_METRICS * 3 }, (_, i) => (i % 3 === 0 ? 2 : i % 3 === 1 ? 4 : 0)),
  tails: Float32Array.from(
    { length: HISTOGRAM_COUNT * HISTOGRAM_BUCKETS },
    (_, i) => 1 - (i % HISTOGRAM_BUCKETS) / (HISTOGRAM_BUCKETS + 8),
  ),
  novelty: Float32Array.of(0.05, 0.02, 0.05, 0.3, 0.02),
}

/** One quad of a release section. */
export const quad = (fp: number, count: number, members: number): [number, number, number, number] => [
  fp & 0xffff,
  fp >>> 16,
  count,
  members,
]

/** Sections of one group in a release, by table name. */
export const packGroup = (
  prefix: string,
  g: Omit<GroupStats, GroupTable> & { readonly tables: Readonly<Record<GroupTable, Float32Array>> },
) => {
  const out: Record<string, Float32Array> = {
    [`${prefix}.hours`]: g.hours,
    [`${prefix}.windows`]: g.windows,
    [`${prefix}.tails`]: g.tails,
    [`${prefix}.novelty`]: g.novelty,
    [`${prefix}.size`]: Float32Array.of(g.members, g.events),
  }
  for (const table of GROUP_TABLES) out[`${prefix}.${table}`] = g.tables[table]
  return out
}

/** Reads a group back from a release. */
export const readGroup = (prefix: string, name: string, section: (name: string) => Float32Array): GroupStats => {
  const map = (table: GroupTable): CountMap => new CountMap(section(`${prefix}.${table}`))
  const size = section(`${prefix}.size`)
  return {
    name,
    members: size[0] ?? 0,
    events: size[1] ?? 0,
    actions: map('actions'),
    classes: map('classes'),
    destinations: map('destinations'),
    transitions: map('transitions'),
    networks: map('networks'),
    hours: section(`${prefix}.hours`),
    windows: section(`${prefix}.windows`),
    tails: section(`${prefix}.tails`),
    novelty: section(`${prefix}.novelty`),
  }
}
