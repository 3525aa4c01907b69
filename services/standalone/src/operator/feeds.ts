import { createHash } from 'node:crypto'
import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { decodeFull } from '@plumbline/detector/decode'
import type { Credential, Door, IngestPort } from '@plumbline/gateway'
import type { FeedAnswer, FeedHeader, IngestAnswer } from '@plumbline/schemas'
import type { Pace } from '../pace.ts'

/** Prefix of the keys of history: learned and scored whatever its age, its alerts stored and never forwarded. */
const HISTORIC = 'h'.charCodeAt(0)
/** A request is answered within this time even while a training keeps it waiting, ms. */
const MOST_WAIT_MS = 10_000

export interface FeedsDeps {
  readonly log: Pick<EmbeddedLog, 'ingest' | 'kv'>
  /** A door with the tenants' rules over the given way into the log. */
  readonly doorOver: (port: IngestPort) => Door
  /** Tenant the deployment is bound to, if any. */
  readonly tenant?: string | undefined
  readonly pace: Pace
  readonly signal: AbortSignal
}

/** Files of events on their way into the log with event-time arrival, each event once. */
export interface Feeds {
  /** Where files stand: how many of their events, in event-time order, are in the log. */
  places(tenant: string, files: Iterable<string>): Record<string, number>
  take(header: FeedHeader, lines: readonly Uint8Array[]): Promise<FeedAnswer>
  /** Resolves true once whatever release is due for these tenants is in force, false when that takes longer. */
  ready(tenants: Iterable<string>): Promise<boolean>
}

/** Name under which the log keeps how far a file of a tenant's history is. */
const placeName = (tenant: string, file: string): string => `feed:place:${tenant}:${file}`
/** Whether a stored name is such a one of this tenant, for its removal. */
export const isPlaceOf = (tenant: string, name: string): boolean =>
  name.startsWith(placeName(tenant, '')) && /^[0-9a-f]+$/.test(name.slice(placeName(tenant, '').length))

const NEWLINE = Buffer.from('\n')
const fingerprintOf = (lines: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update(NEWLINE)
  return hash.digest()
}

export const createFeeds = (deps: FeedsDeps): Feeds => {
  const { log, pace, signal } = deps
  const paces = new Map<string, Promise<void>>()
  let queue: Promise<unknown> = Promise.resolve()

  const places = (tenant: string, files: Iterable<string>): Record<string, number> =>
    Object.fromEntries([...files].map((file) => [file, Number(Buffer.from(log.kv.get(placeName(tenant, file)) ?? '0').toString())]))

  const paced = (tenant: string): Promise<void> => {
    const known = paces.get(tenant)
    if (known !== undefined) return known
    const run = pace(tenant, signal).finally(() => paces.delete(tenant))
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

  const takeNow = async (header: FeedHeader, lines: readonly Uint8Array[]): Promise<FeedAnswer> => {
    const stand = places(header.tenant, Object.keys(header.from))
    if (Object.entries(header.from).some(([file, place]) => stand[file] !== place)) return { state: 'elsewhere', places: stand }
    const candidates = lines.map((bytes, index) => ({ index, bytes, decoded: decodeFull(bytes) }))
    const tenants = new Set(candidates.flatMap(({ decoded }) => (decoded.ok ? [deps.tenant ?? decoded.event.tenant] : [])))
    if (!(await ready(tenants))) return { state: 'busy', learning: true }
    let { arrival } = header
    const port: IngestPort = {
      ingest: (batch) => {
        const records = batch.records.map((record) => {
          const decoded = decodeFull(record.value)
          arrival = Math.max(arrival, decoded.ok ? decoded.event.time : 0)
          const key = Uint8Array.from(record.key)
          if (header.mode === 'history') key[0] = HISTORIC
          return { ...record, key, ingestTimeMs: arrival }
        })
        const places = Object.entries(header.to).map(([file, place]) => [placeName(header.tenant, file), Buffer.from(String(place))])
        return log.ingest({ ...batch, records, values: { ...batch.values, ...(Object.fromEntries(places) as Record<string, Uint8Array>) } })
      },
    }
    const credential: Credential = {
      id: 'operator',
      token: '',
      relays: true,
      ...(deps.tenant === undefined ? {} : { tenant: deps.tenant }),
    }
    // Files keep their place with the events; only a replay needs the key to be repeatable.
    const repeatable = header.mode === 'replay' ? { key: header.id, fingerprint: fingerprintOf(lines) } : undefined
    const { answer, repeated } = await deps.doorOver(port).admit(candidates, credential, 'events', repeatable)
    const first = repeated === undefined ? answer : (JSON.parse(Buffer.from(repeated).toString()) as IngestAnswer)
    return { state: 'taken', arrival, ...first }
  }

  return {
    places,
    ready,
    take(header, lines) {
      // One after the other: a request is compared with what the one before it stored.
      const run = queue.then(() => takeNow(header, lines))
      queue = run.catch(() => undefined)
      return run
    },
  }
}
