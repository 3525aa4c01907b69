import type { FastifyInstance } from 'fastify'
import { AlertQuery, VerdictRequest, type AlertDetail, type AlertPage, type Verdict, type VerdictAnswer } from '@plumbline/schemas'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { LiveTail } from '../live-tail.ts'
import { notFound, parse } from '../problems.ts'
import type { AlertFilter, AlertStore, EventStore, VerdictSink } from '../ports.ts'

export interface AlertDeps {
  readonly alerts: AlertStore
  readonly events: EventStore
  readonly verdicts: VerdictSink
  readonly tail: LiveTail
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
    const alerts = found.slice(0, query.limit)
    const last = alerts.at(-1)
    return { alerts, cursor: found.length > query.limit && last !== undefined ? encodeCursor(last) : null }
  })

  app.get<{ Params: { id: string } }>('/v1/alerts/:id', async (request): Promise<AlertDetail> => {
    const alert = await deps.alerts.find(request.params.id)
    if (alert === null) throw notFound('alert')
    const events = await deps.events.at(alert.facts.tenant, alert.facts.identity.id, alert.evidence)
    return { alert, events: [...events], eventsPending: events.length < alert.evidence.length }
  })

  app.post<{ Params: { id: string } }>('/v1/alerts/:id/verdict', async (request, reply): Promise<VerdictAnswer> => {
    const body = parse(VerdictRequest, request.body, 'body')
    const alert = await deps.alerts.find(request.params.id)
    if (alert === null) throw notFound('alert')
    await deps.verdicts.record(alert, body.verdict, body.author, body.note)
    deps.tail.setVerdict(alert, body.verdict)
    void reply.code(202)
    return { alertId: alert.id, verdict: body.verdict, effect: VERDICT_EFFECTS[body.verdict] }
  })
}
