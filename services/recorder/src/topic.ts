import { createHash } from 'node:crypto'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import { type OutboxEntry, PlumblineError, type Topic } from '@plumbline/schemas'
import { type DecidedBlock, type MakeDecider, decideBlock } from './delivery.ts'
import { salvage } from './salvage.ts'
import { type EncodedRows, encodeRows, scoredColumns, targetOf } from './rows.ts'

/** Places where a test may stop the process. */
export type RecorderPoint =
  | 'recorder:read'
  | 'recorder:intent'
  | 'recorder:inserting'
  | 'recorder:inserted'
  | 'recorder:position'
  | 'recorder:advanced'

export interface TopicLimits {
  /** Most bytes of one insert. */
  readonly blockBytes: number
}

export interface TopicContext {
  readonly log: Pick<DeploymentLog, 'id' | 'outbox' | 'kv' | 'publish'>
  /** The store as it is now; may be another one after a restart of the engine. */
  readonly store: () => Store
  readonly consumer: string
  readonly blockBytes: number
  readonly onPoint: (point: RecorderPoint) => void
  /** Decides what becomes of alerts; absent: all are delivered. */
  readonly makeDecider: MakeDecider | undefined
  /** Counts rows that were refused one by one. */
  readonly onRefused: (topic: Topic, rows: number) => void
}

interface Intent {
  readonly from: number
  readonly to: number
  /** Deciding state before and after the block; only for alerts. */
  readonly before?: unknown
  readonly after?: unknown
}

/**
 * One topic on its way into ClickHouse. The range of a block is written down before it is sent, so that after any crash
 * or unknown outcome the same bytes go out again under the same token, which ClickHouse then stores once.
 */
export interface TopicRecorder {
  readonly topic: Topic
  /** Last sequence that is stored, as far as this process knows. */
  position(): number
  /** Reads the stored position and finishes what a former process began. */
  resume(): Promise<void>
  /** Stores the next block and returns its number of rows; 0 when there is nothing to store. */
  step(): Promise<number>
}

const intentKey = (topic: Topic): string => `recorder:intent:${topic}`

const token = (logId: string, topic: Topic, intent: Intent, parts: readonly Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `${logId}:${topic}:${intent.from}-${intent.to}:${hash.digest('hex').slice(0, 32)}`
}

export const createTopicRecorder = (context: TopicContext, topic: Topic): TopicRecorder => {
  const { log, store, onPoint } = context
  let position = 0
  let resumed = false
  /** Where the next block of alerts starts deciding from. */
  let deciding: unknown

  const decide = (entries: readonly OutboxEntry[]): DecidedBlock | undefined =>
    topic === 'alerts' && context.makeDecider !== undefined ? decideBlock(context.makeDecider, deciding, entries) : undefined

  const readPosition = async (): Promise<number> => {
    const [row] = await store().rows<{ sequence: number }>(
      `SELECT max(sequence) AS sequence FROM ${store().database}.recorder_positions WHERE log = {log:String} AND topic = {topic:String}`,
      { log: log.id, topic },
    )
    return Number(row?.sequence ?? 0)
  }

  const writePosition = (to: number, rows: number): Promise<void> =>
    store().insert({
      table: 'recorder_positions',
      columns: ['log', 'topic', 'sequence', 'rows'],
      format: 'JSONEachRow',
      bytes: Buffer.from(`${JSON.stringify({ log: log.id, topic, sequence: to, rows })}\n`),
      token: `${log.id}:${topic}:position:${to}`,
    })

  /** Entries of one block: one schema version, so one list of columns. */
  const sameShape = (entries: readonly OutboxEntry[]): readonly OutboxEntry[] => {
    const version = entries[0]?.schemaVersion
    const end = entries.findIndex((entry) => entry.schemaVersion !== version)
    return end < 0 ? entries : entries.slice(0, end)
  }

  const send = async (entries: readonly OutboxEntry[], intent: Intent, decided: DecidedBlock | undefined): Promise<void> => {
    const encode = (entry: OutboxEntry): EncodedRows => encodeRows(entry, decided?.decisions.get(entry.sequence))
    const version = entries[0]!.schemaVersion
    if (topic === 'scored' && scoredColumns(version) === undefined) {
      throw new PlumblineError(
        'SCORED_SCHEMA_UNKNOWN',
        `Scored rows have schema version ${version}, which this build does not know. Start the newer Plumbline that wrote them.`,
      )
    }
    try {
      const encoded = entries.map(encode)
      const parts = encoded.map(({ bytes }) => bytes)
      onPoint('recorder:inserting')
      await store().insert({ ...targetOf(topic, encoded[0]!.columns), bytes: parts, token: token(log.id, topic, intent, parts) })
    } catch (error) {
      if (!isRefusal(error)) throw error
      const insert = (columns: readonly string[], parts: readonly Uint8Array[], name: string): Promise<void> =>
        store().insert({ ...targetOf(topic, columns), bytes: parts, token: `${log.id}:${topic}:${name}` })
      context.onRefused(topic, await salvage({ log, topic, encode, insert }, entries))
    }
  }

  const record = async (entries: readonly OutboxEntry[], intent: Intent, decided: DecidedBlock | undefined): Promise<number> => {
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0)
    await send(entries, intent, decided)
    onPoint('recorder:inserted')
    await writePosition(intent.to, rows)
    onPoint('recorder:position')
    position = intent.to
    deciding = decided?.after
    await log.outbox.advance(context.consumer, topic, intent.to)
    onPoint('recorder:advanced')
    return rows
  }

  const finishIntent = async (): Promise<void> => {
    const stored = log.kv.get(intentKey(topic))
    if (stored === undefined) return
    const intent = JSON.parse(Buffer.from(stored).toString()) as Intent
    deciding = intent.to <= position ? intent.after : intent.before
    if (intent.to <= position) return
    const entries = await log.outbox.read(topic, intent.from - 1, Number.POSITIVE_INFINITY, intent.to)
    if (entries.length > 0) await record(entries, intent, decide(entries))
  }

  return {
    topic,
    position: () => position,
    async resume() {
      resumed = false
      position = Math.max(await readPosition(), await log.outbox.cursor(context.consumer, topic))
      await finishIntent()
      resumed = true
    },
    async step() {
      if (!resumed) throw new PlumblineError('RECORDER_NOT_RESUMED', 'resume() comes before step().')
      const entries = sameShape(await log.outbox.read(topic, position, context.blockBytes))
      const last = entries.at(-1)
      if (last === undefined) return 0
      onPoint('recorder:read')
      const decided = decide(entries)
      const intent: Intent = { from: entries[0]!.sequence, to: last.sequence, before: decided?.before, after: decided?.after }
      await log.kv.put({ [intentKey(topic)]: Buffer.from(JSON.stringify(intent)) })
      onPoint('recorder:intent')
      return record(entries, intent, decided)
    },
  }
}

/** The bytes themselves are at fault: ClickHouse says so, or they are not even readable here. */
const isRefusal = (error: unknown): boolean =>
  (error instanceof PlumblineError && error.code === 'STORE_REFUSED_DATA') ||
  error instanceof SyntaxError ||
  error instanceof TypeError ||
  error instanceof RangeError
