import { type DeadLetterView, type EventView, OUTCOMES, remedyOf, SCORED_FLAGS } from '@plumbline/schemas'
import type { Store } from '../client.ts'

interface EventRow {
  readonly time: number
  readonly event_id: string
  readonly shard: number
  readonly offset: number
  readonly session: string
  readonly action: string
  readonly resource_class: string
  readonly resource: string
  readonly destination: string
  readonly source_ip: string
  readonly outcome: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly score: number
  readonly flags: number
}

const COLUMNS =
  'toUnixTimestamp64Milli(event_time) AS time, event_id, shard, offset, session, action, resource_class, resource, destination, source_ip, outcome, bytes_in, bytes_out, score, flags'

const flagNames = (bits: number): EventView['flags'] =>
  (Object.keys(SCORED_FLAGS) as (keyof typeof SCORED_FLAGS)[]).filter((name) => (bits & SCORED_FLAGS[name]) !== 0)

const toEvent = (row: EventRow): EventView => ({
  time: row.time,
  eventId: row.event_id,
  shard: row.shard,
  offset: row.offset,
  session: row.session,
  action: row.action,
  resourceClass: row.resource_class,
  resource: row.resource,
  destination: row.destination,
  sourceIp: row.source_ip,
  outcome: OUTCOMES[row.outcome] ?? 'failure',
  bytesIn: Number(row.bytes_in),
  bytesOut: Number(row.bytes_out),
  score: row.score,
  flags: flagNames(row.flags),
})

interface LetterRow {
  readonly time: number
  readonly tenant: string
  readonly stage: string
  readonly code: string
  readonly field: string
  readonly message: string
  readonly topic: string
  readonly shard: number
  readonly offset: number
  readonly payload: string
}

const PAYLOAD_SHOWN_CHARS = 200

const toLetter = (row: LetterRow): DeadLetterView => ({
  ingestTime: row.time,
  tenant: row.tenant,
  stage: row.stage,
  code: row.code,
  field: row.field,
  message: row.message,
  remedy: remedyOf(row.code),
  topic: row.topic,
  shard: row.shard,
  offset: Number(row.offset),
  payloadStart: Buffer.from(row.payload, 'base64').toString('utf8').slice(0, PAYLOAD_SHOWN_CHARS).toWellFormed(),
})

/** Scored events and refusals. Errors: STORE_UNAVAILABLE (retryable). */
export function eventReader(store: Store) {
  const db = store.database
  return {
    /** The stored ones among these positions, oldest first. */
    async at(
      tenant: string,
      identity: string,
      positions: readonly { readonly shard: number; readonly offset: number }[],
    ): Promise<readonly EventView[]> {
      if (positions.length === 0) return []
      const rows = await store.rows<EventRow>(
        `SELECT ${COLUMNS} FROM ${db}.scored_events WHERE tenant = {tenant:String} AND identity = {identity:String}
           AND has(arrayZip({shards:Array(UInt16)}, {offsets:Array(UInt64)}), (shard, offset))
         ORDER BY event_time, shard, offset LIMIT 1 BY shard, offset`,
        { tenant, identity, shards: positions.map(({ shard }) => shard), offsets: positions.map(({ offset }) => offset) },
      )
      return rows.map(toEvent)
    },
    /** Newest first, of one session when given. */
    async newest(tenant: string, identity: string, session: string | undefined, limit: number): Promise<readonly EventView[]> {
      const rows = await store.rows<EventRow>(
        `SELECT ${COLUMNS} FROM ${db}.scored_events WHERE tenant = {tenant:String} AND identity = {identity:String}
           ${session === undefined ? '' : 'AND session = {session:String}'}
         ORDER BY event_time DESC, shard DESC, offset DESC LIMIT 1 BY shard, offset LIMIT {limit:UInt32}`,
        { tenant, identity, limit, ...(session !== undefined && { session }) },
      )
      return rows.map(toEvent)
    },
    /** Newest first; `tenants` null: of every tenant. */
    async deadLetters(tenants: readonly string[] | null, before: number | undefined, limit: number): Promise<readonly DeadLetterView[]> {
      const where = ['1']
      if (tenants !== null) where.push('tenant IN {tenants:Array(String)}')
      if (before !== undefined) where.push('ingest_time < fromUnixTimestamp64Milli({before:Int64})')
      const rows = await store.rows<LetterRow>(
        `SELECT toUnixTimestamp64Milli(ingest_time) AS time, tenant, stage, code, field, message, topic, shard, offset, payload
         FROM ${db}.dead_letters WHERE ${where.join(' AND ')}
         ORDER BY ingest_time DESC, sequence DESC LIMIT 1 BY stage, sequence, shard, offset LIMIT {limit:UInt32}`,
        { limit, ...(tenants !== null && { tenants: [...tenants] }), ...(before !== undefined && { before }) },
      )
      return rows.map(toLetter)
    },
  }
}
