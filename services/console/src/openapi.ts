import type { z } from 'zod'
import {
  AlertDetail,
  AlertPage,
  AlertQuery,
  ConnectView,
  DeadLetterPage,
  DeadLetterQuery,
  DemoOptions,
  DemoTryAnswer,
  DemoTryRequest,
  EventPage,
  EventQuery,
  IdentityPage,
  IdentityQuery,
  IdentityView,
  StatusView,
  VerdictAnswer,
  VerdictRequest,
} from '@plumbline/schemas'

/** One operation of the read API, for the generated OpenAPI document. */
export interface ApiOperation {
  readonly method: 'get' | 'post' | 'delete'
  readonly path: string
  readonly summary: string
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly answer: { readonly status: number; readonly schema?: z.ZodType; readonly type?: string }
}

/** Every operation; each also answers 401, and its refusals are an ApiError. A test holds this to the routes. */
export const CONSOLE_OPERATIONS: readonly ApiOperation[] = [
  {
    method: 'get',
    path: '/v1/alerts',
    summary: 'Alerts, newest first, page by page',
    query: AlertQuery,
    answer: { status: 200, schema: AlertPage },
  },
  {
    method: 'get',
    path: '/v1/alerts/stream',
    summary: 'Alerts as they happen, as server-sent events; resumes after Last-Event-ID',
    answer: { status: 200, type: 'text/event-stream' },
  },
  {
    method: 'get',
    path: '/v1/alerts/{id}',
    summary: 'One alert with the events that made it',
    answer: { status: 200, schema: AlertDetail },
  },
  {
    method: 'post',
    path: '/v1/alerts/{id}/verdict',
    summary: 'Judge an alert; answers once the verdict is durable',
    body: VerdictRequest,
    answer: { status: 202, schema: VerdictAnswer },
  },
  {
    method: 'get',
    path: '/v1/events',
    summary: 'The newest scored events of an identity',
    query: EventQuery,
    answer: { status: 200, schema: EventPage },
  },
  {
    method: 'get',
    path: '/v1/identities',
    summary: 'Identities by last activity',
    query: IdentityQuery,
    answer: { status: 200, schema: IdentityPage },
  },
  {
    method: 'get',
    path: '/v1/identities/{id}',
    summary: 'One identity with its last seven days (query: tenant, default "default")',
    answer: { status: 200, schema: IdentityView },
  },
  { method: 'get', path: '/v1/status', summary: 'How the service is doing', answer: { status: 200, schema: StatusView } },
  {
    method: 'get',
    path: '/v1/dead-letters',
    summary: 'Refused events with reason and remedy',
    query: DeadLetterQuery,
    answer: { status: 200, schema: DeadLetterPage },
  },
  {
    method: 'get',
    path: '/v1/connect',
    summary: 'Where agents send events, and the newest that arrived',
    answer: { status: 200, schema: ConnectView },
  },
  { method: 'get', path: '/v1/demo/options', summary: 'What the demo can play', answer: { status: 200, schema: DemoOptions } },
  {
    method: 'post',
    path: '/v1/demo/try',
    summary: 'Play one act in the demo',
    body: DemoTryRequest,
    answer: { status: 202, schema: DemoTryAnswer },
  },
  { method: 'delete', path: '/v1/demo', summary: 'Remove the demo tenant and all of its data', answer: { status: 204 } },
]
