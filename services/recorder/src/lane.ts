import { createHash } from 'node:crypto'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import { type OutboxEntry, PlumblineError, type Topic } from '@plumbline/schemas'
import { type DecidedBlock, type MakeDecider, decideBlock } from './delivery.ts'
import { createOwnership, type Intent } from './ownership.ts'
import { laneName, readPositions, writePosition } from './positions.ts'
import { type EncodedRows, encodeRows, scoredColumns, targetOf } from './rows.ts'
import { salvage } from './salvage.ts'

/** Places where a test may stop the process. */
export type RecorderPoint =
  | 'recorder:read'
  | 'recorder:intent'
  | 'recorder:inserting'
  | 'recorder:inserted'
  | 'recorder:position'
  | 'recorder:advanced'

export interface LaneContext {
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
  /** Name of this recorder among several; null: it is the only one. */
  readonly owner: string | null
}

/**
 * One lane of a topic on its way into ClickHouse. The range of a block is written down before it is sent, so that after any
 * crash or unknown outcome, here or in another recorder, the same bytes go out again under the same token, which ClickHouse
 * then stores once.
 */
export interface LaneRecorder {
  readonly topic: Topic
  readonly lane: number
  /** Last sequence that is stored, as far as this process knows. */
  position(): number
  /** Whether ClickHouse knows of it. */
  marked(): boolean
  /** Takes the lane: reads the stored position and finishes what a former process began. Error: LANE_LOST, unless it is the first. */
  resume(): Promise<void>
  /** Stores the next block and returns its number of rows; 0 when there is nothing to store. */
  step(): Promise<number>
  /** Tells ClickHouse a position that was reached without rows. */
  mark(): Promise<void>
  /** Gives up all entries before `sequence`, which are gone; resume() comes next. */
  skipTo(sequence: number): Promise<void>
}

const tokenOf = (prefix: string, intent: Intent, parts: readonly Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `${prefix}:${intent.from}-${intent.to}:${hash.digest('hex').slice(0, 32)}`
}

/** Entries of one block: one schema version, so one list of columns. */
const sameShape = (entries: readonly OutboxEntry[]): readonly OutboxEntry[] => {
  const version = entries[0]?.schemaVersion
  const end = entries.findIndex((entry) => entry.schemaVersion !== version)
  return end < 0 ? entries : entries.slice(0, end)
}

export const createLaneRecorder = (context: LaneContext, topic: Topic, lane: number): LaneRecorder => {
  const { log, store, onPoint } = context
  const name = laneName(topic, lane)
  const ownership = createOwnership(log.kv, name, context.owner)
  const tokenPrefix = `${log.id}:${name}`
  let position = 0
  let stored = 0
  let resumed = false
  /** Where the next block of alerts starts deciding from. */
  let deciding: unknown

  const decide = (entries: readonly OutboxEntry[]): DecidedBlock | undefined =>
    topic === 'alerts' && context.makeDecider !== undefined ? decideBlock(context.makeDecider, deciding, entries) : undefined

  /** Entries after one sequence and up to another, piece by piece until `enough`: perhaps not all have come so far. */
  const readRange = async (after: number, to: number, enough = Number.POSITIVE_INFINITY): Promise<readonly OutboxEntry[]> => {
    const range: OutboxEntry[] = []
    for (let at = after; at < to && range.length < enough; ) {
      const entries = await log.outbox.read(topic, at, enough, to, lane)
      range.push(...entries)
      const reached = entries.at(-1)?.sequence ?? log.outbox.passed(topic, at, lane)
      if (reached <= at)
        throw new PlumblineError('OUTBOX_BEHIND', `Lane ${name} cannot be read up to ${to} at the moment.`, { retryable: true })
      at = reached
    }
    return range
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
      await store().insert({ ...targetOf(topic, encoded[0]!.columns), bytes: parts, token: tokenOf(tokenPrefix, intent, parts) })
    } catch (error) {
      if (!isRefusal(error)) throw error
      const insert = (columns: readonly string[], parts: readonly Uint8Array[], piece: string): Promise<void> =>
        store().insert({ ...targetOf(topic, columns), bytes: parts, token: `${tokenPrefix}:${piece}` })
      context.onRefused(topic, await salvage({ log, topic, encode, insert }, entries))
    }
  }

  const record = async (entries: readonly OutboxEntry[], intent: Intent, decided: DecidedBlock | undefined): Promise<number> => {
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0)
    await send(entries, intent, decided)
    onPoint('recorder:inserted')
    await writePosition(store(), log.id, { topic, lane, sequence: intent.to }, rows)
    onPoint('recorder:position')
    position = stored = intent.to
    deciding = decided?.after
    await log.outbox.advance(context.consumer, topic, intent.to, lane)
    onPoint('recorder:advanced')
    return rows
  }

  const finish = async (intent: Intent | null): Promise<void> => {
    if (intent === null) return
    deciding = intent.to <= position ? intent.after : intent.before
    if (intent.to <= position) return
    const [first] = await readRange(position, intent.from, 1)
    // ClickHouse is further back than when the block was begun, like after a restore: all from its position on is sent anew.
    if (first !== undefined && first.sequence < intent.from) return
    // A block that was begun is made of exactly the same entries again.
    const entries = await readRange(intent.from - 1, intent.to)
    if (entries.length > 0) await record(entries, intent, decide(entries))
  }

  return {
    topic,
    lane,
    position: () => position,
    marked: () => stored === position,
    async resume() {
      resumed = false
      await ownership.hold()
      // Before the position: a former owner that still ends a block begins the next only once that one's position is stored.
      const intent = ownership.intent()
      position = stored = (await readPositions(store(), log.id)).get(name) ?? 0
      await finish(intent)
      resumed = true
    },
    async step() {
      if (!resumed) throw new PlumblineError('RECORDER_NOT_RESUMED', 'resume() comes before step().')
      const entries = sameShape(await log.outbox.read(topic, position, context.blockBytes, undefined, lane))
      const last = entries.at(-1)
      if (last === undefined) {
        position = log.outbox.passed(topic, position, lane)
        return 0
      }
      onPoint('recorder:read')
      const decided = decide(entries)
      const intent: Intent = { from: entries[0]!.sequence, to: last.sequence, before: decided?.before, after: decided?.after }
      await ownership.begin(intent)
      onPoint('recorder:intent')
      return record(entries, intent, decided)
    },
    async mark() {
      if (position === stored) return
      ownership.check()
      const at = position
      await writePosition(store(), log.id, { topic, lane, sequence: at }, 0)
      stored = at
      await log.outbox.advance(context.consumer, topic, at, lane)
    },
    async skipTo(sequence) {
      // What alerts were decided so far goes on to count behind the gap.
      const state = ownership.intent()?.after
      await ownership.begin({ from: sequence, to: sequence - 1, before: state, after: state })
      await writePosition(store(), log.id, { topic, lane, sequence: sequence - 1 }, 0)
    },
  }
}

/** The bytes themselves are at fault: ClickHouse says so, or they are not even readable here. */
const isRefusal = (error: unknown): boolean =>
  (error instanceof PlumblineError && error.code === 'STORE_REFUSED_DATA') ||
  error instanceof SyntaxError ||
  error instanceof TypeError ||
  error instanceof RangeError
