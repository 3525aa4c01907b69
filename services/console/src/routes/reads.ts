import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  BlindSpotQuery,
  DeadLetterQuery,
  EventQuery,
  IdentityQuery,
  IdentityViewQuery,
  IncidentQuery,
  VerdictQuery,
  type BlindSpotAnswer,
  type DeadLetterPage,
  type EventPage,
  type IdentityPage,
  type IdentityView,
  type IncidentPage,
  type StatusView,
  type VerdictSummary,
} from '@plumbline/schemas'
import { notFound, parse } from '../problems.ts'
import type { ViewOf } from '../scope.ts'

const DAY_MS = 86_400_000

export function readRoutes(app: FastifyInstance, viewOf: ViewOf): void {
  app.get('/v1/status', async (request): Promise<StatusView> => viewOf(request).reads.status())

  app.get('/v1/events', async (request): Promise<EventPage> => {
    const query = parse(EventQuery, request.query, 'query')
    return { events: [...(await viewOf(request).reads.events.newest(query.tenant, query.identity, query.session, query.limit))] }
  })

  app.get('/v1/dead-letters', async (request): Promise<DeadLetterPage> => {
    const query = parse(DeadLetterQuery, request.query, 'query')
    return { deadLetters: [...(await viewOf(request).reads.events.deadLetters(query.tenant, query.before, query.limit))] }
  })

  app.get('/v1/incidents', async (request): Promise<IncidentPage> => {
    const { tenant, kind, severity, before, alert, limit } = parse(IncidentQuery, request.query, 'query')
    const filter = {
      tenant,
      ...(kind !== undefined && { kind }),
      ...(severity !== undefined && { minSeverity: severity }),
      ...(before !== undefined && { before }),
      ...(alert !== undefined && { alert }),
    }
    return { incidents: [...(await viewOf(request).reads.incidents.newest(filter, limit))] }
  })

  app.get('/v1/verdicts', async (request): Promise<VerdictSummary> => {
    const { tenant, days } = parse(VerdictQuery, request.query, 'query')
    return viewOf(request).reads.verdicts.summary(tenant, Date.now() - days * DAY_MS)
  })

  app.get('/v1/identities', async (request): Promise<IdentityPage> => {
    const query = parse(IdentityQuery, request.query, 'query')
    return { identities: [...(await viewOf(request).reads.identities.list(query.tenant, query.search, query.limit))] }
  })

  app.get('/v1/blind-spots', async (request): Promise<BlindSpotAnswer> => {
    const { tenant, identity, measure } = parse(BlindSpotQuery, request.query, 'query')
    const { blindSpots } = viewOf(request).reads
    if (measure === 'false') return { measured: blindSpots.of(tenant, identity) }
    const measured = await blindSpots.measure(tenant, identity)
    if (measured === null) throw notFound('identity')
    return { measured }
  })

  // A wildcard, since identities may hold slashes and be longer than the router's limit for named parameters.
  app.get<{ Params: { '*': string } }>('/v1/identities/*', async (request): Promise<IdentityView> => {
    const { tenant } = parse(IdentityViewQuery, request.query, 'query')
    const view = await viewOf(request as FastifyRequest).reads.identities.find(tenant, request.params['*'])
    if (view === null) throw notFound('identity')
    return view
  })
}
