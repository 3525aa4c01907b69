import { type OutboxEntry, SEVERITIES, scoredColumnsOf, type Topic, type TopicRecord } from '@plumbline/schemas'

/** Where a topic's entries go and in which columns. */
export interface Target {
  readonly table: string
  readonly format: 'RowBinary' | 'JSONEachRow'
  readonly columns: readonly string[]
}

const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
const text = new TextDecoder()

type Row = Readonly<Record<string, unknown>>
type JsonTopic = Exclude<Topic, 'scored'>

/** What kind of subject an event is about, as it says itself; empty where it cannot be read. */
const kindIn = (event: string): string => {
  try {
    const { identity } = JSON.parse(Buffer.from(event, 'base64').toString()) as { identity?: { kind?: unknown } }
    return typeof identity?.kind === 'string' ? identity.kind : ''
  } catch {
    return ''
  }
}

const toRow: { [T in JsonTopic]: (record: TopicRecord[T], entry: OutboxEntry, delivery?: string) => Row } = {
  alerts: (alert, entry, delivery) => ({
    tenant: alert.facts.tenant,
    id: alert.id,
    revision: alert.revision,
    activity: alert.activity,
    identity: alert.facts.identity.id,
    identity_kind: alert.facts.identity.kind,
    family: alert.family,
    severity: alert.severity,
    severity_rank: SEVERITIES.indexOf(alert.severity),
    score: alert.score,
    risk: alert.risk,
    critical: alert.critical ? 1 : 0,
    historic: alert.historic ? 1 : 0,
    delivery: delivery ?? (alert.historic ? 'historic' : 'delivered'),
    first_seen: time(alert.firstSeen),
    last_seen: time(alert.lastSeen),
    count: alert.count,
    suppressed: alert.suppressed,
    group_key: alert.groupKey,
    headline: alert.text.headline,
    session: alert.facts.session ?? '',
    release: alert.replay.releaseId,
    shard: entry.shard,
    offset: alert.replay.position.offset,
    alert: JSON.stringify(alert),
  }),
  capsules: (capsule) => ({
    alert_id: capsule.alertId,
    revision: capsule.revision,
    identity_kind: kindIn(capsule.event),
    capsule: JSON.stringify(capsule),
  }),
  'dead-letters': (letter, entry) => ({
    // A refusal at the door has no position; elsewhere the position makes a repeated letter the same row.
    sequence: letter.stage === 'door' ? entry.sequence : 0,
    tenant: letter.tenant,
    stage: letter.stage,
    code: letter.code,
    field: letter.field,
    message: letter.message,
    topic: letter.topic,
    shard: Math.max(0, letter.shard),
    offset: Math.max(0, letter.offset),
    ingest_time: time(letter.ingestTime),
    payload: letter.payload,
  }),
  feedback: (record, entry) => ({
    sequence: entry.sequence,
    time: time(record.time),
    tenant: record.tenant,
    alert_id: record.alertId,
    identity: record.identity,
    verdict: record.verdict,
    author: record.author,
    note: record.note,
    body: JSON.stringify(record),
  }),
  releases: (record, entry) => ({
    sequence: entry.sequence,
    time: time(record.time),
    tenant: record.tenant,
    release_id: record.releaseId,
    sha256: record.sha256,
    body: JSON.stringify(record.body ?? null),
  }),
  incidents: (incident) => ({
    tenant: incident.tenant,
    id: incident.id,
    revision: incident.revision,
    kind: incident.kind,
    severity: incident.severity,
    severity_rank: SEVERITIES.indexOf(incident.severity),
    cause_kind: incident.cause.kind,
    cause: incident.cause.value,
    identities: incident.identities.map(({ id }) => id),
    identity_count: incident.identityCount,
    alerts: incident.alerts,
    events: incident.events,
    first_seen: time(incident.firstSeen),
    last_seen: time(incident.lastSeen),
    headline: incident.text.headline,
    incident: JSON.stringify(incident),
  }),
  audit: (record, entry) => ({
    sequence: entry.sequence,
    time: time(record.time),
    tenant: record.tenant,
    actor: record.actor,
    action: record.action,
    target: record.target,
    body: JSON.stringify(record.body ?? null),
  }),
}

const TABLES: Readonly<Record<Topic, string>> = {
  scored: 'scored_events',
  alerts: 'alerts',
  capsules: 'capsules',
  'dead-letters': 'dead_letters',
  feedback: 'feedback',
  releases: 'releases',
  audit: 'audit',
  incidents: 'incidents',
}

/** Columns that a scored block of a schema version carries; undefined when this build does not know the version. */
export const scoredColumns = (schemaVersion: number): readonly string[] | undefined =>
  scoredColumnsOf(schemaVersion)?.map(({ name }) => name)

export interface EncodedRows {
  readonly columns: readonly string[]
  readonly bytes: Uint8Array
}

/** One entry as the bytes of its rows. Scored blocks pass through unparsed. `delivery` is what was decided for an alert. */
export const encodeRows = (entry: OutboxEntry, delivery?: string): EncodedRows => {
  if (entry.topic === 'scored') return { columns: scoredColumns(entry.schemaVersion) ?? [], bytes: entry.payload }
  const convert = toRow[entry.topic] as (record: unknown, entry: OutboxEntry, delivery?: string) => Row
  const row = convert(JSON.parse(text.decode(entry.payload)), entry, delivery)
  return { columns: Object.keys(row), bytes: Buffer.from(`${JSON.stringify(row)}\n`) }
}

export const targetOf = (topic: Topic, columns: readonly string[]): Target => ({
  table: TABLES[topic],
  format: topic === 'scored' ? 'RowBinary' : 'JSONEachRow',
  columns,
})
