import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  AlertQuery,
  VerdictRequest,
  type AlertDetail,
  type AlertPage,
  type AlertView,
  type ReplayAnswer,
  type Verdict,
  type VerdictAnswer,
} from '@plumbline/schemas'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import { type LiveTail, unlessAway } from '../live-tail.ts'
import { notFound, parse } from '../problems.ts'
import type { ConsoleObserver, ReplaySource, VerdictSink } from '../ports.ts'
import type { AskedFilter, ViewOf } from '../scope.ts'

export interface AlertDeps {
  readonly viewOf: ViewOf
  readonly verdicts: VerdictSink
  readonly replays: ReplaySource
  readonly tail: LiveTail
  readonly observer: ConsoleObserver | undefined
}

/** What a verdict does. */
const EFFECTS: Readonly<Record<Verdict, string>> = {
  confirmed: "Kept as a real incident. The identity's risk rises, and nothing it does is learned until a verdict of safe.",
  safe: 'This is normal from now on: it is learned, and the same act stays quiet.',
  dismissed: 'Harmless this time. Nothing is learned, and the same act will be reported again.',
}
/** After a verdict of safe: what was learned by it is not unlearned. */
const EFFECTS_AFTER_SAFE: Readonly<Record<Verdict, string>> = {
  confirmed: `${EFFECTS.confirmed} It is no longer kept quiet as safe, but what that verdict taught stays learned.`,
  safe: EFFECTS.safe,
  dismissed: 'Recorded only: what was called safe stays learned and quiet. Confirm it to have the like reported again.',
}

const effectOf = (verdict: Verdict, before: Verdict | null): string => (before === 'safe' ? EFFECTS_AFTER_SAFE : EFFECTS)[verdict]

const toFilter = (query: AlertQuery): AskedFilter => ({
  ...(query.tenant !== undefined && { tenant: query.tenant }),
  ...(query.identity !== undefined && { identity: query.identity }),
  ...(query.severity !== undefined && { minSeverity: query.severity }),
  ...(query.since !== undefined && { since: query.since }),
  historic: query.historic === 'true',
  ...(query.delivery !== undefined && { delivery: query.delivery }),
  sort: query.sort,
})

type OfAlert = { Params: { id: string } }

export function alertRoutes(app: FastifyInstance, deps: AlertDeps): void {
  const alertOf = async (request: FastifyRequest<OfAlert>): Promise<AlertView> => {
    const alert = await deps.viewOf(request as FastifyRequest).reads.alerts.find(request.params.id)
    if (alert === null) throw notFound('alert')
    return alert
  }

  app.get('/v1/alerts', async (request): Promise<AlertPage> => {
    const query = parse(AlertQuery, request.query, 'query')
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, query.sort)
    const found = await deps.viewOf(request).reads.alerts.page(toFilter(query), after, query.limit + 1)
    const alerts = found.alerts.slice(0, query.limit)
    const last = alerts.at(-1)
    // No place to read on from what memory holds: the store decides what comes next.
    const more = !found.partial && found.alerts.length > query.limit && last !== undefined
    return { alerts, cursor: more ? encodeCursor(last, query.sort) : null, partial: found.partial }
  })

  app.get<OfAlert>('/v1/alerts/:id', async (request): Promise<AlertDetail> => {
    const { reads } = deps.viewOf(request)
    const alert = await alertOf(request)
    const events = (await unlessAway(reads.events.at(alert.facts.tenant, alert.facts.identity.id, alert.evidence))) ?? []
    return { alert, events: [...events], eventsPending: events.length < alert.evidence.length }
  })

  app.get<OfAlert>('/v1/alerts/:id/replay', async (request): Promise<ReplayAnswer> => {
    const alert = await alertOf(request)
    return deps.replays.replay(alert)
  })

  app.post<OfAlert>('/v1/alerts/:id/verdict', { bodyLimit: 16 * 1024 }, async (request, reply): Promise<VerdictAnswer> => {
    const body = parse(VerdictRequest, request.body, 'body')
    const alert = await alertOf(request)
    await deps.verdicts.record(alert, body.verdict, body.author, body.note)
    deps.tail.setVerdict(alert, body.verdict)
    deps.observer?.verdict(body.verdict)
    void reply.code(202)
    return { alertId: alert.id, verdict: body.verdict, effect: effectOf(body.verdict, alert.verdict) }
  })
}
