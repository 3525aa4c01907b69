import {
  AlertDetail,
  AlertPage,
  AlertQuery,
  ApiError,
  ChangeAnswer,
  ChangePage,
  ChangeQuery,
  ChangeRequest,
  BlindSpotAnswer,
  BlindSpotQuery,
  ConnectView,
  DeadLetterPage,
  DeadLetterQuery,
  DemoOptions,
  DemoTryAnswer,
  DemoTryRequest,
  Event,
  EventPage,
  EventQuery,
  IdentityPage,
  IdentityQuery,
  IdentityView,
  IdentityViewQuery,
  IncidentPage,
  IncidentQuery,
  IngestAnswer,
  IngestRefusal,
  ReplayAnswer,
  StatusView,
  VerdictAnswer,
  VerdictRequest,
  VerdictQuery,
  VerdictSummary,
} from '@plumbline/schemas'
import type { z } from 'zod'

export type Json = Record<string, unknown>

/** Schemas that get a name in the document, as the sender writes them or as the service answers. */
export const INPUTS = { Event, VerdictRequest, ChangeRequest, DemoTryRequest }
export const ANSWERS = {
  IngestAnswer,
  IngestRefusal,
  AlertPage,
  AlertDetail,
  ReplayAnswer,
  VerdictAnswer,
  ChangeAnswer,
  EventPage,
  IdentityPage,
  IdentityView,
  IncidentPage,
  ChangePage,
  VerdictSummary,
  BlindSpotAnswer,
  DeadLetterPage,
  StatusView,
  ConnectView,
  DemoOptions,
  DemoTryAnswer,
  ApiError,
}
type Named = keyof typeof INPUTS | keyof typeof ANSWERS

/** One operation of the document. */
export interface Route {
  readonly method: 'get' | 'post' | 'delete'
  readonly path: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: Json
  readonly status?: number
  /** Absent: the answer has no body. */
  readonly answer?: Json
  readonly problems?: readonly string[]
  readonly open?: boolean
  readonly headers?: readonly Json[]
}

export const ref = (name: Named): Json => ({ $ref: `#/components/schemas/${name}` })
export const json = (schema: Json): Json => ({ 'application/json': { schema } })
const text = (type: string): Json => ({ [type]: { schema: { type: 'string' } } })

const INTAKE_PROBLEMS = [
  'TOKEN_MISSING_OR_WRONG',
  'BODY_EMPTY',
  'BODY_TOO_LARGE',
  'ENCODING_UNSUPPORTED',
  'GZIP_INVALID',
  'RATE_LIMITED',
  'OVERLOADED',
  'STORE_UNAVAILABLE',
  'INGEST_UNKNOWN',
]

/** Everything that is for others to call; the operator's routes are between the command line and its instance. */
export const ROUTES: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/events',
    summary:
      'Sends events: one object, a list, or one object per line; plain or gzip. Answered once they are durable. Refused ones come back by index and go to the dead letters, the others are kept; 422 when all were refused.',
    headers: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'A repeated request with the same key and body gets the first answer, for 24 hours; with another body it is refused.',
        schema: { type: 'string', minLength: 1, maxLength: 200 },
      },
    ],
    body: {
      'application/json': { schema: { anyOf: [ref('Event'), { type: 'array', items: ref('Event'), maxItems: 10_000 }] } },
      'application/x-ndjson': { schema: { type: 'string', description: 'One event per line.' } },
    },
    status: 202,
    answer: json(ref('IngestAnswer')),
    problems: [...INTAKE_PROBLEMS, 'TOO_MANY_EVENTS', 'IDEMPOTENCY_KEY_INVALID', 'IDEMPOTENCY_KEY_REUSED', 'EVENTS_REFUSED'],
  },
  {
    method: 'post',
    path: '/v1/traces',
    summary: 'Takes OTLP/HTTP traces of GenAI instrumentation, protobuf or JSON, plain or gzip. Answers and refusals are those of OTLP.',
    body: {
      'application/x-protobuf': { schema: { type: 'string', format: 'binary' } },
      'application/json': { schema: { type: 'object' } },
    },
    answer: {
      'application/x-protobuf': { schema: { type: 'string', format: 'binary' } },
      'application/json': { schema: { type: 'object' } },
    },
    problems: [...INTAKE_PROBLEMS, 'MEDIA_TYPE_UNSUPPORTED', 'OTLP_MALFORMED'],
  },
  ...['logs', 'metrics'].map(
    (signal): Route => ({
      method: 'post',
      path: `/v1/${signal}`,
      summary: `Takes OTLP ${signal} without using them, so that one endpoint serves an SDK that sends all signals.`,
      body: {
        'application/x-protobuf': { schema: { type: 'string', format: 'binary' } },
        'application/json': { schema: { type: 'object' } },
      },
      answer: {
        'application/x-protobuf': { schema: { type: 'string', format: 'binary' } },
        'application/json': { schema: { type: 'object' } },
      },
      problems: ['TOKEN_MISSING_OR_WRONG', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED', 'RATE_LIMITED', 'OVERLOADED'],
    }),
  ),
  {
    method: 'post',
    path: '/v1/changes',
    summary:
      'Announces a change of release, model, prompt, tools or code from a deploy job. Answered once every shard has it: 201, or 200 where the same was announced before. No token: the body is signed with a deploy key that the operator registered.',
    headers: [
      { name: 'Plumbline-Key', in: 'header', required: true, description: 'Name of the deploy key.', schema: { type: 'string' } },
      {
        name: 'Plumbline-Signature',
        in: 'header',
        required: true,
        description: 'Ed25519 signature over the bytes of the body, base64.',
        schema: { type: 'string' },
      },
    ],
    body: json(ref('ChangeRequest')),
    status: 201,
    answer: json(ref('ChangeAnswer')),
    problems: [
      'CHANGES_CLOSED',
      'SIGNATURE_MISSING_OR_WRONG',
      'CHANGE_INVALID',
      'CHANGE_ID_REUSED',
      'CHANGES_FULL',
      'BODY_TOO_LARGE',
      'RATE_LIMITED',
      'OVERLOADED',
      'CHANGE_UNSTORED',
      'DEPLOY_KEYS_INVALID',
    ],
    open: true,
  },
  {
    method: 'get',
    path: '/v1/changes',
    summary:
      'Announced changes that are remembered, newest announcement first: what, for whom, in which window, and whether it is in effect.',
    query: ChangeQuery,
    answer: json(ref('ChangePage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID', 'CURSOR_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/alerts',
    summary: 'Alerts, newest or worst first.',
    query: AlertQuery,
    answer: json(ref('AlertPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID', 'CURSOR_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/alerts/stream',
    summary: 'Alerts, status and accepted events as server-sent events.',
    answer: text('text/event-stream'),
    problems: ['TOKEN_MISSING_OR_WRONG', 'STREAMS_FULL'],
  },
  {
    method: 'get',
    path: '/v1/alerts/{id}',
    summary: 'One alert and the events that made it.',
    answer: json(ref('AlertDetail')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: '/v1/alerts/{id}/replay',
    summary: 'Its score made again from the state stored with it; 409 when that takes another build or something of it is gone.',
    answer: json(ref('ReplayAnswer')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'NOT_FOUND', 'REPLAY_PENDING', 'REPLAY_INCOMPLETE', 'REPLAY_VERSION_UNSUPPORTED'],
  },
  {
    method: 'post',
    path: '/v1/alerts/{id}/verdict',
    summary: 'Says what an alert was; the next alike event is treated accordingly.',
    body: json(ref('VerdictRequest')),
    status: 202,
    answer: json(ref('VerdictAnswer')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'REQUEST_INVALID', 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: '/v1/events',
    summary: 'The newest events of one identity.',
    query: EventQuery,
    answer: json(ref('EventPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/identities',
    summary: 'Identities by last activity.',
    query: IdentityQuery,
    answer: json(ref('IdentityPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/identities/{id}',
    summary: 'What is normal for one identity.',
    query: IdentityViewQuery,
    answer: json(ref('IdentityView')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID', 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: '/v1/incidents',
    summary: 'What goes over several identities: flows split over agents, shared sources, one cause across a fleet.',
    query: IncidentQuery,
    answer: json(ref('IncidentPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/verdicts',
    summary: 'How many delivered alerts were judged and as what, and the share of them that was no finding, over all and by kind.',
    query: VerdictQuery,
    answer: json(ref('VerdictSummary')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/blind-spots',
    summary: 'From how much in an hour on each kind of deviation of one identity alerts, found on a copy of its baseline.',
    query: BlindSpotQuery,
    answer: json(ref('BlindSpotAnswer')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID', 'NOT_FOUND', 'BLIND_SPOTS_BUSY'],
  },
  {
    method: 'get',
    path: '/v1/dead-letters',
    summary: 'Refused events and why.',
    query: DeadLetterQuery,
    answer: json(ref('DeadLetterPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/status',
    summary: 'How the deployment is doing.',
    answer: json(ref('StatusView')),
    problems: ['TOKEN_MISSING_OR_WRONG'],
  },
  {
    method: 'get',
    path: '/v1/connect',
    summary: 'How to connect an agent, and what arrived last.',
    answer: json(ref('ConnectView')),
    problems: ['TOKEN_MISSING_OR_WRONG'],
  },
  {
    method: 'get',
    path: '/v1/demo/options',
    summary: 'What can be tried in the demo company.',
    answer: json(ref('DemoOptions')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'DEMO_ABSENT', 'DEMO_BUSY'],
  },
  {
    method: 'post',
    path: '/v1/demo/try',
    summary: 'Sends the events of one act, an attack or its benign twin, through the ordinary door; answered once they are durable.',
    body: json(ref('DemoTryRequest')),
    status: 202,
    answer: json(ref('DemoTryAnswer')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'REQUEST_INVALID', 'DEMO_UNKNOWN', 'DEMO_ABSENT', 'DEMO_BUSY'],
  },
  {
    method: 'delete',
    path: '/v1/demo',
    summary: 'Removes the demo tenant for good: events, state, model, rows and alerts. Nothing happens where there is none any more.',
    status: 204,
    problems: ['TOKEN_MISSING_OR_WRONG', 'DEMO_ABSENT'],
  },
  { method: 'get', path: '/healthz', summary: 'Whether the process lives.', answer: json({ type: 'object' }), open: true },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether the process can do its work; 503 and the failing checks when not.',
    answer: json({ type: 'object' }),
    open: true,
  },
  { method: 'get', path: '/metrics', summary: 'Metrics for Prometheus.', answer: text('text/plain'), open: true },
  { method: 'get', path: '/v1/openapi.json', summary: 'This document.', answer: json({ type: 'object' }), open: true },
]
