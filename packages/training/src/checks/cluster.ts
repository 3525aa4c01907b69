import { type Dataset, type Finding, listed, percent, rowCount, type Severity } from './dataset.ts'
import { sharesOf } from './identities.ts'
import type { Neighbourhood } from './neighbours.ts'

/** A cluster is small when it has no more than this share of the rows, and worth a look from so many of the sample on. */
const SMALL = 0.05
const LEAST_SAMPLED = 8
/** Empty space around a cluster, in times its own radius, and at least so many spreads wide. */
const GAP = 2
const ROOM = 0.5
/** Where rows repeat themselves to the bit the radius is none, and any gap would be endlessly wide. */
const LEAST_RADIUS = 0.02
/** So few identities behind a cluster, among at least so many, are a few. */
const FEW = 2
const AMONG = 10
/** A cluster that fell into no more than this share of the whole span came at once. */
const SHORT = 0.1
/** Fewer rows than this move no model, however odd: a burst of one session in a young history is one. */
const LEAST = { rows: 30, share: 0.002 } as const
/** A column says where a cluster lies when it is there so many spreads from the middle. */
const APART = 3

/** Rows that lie close together and far from all others. */
interface Clump {
  /** Places in the sample. */
  readonly members: readonly number[]
  readonly radius: number
  readonly gap: number
}

/**
 * The widest gap among the distances to the nearest rows, if it is wide enough to set those before it apart. `sorted` rises.
 * Returns how many rows lie before it, or 0.
 */
const gapIn = (sorted: Float32Array): number => {
  const most = Math.floor(sorted.length * SMALL)
  let [best, at] = [GAP, 0]
  for (let k = LEAST_SAMPLED - 1; k <= most; k++) {
    const inner = Math.max(LEAST_RADIUS, sorted[k - 1]!)
    const ratio = sorted[k]! / inner
    if (sorted[k]! - inner >= ROOM && ratio >= best) [best, at] = [ratio, k]
  }
  return at
}

/** The clumps that probes stand in, each once: a probe that an earlier clump holds tells nothing new. */
const clumpsIn = (near: Neighbourhood): readonly Clump[] => {
  const taken = new Set<number>()
  const clumps: Clump[] = []
  for (const place of [...near.far, ...near.even]) {
    if (taken.has(place)) continue
    const distances = near.distances(place)
    const sorted = distances.slice().sort()
    const k = gapIn(sorted)
    if (k === 0) continue
    const radius = sorted[k - 1]!
    const members = [place, ...Array.from(distances.keys()).filter((i) => distances[i]! <= radius)]
    for (const member of members) taken.add(member)
    clumps.push({ members, radius, gap: sorted[k]! })
  }
  return clumps
}

const spanOf = (times: Float64Array, rows: readonly number[] | null): readonly [number, number] => {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const see = (t: number): void => {
    if (Number.isNaN(t)) return
    from = Math.min(from, t)
    to = Math.max(to, t)
  }
  if (rows === null) times.forEach(see)
  else for (const row of rows) see(times[row]!)
  return [from, to]
}

/** Columns in which a clump lies far from the middle, the farthest first. */
const columnsOf = ({ names }: Dataset, near: Neighbourhood, { members }: Clump): readonly string[] =>
  names
    .map((name, c) => ({
      name,
      away: Math.abs(members.reduce((sum, at) => sum + near.points[at * names.length + c]!, 0) / members.length),
    }))
    .filter(({ away }) => away >= APART)
    .sort((a, b) => b.away - a.away)
    .map(({ name }) => name)

const DAY_MS = 86_400_000
const lasting = (ms: number): string => (ms < DAY_MS ? `${(ms / 3_600_000).toFixed(1)} hours` : `${(ms / DAY_MS).toFixed(1)} days`)

/** One of few identities, made at once, of a size that matters, and not part of what is in use already. */
const severityOf = (few: boolean, short: boolean, heavy: boolean, known: boolean): Severity =>
  !heavy ? 'note' : few && short ? (known ? 'warning' : 'severe') : few || short ? 'warning' : 'note'

const describe = (data: Dataset, near: Neighbourhood, clump: Clump, knownUntil: number): Finding => {
  const members = clump.members.map((at) => near.sample[at]!)
  const share = members.length / near.sample.length
  const rows = share * rowCount(data)
  const { identities, times } = data
  const everybody = identities === undefined ? 0 : new Set(identities).size
  const own = identities === undefined ? [] : sharesOf(Uint32Array.from(members, (row) => identities[row]!))
  const few = everybody >= AMONG && own.length <= FEW
  const [from, to] = times === undefined ? [0, 0] : spanOf(times, members)
  const [first, last] = times === undefined ? [0, 0] : spanOf(times, null)
  const short = times !== undefined && last > first && to - from <= SHORT * (last - first)
  const known = times !== undefined && to <= knownUntil
  const columns = columnsOf(data, near, clump)
  const whose = identities === undefined ? '' : ` from ${own.length} of ${everybody} identities`
  const when = times === undefined ? '' : ` within ${lasting(to - from)} of ${lasting(last - first)}`
  const where = columns.length === 0 ? '' : `, apart in ${listed(columns)}`
  const before = known ? '; what is in use was trained on them already' : ''
  return {
    check: 'cluster',
    severity: severityOf(few, short, rows >= LEAST.rows && share >= LEAST.share, known),
    words: `About ${Math.max(1, Math.round(rows))} rows (${percent(share)}) lie close together and far from all others${whose}${when}${where}${before}.`,
    columns,
    numbers: {
      rows,
      share,
      radius: clump.radius,
      gap: clump.gap,
      ...(identities === undefined ? {} : { identities: own.length }),
      ...(identities !== undefined && own.length <= FEW ? { identityHash: own[0]![0] } : {}),
      ...(times === undefined ? {} : { from, to }),
    },
  }
}

/** Most clusters that are told of. */
const MOST = 8
const RANK = { severe: 0, warning: 1, note: 2 } as const

/**
 * Small dense clusters far from the rest. Life has such: a nightly job lies apart too, but night after night. One that few
 * identities made within a short time is what somebody leaves who teaches a model that his next step is usual. One that lies before
 * `knownUntil` (ms since epoch) is in use already, and no reason any more to keep the next model from being so.
 */
export const checkClusters = (data: Dataset, near: Neighbourhood, knownUntil: number): readonly Finding[] =>
  clumpsIn(near)
    .map((clump) => describe(data, near, clump, knownUntil))
    .sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.numbers['share']! - a.numbers['share']!)
    .slice(0, MOST)
