import {
  CountMap,
  GROUP_TABLES,
  type GroupStats,
  type GroupTable,
  ln,
  quad,
  type Segment,
  slotLayout as L,
  unpackSlot,
} from '@plumbline/detector'

/** What a slot contributes to the statistics of its group. */
export interface Member {
  readonly learned: number
  readonly declared: number
  readonly tables: Readonly<Record<GroupTable, ReadonlyMap<number, number>>>
  readonly hours: Float32Array
  readonly windows: Float32Array
  readonly histograms: Float32Array
  readonly novelty: Float32Array
}

/** Members with fewer learned events than this say too little about their group. */
const ENOUGH = 8
/** Most groups a release carries that were declared, and most that are found from behaviour. */
const MOST_DECLARED = 64
const MOST_FOUND = 16
const PLACES: Readonly<Record<GroupTable, readonly [number, number]>> = {
  actions: [L.ACTIONS, L.ACTION_SETS],
  classes: [L.CLASSES, L.CLASS_SETS],
  destinations: [L.DESTINATIONS, L.DESTINATION_SETS],
  transitions: [L.TRANSITIONS, L.TRANSITION_SETS],
  networks: [L.NETWORKS, L.NETWORK_SETS],
}

const scratch = ((): Segment => {
  const buffer = new ArrayBuffer(L.SLOT_BYTES)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
})()

/** Reads what a release needs from a packed slot. Throws STATE_DAMAGED or STATE_VERSION. */
export const readMember = (packed: Uint8Array): Member => {
  unpackSlot(packed, scratch, 0)
  const { u8, u16, u32, f32 } = scratch
  const table = (name: GroupTable): Map<number, number> => {
    const [place, sets] = PLACES[name]
    const out = new Map<number, number>()
    for (let set = 0; set < sets; set++) {
      const at = (place + set * 64) >> 2
      for (let i = 0; i < 8 && u32[at + i] !== 0; i++) out.set(u32[at + i]!, f32[at + 8 + i]!)
    }
    return out
  }
  const learned = f32[L.H.learned >> 2]!
  const share = (types: number, count: number): number => (count > 0 ? Math.min(1, types / count) : 0)
  return {
    learned,
    declared: u32[L.DECLARED_GROUP >> 2]!,
    tables: {
      actions: table('actions'),
      classes: table('classes'),
      destinations: table('destinations'),
      transitions: table('transitions'),
      networks: table('networks'),
    },
    hours: Float32Array.from({ length: 168 }, (_, h) => u8[L.HOURS + h]!),
    windows: Float32Array.from(
      { length: L.WINDOW_METRICS * 3 },
      (_, i) => f32[(L.WINDOW_VALUES >> 2) + Math.floor(i / 3) * 4 + 1 + (i % 3)]!,
    ),
    histograms: Float32Array.from({ length: L.HISTOGRAM_COUNT * L.HISTOGRAM_BUCKETS }, (_, i) =>
      i % L.HISTOGRAM_BUCKETS < L.bucketsOf(Math.floor(i / L.HISTOGRAM_BUCKETS)) ? u16[(L.HISTOGRAMS >> 1) + i]! : 0,
    ),
    novelty: Float32Array.of(
      share(f32[L.H.typesAction >> 2]!, learned),
      share(f32[L.H.typesClass >> 2]!, learned),
      share(f32[L.H.typesDestination >> 2]!, f32[L.H.countDestination >> 2]!),
      f32[L.H.typesResource >> 2]!,
      share(f32[L.H.typesSource >> 2]!, f32[L.H.countSource >> 2]!),
    ),
  }
}

export interface BuiltGroup {
  readonly name: string
  /** Fingerprint of the declared name, 0 for a group found from behaviour. */
  readonly declared: number
  readonly stats: Omit<GroupStats, GroupTable> & { readonly tables: Readonly<Record<GroupTable, Float32Array>> }
}

/** Statistics of a set of members. One member counts at most three times the median, so that nobody speaks for all (INV-5). */
export const groupStats = (name: string, members: readonly Member[], seen = weekdaysSeen(members)): BuiltGroup['stats'] => {
  const sorted = members.map((m) => m.learned).sort((a, b) => a - b)
  const cap = Math.max(ENOUGH, 3 * (sorted[sorted.length >> 1] ?? 0))
  const scale = members.map((m) => (m.learned > cap ? cap / m.learned : 1))
  const tables = Object.fromEntries(GROUP_TABLES.map((t) => [t, mergeTable(members, scale, t)])) as Record<GroupTable, Float32Array>
  return {
    name,
    members: members.length,
    events: members.reduce((sum, m) => sum + m.learned, 0),
    tables,
    hours: mergeHours(members, seen),
    windows: mergeWindows(members),
    tails: mergeTails(members),
    novelty: Float32Array.from({ length: 5 }, (_, i) =>
      members.length === 0 ? 0.1 : members.reduce((s, m) => s + m.novelty[i]!, 0) / members.length,
    ),
  }
}

const MAX_ENTRIES = 4096
/** What a member did less than this is odd for itself still: it is no peer that does it. As `SEEN` of the detector. */
const HAS = 0.45

const mergeTable = (members: readonly Member[], scale: readonly number[], table: GroupTable): Float32Array => {
  const counts = new Map<number, [number, number]>()
  members.forEach((m, i) => {
    for (const [fp, count] of m.tables[table]) {
      const entry = counts.get(fp)
      const has = count >= HAS ? 1 : 0
      if (entry === undefined) counts.set(fp, [count * scale[i]!, has])
      else {
        entry[0] += count * scale[i]!
        entry[1] += has
      }
    }
  })
  const rows = [...counts].sort((a, b) => b[1][0] - a[1][0] || a[0] - b[0]).slice(0, MAX_ENTRIES)
  return Float32Array.from(rows.flatMap(([fp, [count, have]]) => quad(fp, count, have)))
}

/** Days that the rate of an hour of the day, over days of its kind, is worth beside the hour of the week itself. */
const ALIKE_DAYS = 1
const DAYS_OF = { week: [0, 1, 2, 3, 4], weekend: [5, 6], all: [0, 1, 2, 3, 4, 5, 6] } as const

/**
 * How many of each weekday history holds: the most that anybody was active in one of its hours. What nobody could do on a
 * Tuesday because there was none yet is not unusual on Tuesdays.
 */
const weekdaysSeen = (members: readonly Member[]): Float64Array => {
  const seen = new Float64Array(7)
  for (const m of members) for (let h = 0; h < 168; h++) seen[Math.floor(h / 24)] = Math.max(seen[Math.floor(h / 24)]!, m.hours[h]!)
  return seen
}

/**
 * Share of each hour of the week, members weighing the same: the rate of the hour per weekday there has been, drawn towards
 * the same hour on days of its kind, and where there were none of those, on all days.
 */
const mergeHours = (members: readonly Member[], seen: Float64Array): Float32Array => {
  const activity = new Float64Array(168)
  for (const m of members) {
    const total = m.hours.reduce((a, b) => a + b, 0)
    if (total >= 10) for (let h = 0; h < 168; h++) activity[h]! += m.hours[h]! / total
  }
  const over = (days: readonly number[], hour: number): number | null => {
    const exposure = days.reduce((sum, d) => sum + seen[d]!, 0)
    return exposure === 0 ? null : days.reduce((sum, d) => sum + activity[d * 24 + hour]!, 0) / exposure
  }
  const rates = Float64Array.from(activity, (active, h) => {
    const day = Math.floor(h / 24)
    const alike = over(DAYS_OF[day >= 5 ? 'weekend' : 'week'], h % 24) ?? over(DAYS_OF.all, h % 24) ?? 0
    return (active + ALIKE_DAYS * alike) / (seen[day]! + ALIKE_DAYS)
  })
  const all = rates.reduce((a, b) => a + b, 0)
  const even = all > 0 ? (LEAST_EVEN * all) / 168 : 1
  return Float32Array.from(rates, (r) => (r + even) / (all + 168 * even))
}
/** Share of a group's activity that is spread evenly over the week: no hour is impossible. */
const LEAST_EVEN = 0.02

/** Mean over members of their means; variance within and between them. */
const mergeWindows = (members: readonly Member[]): Float32Array => {
  const out = new Float32Array(L.WINDOW_METRICS * 3)
  for (let metric = 0; metric < L.WINDOW_METRICS; metric++) {
    let n = 0
    let mean = 0
    let squares = 0
    let within = 0
    for (const m of members) {
      if (m.windows[metric * 3 + 2]! < 2) continue
      n++
      mean += m.windows[metric * 3]!
      squares += m.windows[metric * 3]! ** 2
      within += m.windows[metric * 3 + 1]!
    }
    out[metric * 3] = n === 0 ? 2 : mean / n
    out[metric * 3 + 1] = n === 0 ? 4 : within / n + Math.max(0, squares / n - (mean / n) ** 2) + 0.1
    out[metric * 3 + 2] = n
  }
  return out
}

/** Share of values at or above each bucket, each member weighing the same. */
const mergeTails = (members: readonly Member[]): Float32Array => {
  const buckets = L.HISTOGRAM_BUCKETS
  const out = new Float32Array(L.HISTOGRAM_COUNT * buckets)
  for (let which = 0; which < L.HISTOGRAM_COUNT; which++) {
    const density = new Float64Array(buckets).fill(0.05 / buckets)
    let weight = 0.05
    for (const m of members) {
      const mine = m.histograms.subarray(which * buckets, (which + 1) * buckets)
      const total = mine.reduce((a, b) => a + b, 0)
      if (total < 5) continue
      weight++
      for (let b = 0; b < buckets; b++) density[b]! += mine[b]! / total
    }
    let tail = 0
    for (let b = buckets - 1; b >= 0; b--) {
      tail += density[b]! / weight
      out[which * buckets + b] = tail
    }
  }
  return out
}

/**
 * Peer groups of a tenant: those declared by name, and for the rest groups found from what members do: hard
 * expectation–maximisation of a mixture of multinomials over actions and classes, the very likelihood by which the
 * detector assigns identities. Deterministic: starts are picked farthest-first from the member with most events.
 */
export const findGroups = (members: readonly Member[], names: ReadonlyMap<number, string>): BuiltGroup[] => {
  const useful = members.filter((m) => m.learned >= ENOUGH)
  const declared = new Map<number, Member[]>()
  const free: Member[] = []
  for (const m of useful) {
    if (m.declared === 0) free.push(m)
    else declared.set(m.declared, [...(declared.get(m.declared) ?? []), m])
  }
  const seen = weekdaysSeen(members)
  const groups: BuiltGroup[] = [...declared]
    .sort((a, b) => b[1].length - a[1].length || a[0] - b[0])
    .slice(0, MOST_DECLARED)
    .map(([fp, list]) => ({
      name: names.get(fp) ?? `group-${fp.toString(16)}`,
      declared: fp,
      stats: groupStats(names.get(fp) ?? `group-${fp.toString(16)}`, list, seen),
    }))
  const wanted = Math.min(MOST_FOUND, Math.round(Math.sqrt(free.length / 2)))
  if (wanted < 2) return groups
  return [
    ...groups,
    ...cluster(free, wanted).map((list, i) => ({ name: `like-${i + 1}`, declared: 0, stats: groupStats(`like-${i + 1}`, list, seen) })),
  ]
}

const ROUNDS = 8

const cluster = (members: readonly Member[], k: number): Member[][] => {
  const fit = (m: Member, maps: readonly [CountMap, CountMap]): number => {
    let sum = 0
    let n = 0
    for (const [i, table] of (['actions', 'classes'] as const).entries()) {
      for (const [fp, count] of m.tables[table]) {
        sum += count * ln((maps[i]!.count(fp) + 0.05) / (maps[i]!.total + 1))
        n += count
      }
    }
    return n === 0 ? 0 : sum / n
  }
  const mapsOf = (list: readonly Member[]): [CountMap, CountMap] => {
    const stats = groupStats('', list)
    return [new CountMap(stats.tables.actions), new CountMap(stats.tables.classes)]
  }
  const ordered = [...members].sort((a, b) => b.learned - a.learned)
  let maps = [mapsOf([ordered[0]!])]
  while (maps.length < k) {
    let worst = ordered[0]!
    let least = Number.POSITIVE_INFINITY
    for (const m of ordered) {
      const best = Math.max(...maps.map((x) => fit(m, x)))
      if (best < least) {
        least = best
        worst = m
      }
    }
    maps.push(mapsOf([worst]))
  }
  let parts: Member[][] = []
  for (let round = 0; round < ROUNDS; round++) {
    parts = maps.map(() => [])
    for (const m of ordered) {
      let best = 0
      for (let g = 1; g < maps.length; g++) if (fit(m, maps[g]!) > fit(m, maps[best]!)) best = g
      parts[best]!.push(m)
    }
    parts = parts.filter((p) => p.length > 0)
    maps = parts.map(mapsOf)
  }
  return parts.filter((p) => p.length >= 2)
}
