import type { AppendRecord, EventSink } from '@plumbline/detector'
import { eventKey, shardOfKey } from '@plumbline/detector'
import { type Corpus, eventBytes } from '../lib/corpus.ts'

const AT_ONCE = 2_000

/** Events from..to of a corpus as records of their shards. `nowMs` stamps arrival; default: the event's own time. */
export const recordsOf = (corpus: Corpus, shards: number, from: number, to: number, nowMs?: number): AppendRecord[] => {
  const out: AppendRecord[] = []
  let latest = 0
  for (let i = from; i < to; i++) {
    const key = eventKey('default', corpus.identities[corpus.identityOf[i]!]!)
    latest = Math.max(latest, corpus.times[i]!)
    out.push({ shard: shardOfKey(key, shards), ingestTimeMs: nowMs ?? latest, key, value: eventBytes(corpus, i) })
  }
  return out
}

/** Appends records, shard by shard within each request so that batches are full. */
export const fill = async (sink: EventSink, records: readonly AppendRecord[]): Promise<void> => {
  for (let i = 0; i < records.length; i += AT_ONCE) await sink.append(records.slice(i, i + AT_ONCE))
}
