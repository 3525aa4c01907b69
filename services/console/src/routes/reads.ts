import type { FastifyInstance } from 'fastify'
import {
  DeadLetterQuery,
  EventQuery,
  IdentityQuery,
  type DeadLetterPage,
  type EventPage,
  type IdentityPage,
  type IdentityView,
  type StatusView,
} from '@plumbline/schemas'
import { notFound, parse } from '../problems.ts'
import type { EventStore, IdentityStore, StatusSource } from '../ports.ts'

export interface ReadDeps {
  readonly events: EventStore
  readonly identities: IdentityStore
  readonly status: StatusSource
}

export function readRoutes(app: FastifyInstance, deps: ReadDeps): void {
  app.get('/v1/status', async (): Promise<StatusView> => deps.status.now())

  app.get('/v1/events', async (request): Promise<EventPage> => {
    const query = parse(EventQuery, request.query, 'query')
    return { events: [...(await deps.events.newest(query.tenant, query.identity, query.session, query.limit))] }
  })

  app.get('/v1/dead-letters', async (request): Promise<DeadLetterPage> => {
    const query = parse(DeadLetterQuery, request.query, 'query')
    return { deadLetters: [...(await deps.events.deadLetters(query.tenant, query.before, query.limit))] }
  })

  app.get('/v1/identities', async (request): Promise<IdentityPage> => {
    const query = parse(IdentityQuery, request.query, 'query')
    return { identities: [...(await deps.identities.list(query.tenant, query.search, query.limit))] }
  })

  // A wildcard, since identities may hold slashes and be longer than the router's limit for named parameters.
  app.get<{ Params: { '*': string }; Querystring: { tenant?: string } }>('/v1/identities/*', async (request): Promise<IdentityView> => {
    const tenant = typeof request.query.tenant === 'string' ? request.query.tenant : 'default'
    const view = await deps.identities.find(tenant, request.params['*'])
    if (view === null) throw notFound('identity')
    return view
  })
}
