import { z } from 'zod'
import { Alert, REASON_FAMILIES, SEVERITIES } from './alert.ts'
import { EVENT_LIMITS, IDENTITY_KINDS, OUTCOMES } from './event.ts'
import { VERDICTS } from './feedback.ts'
import { INCIDENT_KINDS, Incident } from './incident.ts'
import { SCORED_FLAGS } from './scored.ts'

const FLAG_NAMES = Object.keys(SCORED_FLAGS) as [keyof typeof SCORED_FLAGS, ...(keyof typeof SCORED_FLAGS)[]]

/** Fields that one answer warns of at most. */
export const INGEST_WARNINGS = 100

/** Answer of POST /v1/events: counts of what is durable, and each refusal with its remedy. */
export const IngestAnswer = z.strictObject({
  accepted: z.number().int(),
  rejected: z.number().int(),
  errors: z
    .array(z.strictObject({ index: z.number().int(), code: z.string(), field: z.string(), message: z.string(), remedy: z.string() }))
    .max(1000)
    .meta({ description: 'At most 1,000 are listed; `rejected` counts all.' }),
  warnings: z
    .array(z.strictObject({ index: z.number().int(), field: z.string(), message: z.string() }))
    .max(INGEST_WARNINGS)
    .optional()
    .meta({
      description:
        'Of events that were taken: fields that are none of an event and were kept as attributes, each once with the first event that has it; at most 100. Absent when there are none.',
    }),
})
export type IngestAnswer = z.infer<typeof IngestAnswer>

/** Answer 422 of POST /v1/events when every event was refused: the same list, and the shape that all refusals have. */
export const IngestRefusal = IngestAnswer.extend({ code: z.literal('EVENTS_REFUSED'), message: z.string(), remedy: z.string() })
export type IngestRefusal = z.infer<typeof IngestRefusal>

export const AlertQuery = z.strictObject({
  tenant: z.string().optional(),
  identity: z.string().optional(),
  severity: z.enum(SEVERITIES).optional().meta({ description: 'This severity or worse.' }),
  since: z.coerce.number().int().optional().meta({ unit: 'ms since epoch' }),
  historic: z.enum(['true', 'false']).default('false'),
  delivery: z
    .enum(['delivered', 'held'])
    .optional()
    .meta({ description: 'What the budget of the day decided: `held` are those it held back. Not set: both.' }),
  sort: z.enum(['time', 'score']).default('time').meta({
    description: 'Newest first, or worst first. A score may change with a later revision: the alert then may come twice or not at all.',
  }),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(256).optional().meta({ description: 'Of the page before, asked with the same `sort`.' }),
})
export type AlertQuery = z.infer<typeof AlertQuery>

/** An alert as the console and the API show it: the newest revision plus what people said of it. */
export const AlertView = Alert.extend({
  delivery: z.enum(['delivered', 'held', 'historic']),
  verdict: z.enum(VERDICTS).nullable(),
})
export type AlertView = z.infer<typeof AlertView>
export const AlertPage = z.strictObject({
  alerts: z.array(AlertView),
  cursor: z.string().nullable().meta({ description: 'Pass it back to read on; null at the end.' }),
  partial: z.boolean().meta({ description: 'The store cannot answer right now: only the newest alerts, from memory. Ask again.' }),
})
export type AlertPage = z.infer<typeof AlertPage>

/** One scored event as the console and the API show it. */
export const EventView = z.strictObject({
  time: z.number().int().meta({ unit: 'ms since epoch' }),
  eventId: z.string(),
  shard: z.number().int(),
  offset: z.number().int(),
  session: z.string(),
  action: z.string(),
  resourceClass: z.string(),
  resource: z.string(),
  destination: z.string(),
  sourceIp: z.string(),
  outcome: z.enum(OUTCOMES),
  bytesIn: z.number(),
  bytesOut: z.number(),
  score: z.number().min(0).max(100),
  flags: z.array(z.enum(FLAG_NAMES)).meta({ description: 'Names of SCORED_FLAGS that are set.' }),
})
export type EventView = z.infer<typeof EventView>

/** Answer of GET /v1/alerts/{id}: the alert and the events it names, oldest first; `alert.count` says of how many. */
export const AlertDetail = z.strictObject({
  alert: AlertView,
  events: z.array(EventView),
  eventsPending: z.boolean().meta({ description: 'Some of the evidence is not in the store yet; ask again in a moment.' }),
})
export type AlertDetail = z.infer<typeof AlertDetail>

/** Answer of POST /v1/alerts/{id}/verdict, given once the verdict survives a crash. */
export const VerdictAnswer = z.strictObject({ alertId: z.string(), verdict: z.enum(VERDICTS), effect: z.string() })
export type VerdictAnswer = z.infer<typeof VerdictAnswer>

const tenantName = z.string().min(1).max(EVENT_LIMITS.nameChars)
const identityName = z.string().min(1).max(EVENT_LIMITS.identityChars)

export const EventQuery = z.strictObject({
  tenant: tenantName.optional().meta({ description: "Default: the token's own, else `default`." }),
  identity: identityName,
  session: z.string().max(EVENT_LIMITS.idChars).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
export type EventQuery = z.infer<typeof EventQuery>
export const EventPage = z.strictObject({ events: z.array(EventView) })
export type EventPage = z.infer<typeof EventPage>

export const IdentityQuery = z.strictObject({
  tenant: tenantName.optional(),
  search: z.string().max(EVENT_LIMITS.identityChars).optional().meta({ description: 'Part of the identity, without case.' }),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
export type IdentityQuery = z.infer<typeof IdentityQuery>

export const IdentitySummary = z.strictObject({
  tenant: z.string(),
  identity: z.string(),
  kind: z.enum(IDENTITY_KINDS),
  lastSeen: z.number().int().meta({ unit: 'ms since epoch' }),
  events: z.number(),
  maturity: z.number(),
  maxScore: z.number(),
  alerts: z.number(),
})
export type IdentitySummary = z.infer<typeof IdentitySummary>
export const IdentityPage = z.strictObject({ identities: z.array(IdentitySummary) })
export type IdentityPage = z.infer<typeof IdentityPage>

export const DeadLetterQuery = z.strictObject({
  tenant: tenantName.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  before: z.coerce.number().int().optional().meta({ unit: 'ms since epoch', description: 'Only those that arrived before this.' }),
})
export type DeadLetterQuery = z.infer<typeof DeadLetterQuery>

/** A refused event without its payload: why, where and what to do. */
export const DeadLetterView = z.strictObject({
  ingestTime: z.number().int().meta({ unit: 'ms since epoch' }),
  tenant: z.string(),
  stage: z.string(),
  code: z.string(),
  field: z.string(),
  message: z.string(),
  remedy: z.string(),
  topic: z.string(),
  shard: z.number().int(),
  offset: z.number().int(),
  payloadStart: z.string().meta({ description: 'First 200 characters of what arrived, unreadable bytes shown as U+FFFD.' }),
})
export type DeadLetterView = z.infer<typeof DeadLetterView>
export const DeadLetterPage = z.strictObject({ deadLetters: z.array(DeadLetterView) })
export type DeadLetterPage = z.infer<typeof DeadLetterPage>

export const IncidentQuery = z.strictObject({
  tenant: tenantName.optional(),
  kind: z.enum(INCIDENT_KINDS).optional(),
  severity: z.enum(SEVERITIES).optional().meta({ description: 'This severity or worse.' }),
  alert: z.string().min(1).max(64).optional().meta({ description: 'Only those that refer to this alert.' }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  before: z.coerce.number().int().optional().meta({ unit: 'ms since epoch', description: 'Only those last seen before this.' }),
})
export type IncidentQuery = z.infer<typeof IncidentQuery>
export const IncidentPage = z.strictObject({
  incidents: z.array(Incident).meta({ description: 'Each in its highest revision, the one last seen first.' }),
})
export type IncidentPage = z.infer<typeof IncidentPage>

export const VerdictQuery = z.strictObject({
  tenant: tenantName.optional(),
  days: z.coerce.number().int().min(1).max(400).default(30).meta({ description: 'Alerts last seen within so many days.', unit: 'days' }),
})
export type VerdictQuery = z.infer<typeof VerdictQuery>

const verdictCounts = {
  alerts: z.number().int().meta({ description: 'Delivered; those held back and of backfilled history are not counted.' }),
  judged: z.number().int().meta({ description: 'Those with a verdict, counted by the newest.' }),
  confirmed: z.number().int(),
  safe: z.number().int(),
  dismissed: z.number().int(),
  falseDiscovery: z.strictObject({ rate: z.number(), low: z.number(), high: z.number() }).nullable().meta({
    description:
      'Share of judged alerts that were no finding (safe or dismissed), with its 95 % interval (Wilson 1927); null while none is judged.',
  }),
}
export const VerdictSummary = z.strictObject({
  since: z.number().int().meta({ unit: 'ms since epoch' }),
  all: z.strictObject(verdictCounts),
  families: z.array(z.strictObject({ family: z.enum(REASON_FAMILIES), ...verdictCounts })).meta({ description: 'Most alerts first.' }),
})
export type VerdictSummary = z.infer<typeof VerdictSummary>

/** What GET /v1/demo/options offers to try. */
export const DemoOptions = z.strictObject({
  agents: z.array(z.strictObject({ id: z.string(), kind: z.enum(IDENTITY_KINDS), role: z.string() })),
  attacks: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string().meta({ description: 'In words: "Reads HR records".' }),
      story: z.string().meta({ description: 'What happens, one sentence.' }),
      benign: z.string().meta({ description: 'The same act with a good reason, which must stay quiet; one sentence.' }),
      agents: z.array(z.string()).meta({ description: 'Agents it fits, the one to propose first; empty means all.' }),
      size: z.number().positive().meta({ description: 'Size to propose, times the usual amount.' }),
    }),
  ),
  sizes: z.array(z.strictObject({ value: z.number().positive(), label: z.string() })),
})
export type DemoOptions = z.infer<typeof DemoOptions>

/** Body of POST /v1/demo/try. */
export const DemoTryRequest = z.strictObject({
  agent: identityName,
  attack: z.string().min(1).max(64),
  size: z.number().positive().max(1000).default(10).meta({ description: 'Times the usual amount.' }),
  benign: z.boolean().default(false),
})
export type DemoTryRequest = z.infer<typeof DemoTryRequest>

/** Answer of POST /v1/demo/try: what was sent. The alert, if any, arrives on the stream. */
export const DemoTryAnswer = z.strictObject({
  tenant: z.string(),
  identity: z.string(),
  sessions: z.array(z.string()),
  events: z.number().int(),
  mark: z.string().meta({ description: 'The ids of its events end with this.' }),
  bytesOut: z.number().meta({ description: 'Sent by all of them.', unit: 'bytes' }),
  expect: z.enum(['alert', 'quiet']),
})
export type DemoTryAnswer = z.infer<typeof DemoTryAnswer>

/** `ingest` event of the alert stream: events just accepted at the door, newest of each identity. */
export const IngestNotice = z.strictObject({
  receivedAt: z.number().int().meta({ unit: 'ms since epoch' }),
  tenant: z.string(),
  identity: z.string(),
  kind: z.enum(IDENTITY_KINDS),
  attested: z.string().nullable(),
  action: z.string(),
  via: z.enum(['events', 'otlp']),
})
export type IngestNotice = z.infer<typeof IngestNotice>

/** Answer of GET /v1/connect. The token is the one the caller holds already; it is never sent back. */
export const ConnectView = z.strictObject({
  endpoint: z.string(),
  tenant: z.string(),
  recent: z.array(IngestNotice).meta({ description: 'Newest first, at most 10.' }),
})
export type ConnectView = z.infer<typeof ConnectView>

/** Every refusal of the read API. */
export const ApiError = z.strictObject({ code: z.string(), message: z.string(), remedy: z.string() })
export type ApiError = z.infer<typeof ApiError>

/** Query of GET /v1/identities/{id}. */
export const IdentityViewQuery = z.strictObject({
  tenant: tenantName.optional().meta({ description: "Default: the token's own, else `default`." }),
})
export type IdentityViewQuery = z.infer<typeof IdentityViewQuery>

export const IdentityView = z.strictObject({
  tenant: z.string(),
  identity: z.string(),
  kind: z.string(),
  owner: z.string().nullable(),
  firstSeen: z.number().int(),
  lastSeen: z.number().int(),
  events: z.number(),
  maturity: z.number(),
  risk: z.number(),
  peerGroup: z.string().nullable(),
  // Of what was reported and not learned nothing is in these three lists.
  actions: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  classes: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  destinations: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  timeline: z.array(
    z.strictObject({ time: z.number().int(), events: z.number(), bytesOut: z.number(), maxScore: z.number(), alerts: z.number() }),
  ),
})
export type IdentityView = z.infer<typeof IdentityView>

/** Tenants listed in the status, which goes to every viewer each second. */
export const STATUS_TENANTS = 64

/** GET /v1/status, also the `status` event of the alert stream: what the page shows at its top. */
export const StatusView = z.strictObject({
  ready: z.boolean(),
  phase: z.string().meta({ description: 'What is going on, in words: "replaying the demo day", "waiting for events".' }),
  progress: z.number().min(0).max(1).nullable(),
  eventsPerSecond: z.number(),
  events: z.number(),
  alerts: z.number().meta({ description: 'Alert groups of this UTC day that were delivered.' }),
  held: z.number().meta({ description: 'Alert groups of this UTC day that the budget held back.' }),
  deadLetters: z.number(),
  identities: z.number(),
  recorderLag: z.number().meta({ unit: 'rows not yet in ClickHouse' }),
  tenants: z.number().int().meta({ description: 'Tenants that sent events.' }),
  model: z
    .strictObject({
      tenant: z.string(),
      releaseId: z.string(),
      trained: z.boolean(),
      alertsFrom: z.number().meta({ description: 'Score from which an event is reported for its score alone.' }),
      held: z
        .string()
        .nullable()
        .meta({ description: 'The newest release, when it was held back because it was worse or its rows failed a check.' }),
    })
    .array()
    .max(STATUS_TENANTS)
    .meta({ description: 'Of the tenants with the most events; `tenants` counts all.' }),
  counts: z
    .strictObject({
      tenant: z.string(),
      alerts: z.number(),
      held: z.number(),
      historic: z.number().meta({ description: 'Alerts found in its backfilled history.' }),
      deadLetters: z.number(),
      identities: z.number(),
    })
    .array()
    .max(STATUS_TENANTS)
    .meta({ description: 'The numbers above for each of the tenants that `model` lists.' }),
  demo: z.boolean(),
  sinks: z
    .array(
      z.strictObject({
        name: z.string(),
        delivered: z.number().int(),
        refused: z.number().int().meta({ description: 'Alerts that the receiver will never take; they were passed over.' }),
        failures: z.number().int().meta({ description: 'Tries that failed and were repeated.' }),
        waiting: z.boolean().meta({ description: 'The last try failed: alerts wait for the next one.' }),
        problem: z.string().nullable().meta({ description: 'What is, or was last, in the way; null when nothing ever was.' }),
      }),
    )
    .meta({ description: 'Where alerts go besides the page; numbers since this start.' }),
})
export type StatusView = z.infer<typeof StatusView>
