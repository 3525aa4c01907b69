import type { Batch, FetchedBatch, FetchedPartition } from 'kafkajs'
import type { StoredRecord } from './record.ts'
import { decodeBatches } from './record-batches.ts'

/** What a fetch brought of one partition, as the client's loop wants it and with what its readers want. */
export interface Fetched extends FetchedBatch {
  readonly messages: readonly StoredRecord[]
  /** Offset that was asked for. */
  readonly from: number
  /** Offset behind all that was looked at, also where all of it were markers or aborted records. */
  readonly next: number
}

/**
 * Decodes what a fetch brought, in place of the client (createBatch of the patch): it makes some twenty objects for each record,
 * of which its events, kept for a moment, are the least. Error: TOPIC_UNREADABLE.
 */
export const fetchedBatch = async (
  topic: string,
  fetchedOffset: string,
  { partition, highWatermark, abortedTransactions, messages: bytes }: FetchedPartition,
): Promise<Fetched> => {
  const from = Number(fetchedOffset)
  const { records, next } = await decodeBatches(bytes, from, abortedTransactions)
  const end = Number(highWatermark)
  const nothing = next === from
  const last = nothing ? end - 1 : next - 1
  return {
    topic,
    partition,
    highWatermark,
    messages: records,
    from,
    next,
    isEmpty: () => records.length === 0,
    isEmptyDueToFiltering: () => records.length === 0 && !nothing,
    firstOffset: () => (nothing ? null : fetchedOffset),
    lastOffset: () => String(last),
    offsetLag: () => String(end - 1 - last),
    offsetLagLow: () => (nothing ? '0' : String(end - 1 - from)),
  }
}

/** The batch that the client hands out is the one it was given. */
export const asFetched = (batch: Batch): Fetched => batch as unknown as Fetched
