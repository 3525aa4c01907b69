import type { Store } from '@plumbline/adapters/clickhouse'
import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { type EventInput, PlumblineError } from '@plumbline/schemas'
import { feed } from './feed.ts'
import type { Pace } from './pace.ts'

/** Events in event-time order. */
export type History = Iterable<EventInput> | AsyncIterable<EventInput>

export interface BackfillOptions {
  readonly tenant: string
  /** Names this history: an interrupted run of the same name and events goes on where it stood. */
  readonly name: string
  readonly onProgress?: (progress: { readonly events: number; readonly eventTimeMs: number; readonly learning: boolean }) => void
  readonly signal?: AbortSignal
}

export interface BackfillSummary {
  readonly events: number
  /** False when `signal` stopped it: call again to go on. */
  readonly finished: boolean
  /** Alert groups it would have raised, and the worst of them. */
  readonly alerts: number
  readonly top: readonly { readonly headline: string; readonly severity: string; readonly score: number; readonly firstSeen: number }[]
  readonly identities: readonly { readonly identity: string; readonly events: number; readonly maturity: number }[]
}

export interface BackfillDeps {
  readonly log: EmbeddedLog
  readonly pace: Pace
  readonly lag: () => number
  readonly recorded: () => Promise<void>
  readonly reader: () => Store
  readonly clock: () => number
}

const STATE = 'backfill:'
const TOP = 5
const MAX_IDENTITIES = 10_000

/**
 * Learns from history in event-time order. Its events are exempt from the limit on late ones; its alerts are stored,
 * never forwarded and not counted against the budget. Errors: BACKFILL_ORDER for an event earlier than the one before.
 */
export const createBackfill =
  (deps: BackfillDeps) =>
  async (events: History, options: BackfillOptions): Promise<BackfillSummary> => {
    const { log, pace, lag, clock } = deps
    const { tenant, name, onProgress = () => {}, signal = new AbortController().signal } = options
    const key = `${STATE}${tenant}:${name}`
    const stored = log.kv.get(key)
    const skip = stored === undefined ? 0 : Number(Buffer.from(stored).toString())
    const fed = await feed(inOrder(events), {
      log,
      tenant,
      name: `backfill:${name}`,
      historic: true,
      skip,
      clock,
      signal,
      async onChunk({ chunks, events: done, eventTimeMs }) {
        await log.kv.put({ [key]: Buffer.from(String(chunks)) })
        const tell = (learning: boolean): void => onProgress({ events: done, eventTimeMs, learning })
        tell(false)
        await pace(tenant, signal, tell)
      },
    })
    while (lag() > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5))
    if (!signal.aborted) await deps.recorded()
    return { events: fed, finished: !signal.aborted, ...(await summaryOf(deps.reader(), tenant)) }
  }

async function* inOrder(events: History): AsyncGenerator<EventInput> {
  let last = 0
  for await (const event of events) {
    const time = typeof event.time === 'number' ? event.time : Date.parse(event.time)
    if (time < last) throw new PlumblineError('BACKFILL_ORDER', 'The history is not in event-time order. Sort it by time first.')
    last = time
    yield event
  }
}

const summaryOf = async (store: Store, tenant: string): Promise<Pick<BackfillSummary, 'alerts' | 'top' | 'identities'>> => {
  const { database } = store
  const newest = `(SELECT id, max(score) AS worst, argMax(headline, revision) AS words, argMax(severity, revision) AS level, min(first_seen) AS first
    FROM ${database}.alerts WHERE tenant = {tenant:String} AND historic = 1 GROUP BY id)`
  const [count] = await store.rows<{ n: number }>(`SELECT count() AS n FROM ${newest}`, { tenant })
  const top = await store.rows<BackfillSummary['top'][number]>(
    `SELECT words AS headline, level AS severity, worst AS score, toUnixTimestamp64Milli(first) AS firstSeen FROM ${newest} ORDER BY worst DESC, first LIMIT ${TOP}`,
    { tenant },
  )
  const identities = await store.rows<BackfillSummary['identities'][number]>(
    `SELECT identity, uniqCombined64Merge(15)(events) AS events, argMaxMerge(maturity) AS maturity
     FROM ${database}.identities WHERE tenant = {tenant:String} GROUP BY identity ORDER BY events DESC, identity LIMIT ${MAX_IDENTITIES}`,
    { tenant },
  )
  return { alerts: Number(count?.n ?? 0), top, identities }
}
