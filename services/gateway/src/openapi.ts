import {
  AlertDetail,
  AlertPage,
  AlertQuery,
  ApiError,
  ConnectView,
  DeadLetterPage,
  DeadLetterQuery,
  Event,
  EventPage,
  EventQuery,
  IdentityPage,
  IdentityQuery,
  IdentityView,
  IngestAnswer,
  IngestRefusal,
  ReplayAnswer,
  StatusView,
  VerdictAnswer,
  VerdictRequest,
} from '@plumbline/schemas'
import { z } from 'zod'
import { PROBLEMS } from './problems.ts'

type Json = Record<string, unknown>

/** Schemas that get a name in the document, as the sender writes them or as the service answers. */
const INPUTS = { Event, VerdictRequest }
const ANSWERS = {
  IngestAnswer,
  IngestRefusal,
  AlertPage,
  AlertDetail,
  ReplayAnswer,
  VerdictAnswer,
  EventPage,
  IdentityPage,
  IdentityView,
  DeadLetterPage,
  StatusView,
  ConnectView,
  ApiError,
}
type Named = keyof typeof INPUTS | keyof typeof ANSWERS

interface Route {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: Json
  readonly status?: number
  readonly answer: Json
  readonly problems?: readonly string[]
  readonly open?: boolean
  readonly headers?: readonly Json[]
}

const ref = (name: Named): Json => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: Json): Json => ({ 'application/json': { schema } })
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
]

const ROUTES: readonly Route[] = [
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
    method: 'get',
    path: '/v1/alerts',
    summary: 'Alerts, newest first.',
    query: AlertQuery,
    answer: json(ref('AlertPage')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: '/v1/alerts/stream',
    summary: 'Alerts, status and accepted events as server-sent events.',
    answer: text('text/event-stream'),
    problems: ['TOKEN_MISSING_OR_WRONG'],
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
    problems: ['TOKEN_MISSING_OR_WRONG', 'NOT_FOUND'],
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
    answer: json(ref('IdentityView')),
    problems: ['TOKEN_MISSING_OR_WRONG', 'TENANT_FORBIDDEN', 'NOT_FOUND'],
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

/** Removes what only stands for a document of its own. */
const bare = (schema: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _schema, $id: _id, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return rest
}

/** The named schemas with what they refer to, all side by side. */
const components = (): Json => {
  const out: Json = {}
  const add = (named: Record<string, z.ZodType>, io: 'input' | 'output'): void => {
    for (const [name, schema] of Object.entries(named)) {
      const { $defs, ...own } = bare(schema, io)
      Object.assign(out, $defs, { [name]: own })
    }
  }
  add(INPUTS, 'input')
  add(ANSWERS, 'output')
  return JSON.parse(JSON.stringify(out).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}

const parameters = (route: Route): Json[] => {
  const path = [...route.path.matchAll(/\{(\w+)\}/g)].map((m) => ({ name: m[1], in: 'path', required: true, schema: { type: 'string' } }))
  const query = Object.entries(route.query?.shape ?? {}).map(([name, field]) => {
    const schema = bare(field as z.ZodType, 'input')
    return {
      name,
      in: 'query',
      required: !(field as z.ZodType).safeParse(undefined).success,
      schema,
      ...(typeof schema['description'] === 'string' ? { description: schema['description'] } : {}),
    }
  })
  return [...path, ...query, ...(route.headers ?? [])]
}

const responses = (route: Route): Json => {
  const out: Json = { [String(route.status ?? 200)]: { description: 'Done.', content: route.answer } }
  for (const code of [...(route.problems ?? []), 'HOST_UNKNOWN']) {
    const known = PROBLEMS[code]
    if (known === undefined) continue
    const earlier = out[String(known.status)] as { description: string } | undefined
    out[String(known.status)] = {
      description: `${earlier === undefined ? '' : `${earlier.description} `}${code}: ${known.remedy}`,
      content: json(code === 'EVENTS_REFUSED' ? { anyOf: [ref('IngestRefusal'), ref('ApiError')] } : ref('ApiError')),
      ...(known.retryAfterS === undefined
        ? {}
        : { headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } } }),
    }
  }
  return out
}

/** The HTTP API as OpenAPI 3.1, made from the schemas that check it. */
export const openApiDocument = (version: string): Json => {
  const paths: Record<string, Json> = {}
  for (const route of ROUTES) {
    const operation: Json = { summary: route.summary, parameters: parameters(route), responses: responses(route) }
    if (route.body !== undefined) operation['requestBody'] = { required: true, content: route.body }
    if (route.open === true) operation['security'] = []
    paths[route.path] = { ...paths[route.path], [route.method]: operation }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plumbline',
      version,
      description: 'Watches how each AI agent and person behaves and reports departures, with reasons.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: components(),
    },
  }
}
