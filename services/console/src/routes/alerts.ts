import type { FastifyInstance } from 'fastify'
import {
  AlertQuery,
  VerdictRequest,
  type AlertDetail,
  type AlertPage,
  type ReplayAnswer,
  type Verdict,
  type VerdictAnswer,
} from '@plumbline/schemas'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import { type LiveTail, type TailedAlerts, unlessAway } from '../live-tail.ts'
import { notFound, parse } from '../problems.ts'
import type { AlertFilter, ConsoleObserver, EventStore, ReplaySource, VerdictSink } from '../ports.ts'

export interface AlertDeps {
  readonly alerts: TailedAlerts
  readonly events: EventStore
  readonly verdicts: VerdictSink
  readonly replays: ReplaySource
  readonly tail: LiveTail
  readonly observer: ConsoleObserver | undefined
}

/** What a verdict does, in the words the page shows beside the button. */
export const VERDICT_EFFECTS: Readonly<Record<Verdict, string>> = {
  confirmed: "Kept as a real incident. The identity's risk rises and none of this is learned as normal.",
  safe: 'This is normal from now on: it is learned, and the same act stays quiet.',
  dismissed: 'Harmless this time. Nothing is learned, and the same act will be reported again.',
}

const toFilter = (query: AlertQuery): AlertFilter => ({
  ...(query.tenant !== undefined && { tenant: query.tenant }),
  ...(query.identity !== undefined && { identity: query.identity }),
  ...(query.severity !== undefined && { minSeverity: query.severity }),
  ...(query.since !== undefined && { since: query.since }),
  historic: query.historic === 'true',
})

export function alertRoutes(app: FastifyInstance, deps: AlertDeps): void {
  app.get('/v1/alerts', async (request): Promise<AlertPage> => {
    const query = parse(AlertQuery, request.query, 'query')
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor)
    const found = await deps.alerts.page(toFilter(query), after, query.limit + 1)
    const alerts = found.alerts.slice(0, query.limit)
    const last = alerts.at(-1)
    // No place to read on from what memory holds: the store decides what comes next.
    const more = !found.partial && found.alerts.length > query.limit && last !== undefined
    return { alerts, cursor: more ? encodeCursor(last) : null, partial: found.partial }
  })

  app.get<{ Params: { id: string } }>('/v1/alerts/:id', async (request): Promise<AlertDetail> => {
    const alert = await deps.alerts.find(request.params.id)
    if (alert === null) throw notFound('alert')
    const events = (await unlessAway(deps.events.at(alert.facts.tenant, alert.facts.identity.id, alert.evidence))) ?? []
    return { alert, events: [...events], eventsPending: events.length < alert.evidence.length }
  })

  app.get<{ Params: { id: string } }>('/v1/alerts/:id/replay', async (request): Promise<ReplayAnswer> => {
    const alert = await deps.alerts.find(request.params.id)
    if (alert === null) throw notFound('alert')
    return deps.replays.replay(alert)
  })

  app.post<{ Params: { id: string } }>(
    '/v1/alerts/:id/verdict',
    { bodyLimit: 16 * 1024 },
    async (request, reply): Promise<VerdictAnswer> => {
      const body = parse(VerdictRequest, request.body, 'body')
      const alert = await deps.alerts.find(request.params.id)
      if (alert === null) throw notFound('alert')
      await deps.verdicts.record(alert, body.verdict, body.author, body.note)
      deps.tail.setVerdict(alert, body.verdict)
      deps.observer?.verdict(body.verdict)
      void reply.code(202)
      return { alertId: alert.id, verdict: body.verdict, effect: VERDICT_EFFECTS[body.verdict] }
    },
  )
}
