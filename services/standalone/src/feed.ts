import { type AppendRecord, canonicalEvent, type DeploymentLog, eventKey, shardOfKey } from '@plumbline/detector'
import { Event, type EventInput } from '@plumbline/schemas'

/** An event as a record of the log. Throws ZodError for an event that is none. */
const recordOf = (input: EventInput, shards: number, ingestTimeMs: number): AppendRecord => {
  const event = Event.parse(input)
  const key = eventKey(event.tenant, event.identity.id)
  return { shard: shardOfKey(key, shards), ingestTimeMs, key, value: canonicalEvent(event) }
}

/** Arrival times of a replay: max(previous, event time), as contracts C2 say. */
const replayClock = (): ((eventTimeMs: number) => number) => {
  let last = 0
  return (eventTimeMs) => {
    last = Math.max(last, eventTimeMs)
    return last
  }
}

export interface FeedOptions {
  readonly log: Pick<DeploymentLog, 'ingest' | 'shards'>
  readonly tenant: string
  /** Names this feed for ever: its chunks enter the log once, however often it is tried. */
  readonly name: string
  /** Events per chunk. */
  readonly chunk?: number
  /** Chunks that are in the log already. */
  readonly skip?: number
  readonly clock: () => number
  /** Called after each durable chunk; may wait, which holds the feed back. */
  readonly onChunk?: (done: { readonly chunks: number; readonly events: number; readonly eventTimeMs: number }) => void | Promise<void>
  readonly signal?: AbortSignal
}

/**
 * Feeds events in event-time order straight into the log with event-time arrival, chunk by chunk, each exactly once.
 * Returns the number of events. Stops between chunks when `signal` fires.
 */
export const feed = async (events: Iterable<EventInput>, options: FeedOptions): Promise<number> => {
  const { log, tenant, name, chunk = 500, skip = 0, clock, onChunk = () => {}, signal } = options
  const arrival = replayClock()
  let records: AppendRecord[] = []
  let chunks = 0
  let fed = 0
  let eventTimeMs = 0
  const flush = async (): Promise<void> => {
    chunks++
    fed += records.length
    if (chunks > skip) {
      await log.ingest({ records, idempotency: { tenant, key: `feed:${name}:${chunks}`, answer: new Uint8Array(0), nowMs: clock() } })
      await onChunk({ chunks, events: fed, eventTimeMs })
    }
    records = []
  }
  for (const input of events) {
    const record = recordOf({ ...input, tenant }, log.shards, 0)
    eventTimeMs = timeOf(input)
    records.push({ ...record, ingestTimeMs: arrival(eventTimeMs) })
    if (records.length < chunk) continue
    await flush()
    if (signal?.aborted === true) return fed
  }
  if (records.length > 0) await flush()
  return fed
}

const timeOf = (input: EventInput): number => (typeof input.time === 'number' ? input.time : Date.parse(input.time))
