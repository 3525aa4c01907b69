import type { AppendRecord, ChunkCommit, LogRecord, ScoredBlock, SlotWrite } from '@plumbline/detector'
import { type Alert, type AlertCapsule, type DeadLetter, PlumblineError, SCORED_COLUMNS, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import type { IHeaders, Message } from 'kafkajs'
import { type ReadRecord, StoredRecord } from './record.ts'
import type { TopicKind } from './topics.ts'

/**
 * Records as they are in Kafka. Every key begins with an ASCII letter and a colon that says what the record is:
 *   events       `e:` `h:` `c:`  as the detector reads them, byte for byte
 *                `g:`  nothing: keeps the place of an offset that was none in the topics this was restored from
 *   state        `s:` + identity key (8 bytes): a slot · `m:` + name: named state · `o:next`: position of the next event
 *                `o:snapshot`: position that slots and named state stand for, where it is not that of the next event (snapshots.ts)
 *                `o:passed`: position behind markers and aborted records that follow `o:next`: no event lies between
 *                `b:barrier`: a take-over, value = its nonce
 *   scored       `r:` shard `:` first offset: one RowBinary block of a whole chunk
 *   alerts       `a:` alert id: Alert as JSON · `k:` alert id: AlertCapsule as JSON · `i:` incident id: Incident as JSON
 *   dead-letters `d:` shard `:` offset: DeadLetter as JSON
 *   feedback     `f:` alert id: FeedbackRecord as JSON
 *   audit        `u:` action: AuditRecord as JSON · `l:` release id: ReleaseRecord as JSON
 *   models       `v:` name: a named value `release:*` · `p:` name `:` number: a part of a large one (values.ts)
 *   values       the same of all other named values
 *   ingest-keys  `i:` tenant and key, hashed: the first answer to an Idempotency-Key
 */
export const BARRIER_KEY = 'b:barrier'
const NEXT_KEY = 'o:next'
const SNAPSHOT_KEY = 'o:snapshot'
const PASSED_KEY = 'o:passed'
export const GAP_KEY = 'g:gap'
const SLOT = 's:'
const META = 'm:'

/**
 * Arrival time (contracts C2), ms since epoch in decimal. It is not the record's timestamp: that is the broker's time of
 * storing, by which retention counts. A record without it (written by somebody else's producer) arrived when it was stored.
 */
export const INGEST_HEADER = 'ingest-ms'

const NOTHING = Buffer.alloc(0)
const slotPrefix = Buffer.from(SLOT)

/** The same memory as a Buffer, which is what kafkajs wants. */
const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

export const eventMessage = ({ shard, key, value, ingestTimeMs }: AppendRecord): Message => ({
  partition: shard,
  key: view(key),
  value: view(value),
  headers: { [INGEST_HEADER]: String(ingestTimeMs) },
})

const GAP_START = GAP_KEY.charCodeAt(0)
export const isGap = (record: ReadRecord): boolean => {
  if (record instanceof StoredRecord && record.kind !== GAP_START) return false
  return record.key?.toString('latin1') === GAP_KEY
}

const ingestName = Buffer.from(INGEST_HEADER)

const ingestTimeOf = (record: ReadRecord): number => {
  const plain = record instanceof StoredRecord ? record.onlyNumber(ingestName) : -1
  if (plain >= 0) return plain
  const header = record.headers[INGEST_HEADER]
  const stamped = header === undefined ? Number.NaN : Number(header.toString() || Number.NaN)
  return Number.isFinite(stamped) ? stamped : record.timestampMs
}

/** `base`: see Bases. */
export const toLogRecord = (record: ReadRecord, base = 0): LogRecord => ({
  offset: record.offset + base,
  ingestTimeMs: ingestTimeOf(record),
  key: record.key ?? NOTHING,
  value: record.value ?? NOTHING,
})

const slotMessage = (partition: number, { key, bytes }: SlotWrite): Message => ({
  partition,
  key: Buffer.concat([slotPrefix, key]),
  value: view(bytes),
})

/** A position that state stands for, and the version of the detector that made it so. */
export interface Snapshot {
  readonly offset: number
  /** Null: not said, as by builds that did not write it. */
  readonly detector: string | null
}

/** In a header, which builds that do not know it pass over. */
const DETECTOR_HEADER = 'detector'

const snapshotMessage = (partition: number, { offset, detector }: Snapshot): Message => ({
  partition,
  key: SNAPSHOT_KEY,
  value: String(offset),
  ...(detector === null ? {} : { headers: { [DETECTOR_HEADER]: detector } }),
})

/** Where outputs end, and where it differs the position that the state stands for. */
export const positionMessages = (partition: number, nextOffset: number, snapshot?: Snapshot): Message[] => [
  ...(snapshot === undefined ? [] : [snapshotMessage(partition, snapshot)]),
  { partition, key: NEXT_KEY, value: String(nextOffset) },
]

export const passedMessage = (partition: number, offset: number): Message => ({ partition, key: PASSED_KEY, value: String(offset) })

/** Everything of a chunk that belongs to the state topic; the positions are last, as they are what the rest stands for. */
export const stateMessages = (
  { shard, slots, meta, nextOffset }: Pick<ChunkCommit, 'shard' | 'slots' | 'meta' | 'nextOffset'>,
  snapshot?: Snapshot,
): Message[] => [
  ...slots.map((slot) => slotMessage(shard, slot)),
  ...meta.map(({ name, bytes }) => ({ partition: shard, key: `${META}${name}`, value: view(bytes) })),
  ...positionMessages(shard, nextOffset, snapshot),
]

/** What one state record says. */
export type StateEntry =
  | { readonly kind: 'slot'; readonly key: Buffer; readonly bytes: Buffer | null }
  | { readonly kind: 'meta'; readonly name: string; readonly bytes: Buffer | null }
  | { readonly kind: 'next'; readonly offset: number }
  | ({ readonly kind: 'snapshot' } & Snapshot)
  | { readonly kind: 'passed'; readonly offset: number }
  | { readonly kind: 'barrier'; readonly nonce: string }

export const readState = ({ key, value, offset, headers }: ReadRecord): StateEntry => {
  const name = (key ?? NOTHING).toString('latin1')
  if (name.startsWith(SLOT)) return { kind: 'slot', key: key!.subarray(2), bytes: value }
  if (name.startsWith(META)) return { kind: 'meta', name: key!.subarray(2).toString(), bytes: value }
  if (name === NEXT_KEY) return { kind: 'next', offset: Number((value ?? NOTHING).toString()) }
  if (name === SNAPSHOT_KEY)
    return { kind: 'snapshot', offset: Number((value ?? NOTHING).toString()), detector: headers?.[DETECTOR_HEADER]?.toString() ?? null }
  if (name === PASSED_KEY) return { kind: 'passed', offset: Number((value ?? NOTHING).toString()) }
  if (name === BARRIER_KEY) return { kind: 'barrier', nonce: (value ?? NOTHING).toString() }
  throw new PlumblineError(
    'STATE_RECORD_UNKNOWN',
    `The state topic holds a record this build does not know, at offset ${offset}. Start the newer Plumbline that wrote it.`,
  )
}

/** `name wire` of each column in the order of the block's bytes, so that a reader needs no other source. */
const COLUMNS = SCORED_COLUMNS.map(({ name, wire }) => `${name} ${wire}`).join(',')

export const positionHeaders = (shard: number, offset: number): IHeaders => ({ shard: String(shard), offset: String(Math.max(0, offset)) })

const scoredMessage = (shard: number, block: ScoredBlock): Message => {
  const { firstOffset, lastOffset, rows, schemaVersion, bytes } = block
  if (schemaVersion !== SCORED_SCHEMA_VERSION)
    throw new PlumblineError('SCHEMA_VERSION_UNKNOWN', `Scored rows of version ${schemaVersion} cannot be described by this build.`)
  return {
    key: `r:${shard}:${firstOffset}`,
    value: view(bytes),
    headers: {
      ...positionHeaders(shard, firstOffset),
      'last-offset': String(lastOffset),
      rows: String(rows),
      'schema-version': String(schemaVersion),
      format: 'RowBinary',
      columns: COLUMNS,
    },
  }
}

export const alertMessage = (shard: number, alert: Alert): Message => ({
  key: `a:${alert.id}`,
  value: json(alert),
  headers: positionHeaders(shard, alert.replay.position.offset),
})

export const capsuleMessage = (shard: number, capsule: AlertCapsule): Message => ({
  key: `k:${capsule.alertId}`,
  value: json(capsule),
  headers: positionHeaders(shard, capsule.replay.position.offset),
})

export const letterMessage = (shard: number, letter: DeadLetter): Message => ({
  key: `d:${shard}:${letter.offset}`,
  value: json(letter),
  headers: positionHeaders(shard, letter.offset),
})

/** What a chunk puts out, per topic. A shard's records stay in one partition of each topic, and so in order. */
export const outboxMessages = (
  commit: ChunkCommit,
  partitions: ReadonlyMap<TopicKind, number>,
): { readonly kind: TopicKind; readonly messages: Message[] }[] => {
  const { shard, scored, alerts, capsules, deadLetters } = commit
  const placed = (kind: TopicKind, messages: Message[]) => ({
    kind,
    messages: messages.map((message) => ({ ...message, partition: shard % (partitions.get(kind) ?? 1) })),
  })
  return [
    placed('alerts', [...alerts.map((alert) => alertMessage(shard, alert)), ...capsules.map((capsule) => capsuleMessage(shard, capsule))]),
    placed('scored', scored === null || scored.rows === 0 ? [] : [scoredMessage(shard, scored)]),
    placed(
      'dead-letters',
      deadLetters.map((letter) => letterMessage(shard, letter)),
    ),
  ]
}
