import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type MetricKind = 'counter' | 'gauge' | 'histogram'

export interface MetricDeclaration {
  readonly kind: MetricKind
  readonly help: string
  readonly labels?: readonly string[]
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[]
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Every metric of every service, declared once: docs and dashboards read this list. Labels never hold tenant-chosen text. */
export const METRICS = {
  plumbline_ingest_requests_total: {
    kind: 'counter',
    help: 'Requests at the door, by route and answer status',
    labels: ['route', 'status'],
  },
  plumbline_ingest_events_total: { kind: 'counter', help: 'Events made durable at the door, by source', labels: ['source'] },
  plumbline_ingest_rejected_total: { kind: 'counter', help: 'Events refused at the door, by reason code', labels: ['code'] },
  plumbline_requests_refused_total: {
    kind: 'counter',
    help: 'Requests refused whole, at the door or by what guards every route, by reason code',
    labels: ['code'],
  },
  plumbline_ingest_ignored_total: {
    kind: 'counter',
    help: 'Inputs that carry no event (like spans of other kinds), by reason',
    labels: ['reason'],
  },
  plumbline_ingest_fields_left_out_total: {
    kind: 'counter',
    help: 'Fields of accepted events that this version does not know and that fitted no attribute',
  },
  plumbline_ingest_bytes_total: { kind: 'counter', help: 'Bytes received at the door, as sent' },
  plumbline_ingest_seconds: { kind: 'histogram', help: 'Time from request to durable answer', labels: ['route'], buckets: SECONDS },
  plumbline_ingest_inflight_bytes: { kind: 'gauge', help: 'Bytes of requests accepted and not yet durable' },
  plumbline_events_read_total: {
    kind: 'counter',
    help: 'Records of stored chunks, event or control (INV-2: their sum is scored + dead letters of decode and identify + diverted)',
    labels: ['kind'],
  },
  plumbline_stage_outcomes_total: {
    kind: 'counter',
    help: 'Records by stage and outcome: pass, reject (a dead letter), divert (a control record); the stages not named pass all on',
    labels: ['stage', 'outcome'],
  },
  plumbline_events_replayed_total: {
    kind: 'counter',
    help: 'Events computed once more after a take-over because state is written less often than outputs; nothing of them is put out again',
  },
  plumbline_events_scored_total: { kind: 'counter', help: 'Events scored and recorded' },
  plumbline_dead_letters_total: {
    kind: 'counter',
    help: 'Dead letters written, by stage (door, decode, identify, recorder) and reason code',
    labels: ['stage', 'code'],
  },
  plumbline_events_duplicate_total: { kind: 'counter', help: 'Events whose id was seen before: stored, not scored for alerts' },
  plumbline_events_late_total: { kind: 'counter', help: 'Events too late to be learned from: scored, marked' },
  plumbline_alerts_total: { kind: 'counter', help: 'Alert revisions, by severity and delivery', labels: ['severity', 'delivery'] },
  plumbline_alerts_suppressed_total: {
    kind: 'counter',
    help: 'What could have alerted and did not: events by exception, safe, maintenance, calendar, announced (as an announced change has it) or grouped (in an alert that is there); alert revisions held back by the budget',
    labels: ['reason'],
  },
  plumbline_deliveries_total: {
    kind: 'counter',
    help: 'What receivers did: alerts delivered, alerts refused for ever and passed over (and those nobody can read: damaged), tries that failed and are repeated',
    labels: ['sink', 'outcome'],
  },
  plumbline_incidents_total: {
    kind: 'counter',
    help: 'Incidents across identities, by kind and severity; revision: first, or one more of the same',
    labels: ['kind', 'severity', 'revision'],
  },
  plumbline_correlator_lag_rows: { kind: 'gauge', help: 'Scored rows in which incidents have not been looked for yet' },
  plumbline_correlator_left_out: {
    kind: 'gauge',
    help: 'What incidents were made without since this process began: late (it made a new revision), too_late, overflow (no room), forgotten (memory)',
    labels: ['why'],
  },
  plumbline_commit_seconds: { kind: 'histogram', help: 'Time of one chunk commit', buckets: SECONDS },
  plumbline_chunk_events: { kind: 'histogram', help: 'Events per committed chunk', buckets: [1, 10, 50, 100, 250, 500, 1000, 2000, 5000] },
  plumbline_chunk_seconds: { kind: 'histogram', help: 'Time the detector takes for one chunk', buckets: SECONDS },
  plumbline_shards_held: { kind: 'gauge', help: 'Shards that this worker has taken over' },
  plumbline_shards_stopped: { kind: 'gauge', help: 'Shards that this worker cannot go on with until somebody acts' },
  plumbline_shard_failures_total: {
    kind: 'counter',
    help: 'Failures after which shards are taken up again or stopped, by code; SHARD_FENCED: another worker had taken one over',
    labels: ['code'],
  },
  plumbline_rebalances_total: { kind: 'counter', help: 'Times the group gave shards to this worker or took some away' },
  plumbline_restore_seconds: { kind: 'histogram', help: 'Time to take a shard over, its state read', buckets: [...SECONDS, 30, 60, 120] },
  plumbline_restore_bytes_total: { kind: 'counter', help: 'Bytes of state read at take-overs' },
  plumbline_foreign_replays_total: {
    kind: 'counter',
    help: 'Take-overs at which this build computed events once more that another version of the detector had scored',
  },
  plumbline_lag_events: { kind: 'gauge', help: 'Records in the log not yet scored' },
  plumbline_recorder_lag_rows: { kind: 'gauge', help: 'Rows of every kind in the log that are not in ClickHouse yet' },
  plumbline_recorder_rows_total: { kind: 'counter', help: 'Rows that left the log for ClickHouse, refused ones too' },
  plumbline_recorder_refused_rows_total: {
    kind: 'counter',
    help: 'Rows that ClickHouse refused for their content, by topic; those of other topics than dead-letters become dead letters',
    labels: ['topic'],
  },
  plumbline_recorder_retries_total: { kind: 'counter', help: 'Inserts tried again' },
  plumbline_recorder_lanes: { kind: 'gauge', help: 'Lanes of the outbox that this recorder works on' },
  plumbline_recorder_gap_entries_total: {
    kind: 'counter',
    help: 'Places in the outbox that were gone before they were stored and were accepted as lost',
    labels: ['topic'],
  },
  plumbline_identities_resident: { kind: 'gauge', help: 'Identities whose state is in memory' },
  plumbline_identities_evicted_total: { kind: 'counter', help: 'Identities moved out of memory, to be reloaded when seen' },
  plumbline_sessions_overflow_total: { kind: 'counter', help: 'Sessions opened while all of an identity were taken' },
  plumbline_releases_total: { kind: 'counter', help: 'Releases made, by kind: model or statistics alone', labels: ['kind'] },
  plumbline_releases_held_total: {
    kind: 'counter',
    help: 'Models made that were worse than the one in force or failed a check, and were not put into use',
  },
  plumbline_training_seconds: { kind: 'histogram', help: 'Time of one training run', buckets: [1, 5, 10, 30, 60, 120, 300, 600] },
  plumbline_training_failures_total: { kind: 'counter', help: 'Trainings that failed and are tried again' },
  plumbline_blind_spot_identities: {
    kind: 'gauge',
    help: 'Identities that were tested, by kind of deviation: alerts from some amount on, blind to the largest that was tried, or not_tried',
    labels: ['kind', 'state'],
  },
  plumbline_blind_spot_limit: {
    kind: 'gauge',
    help: 'Least amount in an hour that alerts (bytes for volume_out, new_destination and volume_in, else a number), as a quantile over identities that alert at all',
    labels: ['kind', 'quantile'],
  },
  plumbline_blind_spot_seconds: {
    kind: 'histogram',
    help: 'Processor time of testing one identity for blind spots, in a thread of its own; of the first of a round with the start of that',
    buckets: SECONDS,
  },
  plumbline_blind_spot_failures_total: { kind: 'counter', help: 'Identities that could not be tested for blind spots' },
  plumbline_console_viewers: { kind: 'gauge', help: 'Viewers of the alert stream now' },
  plumbline_console_turned_away_total: {
    kind: 'counter',
    help: 'Viewers cut off because they read too slowly (slow), or not let in because there are too many (full)',
    labels: ['why'],
  },
  plumbline_verdicts_total: { kind: 'counter', help: 'Verdicts recorded', labels: ['verdict'] },
  plumbline_invariant_violations_total: {
    kind: 'counter',
    help: 'Invariants found broken in production; any value above 0 is a bug',
    labels: ['invariant'],
  },
} as const satisfies Record<string, MetricDeclaration>

type Instance<K extends MetricKind> = K extends 'counter' ? Counter : K extends 'gauge' ? Gauge : Histogram
export type MetricsOf<D extends Record<string, MetricDeclaration>> = { readonly [N in keyof D]: Instance<D[N]['kind']> }
export type Metrics = MetricsOf<typeof METRICS> & { readonly registry: Registry }

/** Makes the declared metrics in `registry`. */
export const declareMetrics = <const D extends Record<string, MetricDeclaration>>(registry: Registry, declarations: D): MetricsOf<D> => {
  const made = Object.entries(declarations).map(([name, d]) => {
    const common = { name, help: d.help, labelNames: [...(d.labels ?? [])], registers: [registry] }
    if (d.kind === 'counter') return [name, new Counter(common)]
    if (d.kind === 'gauge') return [name, new Gauge(common)]
    return [name, new Histogram(d.buckets === undefined ? common : { ...common, buckets: [...d.buckets] })]
  })
  return Object.fromEntries(made) as MetricsOf<D>
}

/** A registry of its own (several services share a process) with METRICS in it; `process` adds Node's own metrics. */
export const createMetrics = (options: { readonly process?: boolean } = {}): Metrics => {
  const registry = new Registry()
  if (options.process === true) collectDefaultMetrics({ register: registry })
  return { ...declareMetrics(registry, METRICS), registry }
}

/** The declared metrics as a Markdown table, for the operations page. */
export const metricsDocs = (): string =>
  [
    '| metric | kind | labels | meaning |',
    '|---|---|---|---|',
    ...Object.entries(METRICS as Record<string, MetricDeclaration>).map(
      ([name, d]) => `| \`${name}\` | ${d.kind} | ${(d.labels ?? []).join(', ')} | ${d.help} |`,
    ),
    '',
  ].join('\n')
