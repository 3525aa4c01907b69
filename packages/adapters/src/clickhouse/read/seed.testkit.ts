import { randomUUID } from 'node:crypto'
import { type Alert, type DeadLetter, IDENTITY_KINDS, type IdentityKind, type Incident, SEVERITIES, type Verdict } from '@plumbline/schemas'
import type { Store } from '../client.ts'

/** ClickHouse's own text of a DateTime64(3). */
const at = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '')

async function insert(store: Store, table: string, rows: readonly object[]): Promise<void> {
  const first = rows[0]
  if (first === undefined) return
  const bytes = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'))
  await store.insert({ table, columns: Object.keys(first), format: 'JSONEachRow', bytes, token: randomUUID() })
}

export interface SeedEvent {
  readonly tenant: string
  readonly identity: string
  readonly kind?: IdentityKind
  readonly time: number
  readonly shard: number
  readonly offset: number
  readonly session?: string
  readonly action?: string
  readonly resourceClass?: string
  readonly resource?: string
  readonly destination?: string
  readonly bytesOut?: number
  readonly score?: number
  readonly flags?: number
}

/** Rows as the recorder stores them, for tests of reading. */
export const seed = {
  events: (store: Store, events: readonly SeedEvent[]): Promise<void> =>
    insert(
      store,
      'scored_events',
      events.map((event) => ({
        tenant: event.tenant,
        identity: event.identity,
        identity_kind: IDENTITY_KINDS.indexOf(event.kind ?? 'agent'),
        event_time: at(event.time),
        ingest_time: at(event.time),
        shard: event.shard,
        offset: event.offset,
        event_id: `e-${event.shard}-${event.offset}`,
        session: event.session ?? '',
        action: event.action ?? 'search',
        resource_class: event.resourceClass ?? 'web',
        resource: event.resource ?? '',
        destination: event.destination ?? '',
        source_ip: '10.0.0.1',
        outcome: 0,
        bytes_in: 1200,
        bytes_out: event.bytesOut ?? 0,
        score: event.score ?? 3,
        tail_log10: 0,
        surprise: 0,
        reconstruction: 0,
        maturity: 0.8,
        flags: event.flags ?? 4,
        release: 'r0',
        catalogue: 1,
        top_features: [],
        top_weights: [],
        features: [],
      })),
    ),
  alerts: (store: Store, alerts: readonly Alert[], delivery = 'delivered'): Promise<void> =>
    insert(
      store,
      'alerts',
      alerts.map((alert) => ({
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
        critical: Number(alert.critical),
        historic: Number(alert.historic),
        delivery,
        first_seen: at(alert.firstSeen),
        last_seen: at(alert.lastSeen),
        count: alert.count,
        suppressed: alert.suppressed,
        group_key: alert.groupKey,
        headline: alert.text.headline,
        session: alert.facts.session ?? '',
        release: alert.replay.releaseId,
        shard: alert.replay.position.shard,
        offset: alert.replay.position.offset,
        alert: JSON.stringify(alert),
      })),
    ),
  verdict: (store: Store, sequence: number, alert: Alert, verdict: Verdict): Promise<void> =>
    insert(store, 'feedback', [
      {
        sequence,
        time: at(alert.lastSeen),
        tenant: alert.facts.tenant,
        alert_id: alert.id,
        identity: alert.facts.identity.id,
        verdict,
        author: 'analyst',
        note: '',
        body: '',
      },
    ]),
  incidents: (store: Store, incidents: readonly Incident[]): Promise<void> =>
    insert(
      store,
      'incidents',
      incidents.map((incident) => ({
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
        first_seen: at(incident.firstSeen),
        last_seen: at(incident.lastSeen),
        headline: incident.text.headline,
        incident: JSON.stringify(incident),
      })),
    ),
  deadLetters: (store: Store, letters: readonly DeadLetter[]): Promise<void> =>
    insert(
      store,
      'dead_letters',
      letters.map((letter, sequence) => ({
        sequence,
        tenant: letter.tenant,
        stage: letter.stage,
        code: letter.code,
        field: letter.field,
        message: letter.message,
        topic: letter.topic,
        shard: letter.shard,
        offset: letter.offset,
        ingest_time: at(letter.ingestTime),
        payload: letter.payload,
      })),
    ),
}
