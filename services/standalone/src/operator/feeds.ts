import { createHash } from 'node:crypto'
import type { DeploymentLog } from '@plumbline/detector'
import { decodeEvent } from '@plumbline/detector/decode-event'
import type { Credential, Door, DoorOptions, IngestPort, Repeatable } from '@plumbline/gateway'
import type { FeedAnswer, FeedHeader, IngestAnswer } from '@plumbline/schemas'
import type { FeedAudit } from '../audit.ts'
import type { Pace } from '../pace.ts'

/** Prefix of the keys of history: learned and scored whatever its age, its alerts stored and never forwarded. */
const HISTORIC = 'h'.charCodeAt(0)
/** A request is answered within this time even while a training keeps it waiting, ms. */
const MOST_WAIT_MS = 10_000

export interface FeedsDeps {
  readonly log: Pick<DeploymentLog, 'ingest' | 'kv' | 'head' | 'shards'>
  /** A door with the tenants' rules over the given way into the log. */
  readonly doorOver: (port: IngestPort, stamp: DoorOptions['stamp']) => Door
  readonly clock: () => number
  /** Tenant the deployment is bound to, if any. */
  readonly tenant?: string | undefined
  readonly pace: Pace
  /** Told before events of a tenant are taken. */
  readonly onFeed: FeedAudit['begin']
  readonly signal: AbortSignal
}

/** Files of events on their way into the log with event-time arrival, each event once. */
export interface Feeds {
  /** Where files stand: how many of their events, in event-time order, are in the log. */
  places(tenant: string, files: Iterable<string>): Record<string, number>
  take(header: FeedHeader, lines: readonly Uint8Array[]): Promise<FeedAnswer>
  /** Resolves true once whatever release is due for these tenants is in force, false when that takes longer. */
  ready(tenants: Iterable<string>): Promise<boolean>
  /** Where in the log the events of these files lie, from their first to the moment this is first asked for after their last. */
  span(tenant: string, files: Iterable<string>): Promise<Span>
}

/** Positions per shard: history of other files, before or after, lies outside. */
export interface Span {
  readonly from: readonly number[]
  /** Exclusive. */
  readonly to: readonly number[]
  /** When the first events came in, ms since epoch. */
  readonly sinceMs: number
  /** When it was complete, ms since epoch. */
  readonly untilMs: number
}

/** What the log keeps of a file's way in: heads of all shards and the time, before its first event and after its last. */
interface Mark {
  readonly atMs: number
  readonly heads: readonly number[]
}

/** Name under which the log keeps how far a file of a tenant's history is. */
const placeName = (tenant: string, file: string): string => `feed:place:${tenant}:${file}`
const beginName = (tenant: string, file: string): string => `feed:begin:${tenant}:${file}`
const endName = (tenant: string, file: string): string => `feed:end:${tenant}:${file}`
/** Name under which the log keeps when a tenant was removed last: what is fed after that is no repetition of what went. */
const removedName = (tenant: string): string => `feed:removed:${tenant}`
export const noteRemoval = (kv: Pick<DeploymentLog['kv'], 'put'>, tenant: string, atMs: number): Promise<void> =>
  kv.put({ [removedName(tenant)]: Buffer.from(String(atMs)) })

/** Whether a stored name is such a one of this tenant, for its removal. */
export const isPlaceOf = (tenant: string, name: string): boolean =>
  [placeName, beginName, endName].some((nameOf) => {
    const start = nameOf(tenant, '')
    return name.startsWith(start) && /^[0-9a-f]+$/.test(name.slice(start.length))
  })

const NEWLINE = Buffer.from('\n')
const NOTHING = new Uint8Array(0)

const joined = (a: Mark | undefined, b: Mark, pick: (x: number, y: number) => number): Mark =>
  a === undefined ? b : { atMs: pick(a.atMs, b.atMs), heads: a.heads.map((head, shard) => pick(head, b.heads[shard]!)) }

const fingerprintOf = (lines: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update(NEWLINE)
  return hash.digest()
}

export const createFeeds = (deps: FeedsDeps): Feeds => {
  const { log, pace, signal } = deps
  const paces = new Map<string, Promise<void>>()
  /** Newest event time of each tenant that came in through here. */
  const newest = new Map<string, number>()
  let queue: Promise<unknown> = Promise.resolve()

  const places = (tenant: string, files: Iterable<string>): Record<string, number> =>
    Object.fromEntries([...files].map((file) => [file, Number(Buffer.from(log.kv.get(placeName(tenant, file)) ?? '0').toString())]))

  const paced = (tenant: string): Promise<void> => {
    const known = paces.get(tenant)
    if (known !== undefined) return known
    const run = pace(tenant, newest.get(tenant) ?? 0, signal).finally(() => paces.delete(tenant))
    paces.set(tenant, run)
    return run
  }
  const ready = async (tenants: Iterable<string>): Promise<boolean> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, MOST_WAIT_MS, false)))
    const all = Promise.all([...tenants].map(paced)).then(() => !signal.aborted)
    try {
      return await Promise.race([all, late])
    } finally {
      clearTimeout(timer)
    }
  }

  const mark = (): Mark => ({ atMs: deps.clock(), heads: Array.from({ length: log.shards }, (_, shard) => log.head(shard).next) })
  const markAt = (name: string): Mark | undefined => {
    const stored = log.kv.get(name)
    return stored === undefined || stored.length === 0 ? undefined : (JSON.parse(Buffer.from(stored).toString()) as Mark)
  }

  const placesOf = ({ tenant, to }: FeedHeader): Record<string, Uint8Array> =>
    Object.fromEntries(Object.entries(to).map(([file, place]) => [placeName(tenant, file), Buffer.from(String(place))]))

  /** What is stored together with the events of a request: how far their files are, and where in the log they began. */
  const progressOf = (header: FeedHeader): Record<string, Uint8Array> => {
    const { tenant, to } = header
    const values = placesOf(header)
    for (const file of Object.keys(to)) {
      if (markAt(beginName(tenant, file)) === undefined) values[beginName(tenant, file)] = Buffer.from(JSON.stringify(mark()))
      if (markAt(endName(tenant, file)) !== undefined) values[endName(tenant, file)] = NOTHING
    }
    return values
  }

  const span = async (tenant: string, files: Iterable<string>): Promise<Span> => {
    const now = mark()
    const ends: Record<string, Uint8Array> = {}
    let [from, to]: [Mark | undefined, Mark | undefined] = [undefined, undefined]
    for (const file of files) {
      const begin = markAt(beginName(tenant, file))
      if (begin === undefined) continue
      const end = markAt(endName(tenant, file)) ?? now
      if (end === now) ends[endName(tenant, file)] = Buffer.from(JSON.stringify(now))
      from = joined(from, begin, Math.min)
      to = joined(to, end, Math.max)
    }
    if (Object.keys(ends).length > 0) await log.kv.put(ends)
    return { from: (from ?? now).heads, to: (to ?? now).heads, sinceMs: (from ?? now).atMs, untilMs: (to ?? now).atMs }
  }

  /**
   * What makes a request repeatable. Places of a history are stored with its events, but are not known here when it is not known
   * whether they are stored: the same lines of the same files from the same places are in the log once.
   */
  const repeatableOf = (header: FeedHeader, lines: readonly Uint8Array[]): Repeatable => {
    const fingerprint = fingerprintOf(lines)
    if (header.mode === 'replay') return { key: header.id, fingerprint }
    const from = Object.entries(header.from).sort(([a], [b]) => (a < b ? -1 : 1))
    const removed = Buffer.from(log.kv.get(removedName(header.tenant)) ?? '').toString()
    const what = JSON.stringify([header.tenant, removed, from, Buffer.from(fingerprint).toString('hex')])
    return { key: `history:${createHash('sha256').update(what).digest('hex')}`, fingerprint }
  }

  const takeNow = async (header: FeedHeader, lines: readonly Uint8Array[]): Promise<FeedAnswer> => {
    const stand = places(header.tenant, Object.keys(header.from))
    if (Object.entries(header.from).some(([file, place]) => stand[file] !== place)) return { state: 'elsewhere', places: stand }
    const candidates = lines.map((bytes, index) => ({ index, bytes, decoded: decodeEvent(bytes) }))
    const tenants = new Set(candidates.flatMap(({ decoded }) => (decoded.ok ? [deps.tenant ?? decoded.event.tenant] : [])))
    if (!(await ready(tenants))) return { state: 'busy', learning: true }
    for (const tenant of tenants) await deps.onFeed(tenant, header)
    let { arrival } = header
    const stamp: DoorOptions['stamp'] = (record, event) => {
      arrival = Math.max(arrival, event.time)
      newest.set(event.tenant, Math.max(event.time, newest.get(event.tenant) ?? 0))
      const key = Uint8Array.from(record.key)
      if (header.mode === 'history') key[0] = HISTORIC
      return { ...record, key, ingestTimeMs: arrival }
    }
    const port: IngestPort = { ingest: (batch) => log.ingest({ ...batch, values: { ...batch.values, ...progressOf(header) } }) }
    const credential: Credential = {
      id: 'operator',
      token: '',
      relays: true,
      ...(deps.tenant === undefined ? {} : { tenant: deps.tenant }),
    }
    const { answer, repeated } = await deps.doorOver(port, stamp).admit(candidates, credential, 'events', repeatableOf(header, lines))
    // They are stored, and nobody here had heard of it: behind this the places are known, and where the files began.
    if (repeated !== undefined && header.mode === 'history') await log.kv.put(placesOf(header))
    const first = repeated === undefined ? answer : (JSON.parse(Buffer.from(repeated).toString()) as IngestAnswer)
    return { state: 'taken', arrival, ...first }
  }

  return {
    places,
    ready,
    span,
    take(header, lines) {
      // One after the other: a request is compared with what the one before it stored.
      const run = queue.then(() => takeNow(header, lines))
      queue = run.catch(() => undefined)
      return run
    },
  }
}
