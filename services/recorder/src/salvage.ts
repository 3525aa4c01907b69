import type { DeploymentLog } from '@plumbline/detector'
import { DEAD_LETTER_PAYLOAD_BYTES, type DeadLetter, type OutboxEntry, PlumblineError, type Topic } from '@plumbline/schemas'
import { readRowHead, splitScoredRows } from './row-binary.ts'
import type { EncodedRows } from './rows.ts'

export interface SalvageContext {
  readonly topic: Topic
  readonly log: Pick<DeploymentLog, 'publish'>
  readonly encode: (entry: OutboxEntry) => EncodedRows
  /** `name` makes the token of this piece: the same piece gets the same name after a crash. */
  readonly insert: (columns: readonly string[], parts: readonly Uint8Array[], name: string) => Promise<void>
}

const isRefused = (error: unknown): boolean => !(error instanceof PlumblineError) || error.code === 'STORE_REFUSED_DATA'

const deadLetter = (entry: OutboxEntry, bytes: Uint8Array, error: unknown): DeadLetter => {
  const head = entry.topic === 'scored' ? readRowHead(bytes) : { tenant: '', ingestTime: 0, shard: entry.shard, offset: entry.firstOffset }
  return {
    v: 1,
    stage: 'recorder',
    code: 'STORE_REFUSED',
    field: '',
    message: error instanceof Error ? error.message.slice(0, 500) : String(error),
    tenant: head.tenant,
    topic: entry.topic,
    shard: entry.shard,
    offset: head.offset || entry.firstOffset,
    ingestTime: head.ingestTime,
    payload: Buffer.from(bytes.subarray(0, DEAD_LETTER_PAYLOAD_BYTES)).toString('base64'),
  }
}

/**
 * Stores what can be stored of a refused block: halves it again and again until single bad rows remain, which become dead
 * letters. A bad row never holds up the others (contracts C12). Returns the number of rows given up.
 */
export const salvage = async (context: SalvageContext, entries: readonly OutboxEntry[]): Promise<number> => {
  const letters: DeadLetter[] = []
  for (const entry of entries) letters.push(...(await salvageEntry(context, entry)))
  // A dead letter that cannot be stored itself must not make another one for ever.
  if (letters.length > 0 && context.topic !== 'dead-letters') await context.log.publish('dead-letters', letters)
  return letters.length
}

const salvageEntry = async (context: SalvageContext, entry: OutboxEntry): Promise<DeadLetter[]> => {
  let columns: readonly string[]
  let rows: readonly Uint8Array[]
  let rest: Uint8Array = new Uint8Array(0)
  try {
    const encoded = context.encode(entry)
    columns = encoded.columns
    rows = [encoded.bytes]
    if (entry.topic === 'scored') ({ rows, rest } = splitScoredRows(encoded.bytes, entry.schemaVersion))
  } catch (error) {
    return [deadLetter(entry, entry.payload, error)]
  }
  const letters = await insertHalving(context, entry, columns, rows, 0)
  if (rest.length > 0) letters.push(deadLetter(entry, rest, new Error('The block ends in the middle of a row.')))
  return letters
}

const insertHalving = async (
  context: SalvageContext,
  entry: OutboxEntry,
  columns: readonly string[],
  rows: readonly Uint8Array[],
  first: number,
): Promise<DeadLetter[]> => {
  if (rows.length === 0) return []
  try {
    await context.insert(columns, rows, `${entry.sequence}:${first}+${rows.length}`)
    return []
  } catch (error) {
    if (!isRefused(error)) throw error
    if (rows.length === 1) return [deadLetter(entry, rows[0]!, error)]
    const half = rows.length >> 1
    const left = await insertHalving(context, entry, columns, rows.slice(0, half), first)
    return [...left, ...(await insertHalving(context, entry, columns, rows.slice(half), first + half))]
  }
}
