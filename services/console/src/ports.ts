import type {
  AlertQuery,
  AlertView,
  BlindSpots,
  ChangeState,
  ChangeView,
  DeadLetterView,
  DemoOptions,
  DemoTryAnswer,
  DemoTryRequest,
  EventView,
  IdentitySummary,
  IdentityView,
  Incident,
  IngestNotice,
  ReplayAnswer,
  Severity,
  StatusView,
  Verdict,
  VerdictSummary,
} from '@plumbline/schemas'

/** Order of the list of alerts: newest first by `firstSeen`, or worst first by `score` and then so; last by id descending. */
export type AlertSort = AlertQuery['sort']

/** Place in the list of alerts. Time and id never change for one alert; its score may with a later revision. */
export interface AlertKey {
  readonly firstSeen: number
  readonly id: string
  readonly score: number
}

/** Tenants that are asked for; null: every one. */
export type Tenants = readonly string[] | null

export interface AlertFilter {
  readonly tenants: Tenants
  readonly identity?: string
  /** This severity or worse. */
  readonly minSeverity?: Severity
  /** Last seen at or after this, ms since epoch. */
  readonly since?: number
  /** True: only those found in backfilled history; false: only the others. */
  readonly historic: boolean
  /** What became of it at its newest revision. Absent: whatever did. */
  readonly delivery?: AlertView['delivery']
  readonly sort: AlertSort
}

/** Alerts as stored, each in its highest revision and with the newest verdict. */
export interface AlertStore {
  /** At most `limit` alerts that match, strictly after `after` in the order of the filter. May lag behind the log, never invents. */
  page(filter: AlertFilter, after: AlertKey | null, limit: number): Promise<readonly AlertView[]>
  /** The alert, or null when the store does not know it (yet). Alert ids are unique across tenants. */
  find(id: string): Promise<AlertView | null>
}

/** Scored events and refusals as stored. May lag behind the log. */
export interface EventStore {
  /** The events at these positions that are stored by now, oldest first; at most 32 positions. */
  at(
    tenant: string,
    identity: string,
    positions: readonly { readonly shard: number; readonly offset: number }[],
  ): Promise<readonly EventView[]>
  /** The newest events of one identity (of one session when given), newest first. */
  newest(tenant: string, identity: string, session: string | undefined, limit: number): Promise<readonly EventView[]>
  /** Refused events that arrived before `before` (ms since epoch; absent: now), newest first. */
  deadLetters(tenants: Tenants, before: number | undefined, limit: number): Promise<readonly DeadLetterView[]>
}

/** What is known of identities. Owner and peer group come from the policy, where the deployment has one. */
export interface IdentityStore {
  /** Identities by last activity, newest first; `search` matches a part of the id without case. */
  list(tenants: Tenants, search: string | undefined, limit: number): Promise<readonly IdentitySummary[]>
  /** The identity with its last seven days by the hour (ending with its newest event), or null when unknown. */
  find(tenant: string, identity: string): Promise<IdentityView | null>
}

export interface IncidentFilter {
  readonly tenants: Tenants
  readonly kind?: Incident['kind']
  /** This severity or worse. */
  readonly minSeverity?: Severity
  /** Last seen before this, ms since epoch. */
  readonly before?: number
  /** Refers to this alert. */
  readonly alert?: string
}

/** Incidents across identities as stored, each in its highest revision. May lag behind the log. */
export interface IncidentStore {
  /** At most `limit`, the one last seen first. */
  newest(filter: IncidentFilter, limit: number): Promise<readonly Incident[]>
}

/** Place in the list of announced changes. Never changes for one of them. */
export interface ChangeKey {
  readonly announcedAt: number
  readonly tenant: string
  readonly id: string
}

export interface ChangeFilter {
  readonly tenants: Tenants
  /** What they are now. */
  readonly state?: ChangeState
  /** About an agent or service of this id, or about this peer group; with both, those about either. */
  readonly identity?: string
  readonly peerGroup?: string
}

/** Announced changes that are remembered, bounded per tenant. */
export interface ChangeStore {
  /** At most `limit` that match, strictly after `after`, newest announcement first. */
  page(filter: ChangeFilter, after: ChangeKey | null, limit: number): readonly ChangeView[]
}

/** What became of delivered alerts. May lag behind the log. */
export interface VerdictCounts {
  /** Of alerts last seen at or after `since`, ms since epoch. */
  summary(asked: { readonly tenants: Tenants; readonly since: number }): Promise<VerdictSummary>
}

/** Where verdicts go. Resolves once the verdict survives a crash; the detector applies it at a position it records. */
export interface VerdictSink {
  record(alert: AlertView, verdict: Verdict, author: string, note: string | undefined): Promise<void>
}

/** Where alerts are scored again from what was stored with them. */
export interface ReplaySource {
  /** Refuses with a PlumblineError: REPLAY_PENDING, REPLAY_INCOMPLETE, REPLAY_VERSION_UNSUPPORTED (naming the build that can). */
  replay(alert: AlertView): Promise<ReplayAnswer>
}

/** From how much on each kind of deviation of an identity alerts. */
export interface BlindSpotSource {
  /** What was found last; null: nothing yet. */
  of(tenant: string, identity: string): BlindSpots | null
  /** Measures now; null where there is no such identity. Refuses with a PlumblineError whose code says why. */
  measure(tenant: string, identity: string): Promise<BlindSpots | null>
}

/** How the deployment is doing, in numbers of these tenants. Called about once a second, not per viewer: cheap, never throws. */
export interface StatusSource {
  now(tenants: Tenants): StatusView
}

/** The demo tenant, where there is one. Refuses with a PlumblineError whose code says why. */
export interface DemoControl {
  /** What can be tried; null once the demo was removed or before its day has been replayed. */
  options(): DemoOptions | null
  /** Sends the events of one act through the ordinary door; resolves when they are durable. */
  play(request: DemoTryRequest): Promise<DemoTryAnswer>
  /** Removes the demo tenant: its state, model, rows and alerts. Idempotent. */
  remove(): Promise<void>
}

/** Sees what enters the door, after it is durable and its identity is resolved. Demo events are left out. */
export interface IngestWatch {
  /** Calls back with the newest event of each identity of a request, at any rate; returns how to stop. */
  watch(listener: (notices: readonly IngestNotice[]) => void): () => void
}

/** Counts for metrics. Must not throw. */
export interface ConsoleObserver {
  /** Viewers of the stream now. */
  viewers(count: number): void
  /** A viewer was cut off because it read too slowly, or turned away because there are too many. */
  turnedAway(why: 'slow' | 'full'): void
  verdict(verdict: Verdict): void
}
