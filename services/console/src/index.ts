import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Alert, AlertView } from '@plumbline/schemas'
import { createReaderGate, type Reader } from './auth.ts'
import { LiveTail, withTail } from './live-tail.ts'
import { answerProblem } from './problems.ts'
import type {
  AlertStore,
  BlindSpotSource,
  ChangeStore,
  ConsoleObserver,
  DemoControl,
  EventStore,
  IdentityStore,
  IncidentStore,
  IngestWatch,
  ReplaySource,
  StatusSource,
  VerdictCounts,
  VerdictSink,
} from './ports.ts'
import { alertRoutes } from './routes/alerts.ts'
import { changeRoutes } from './routes/changes.ts'
import { connectRoutes } from './routes/connect.ts'
import { demoRoutes } from './routes/demo.ts'
import { readRoutes } from './routes/reads.ts'
import { STREAM_LIMITS, streamRoute, type StreamLimits } from './routes/stream.ts'
import { scopedReads, scopeOf, type View } from './scope.ts'
import { WEB_DIR, staticRoutes } from './static.ts'

export * from './ports.ts'
export { type Reader, tokenCheck, type TokenCheck } from './auth.ts'
export { KNOWN as READ_REFUSALS } from './problems.ts'
export { STREAM_LIMITS, type StreamLimits } from './routes/stream.ts'
export { PAGE_CSP, WEB_DIR } from './static.ts'

export interface ConsoleDeps {
  /** Tokens that open the API, and what each may see. */
  readonly readers: readonly Reader[]
  readonly alerts: AlertStore
  readonly events: EventStore
  readonly identities: IdentityStore
  readonly incidents: IncidentStore
  readonly changes: ChangeStore
  readonly verdictCounts: VerdictCounts
  readonly verdicts: VerdictSink
  readonly replays: ReplaySource
  readonly blindSpots: BlindSpotSource
  readonly status: StatusSource
  readonly ingest: IngestWatch
  /** Null in deployments without a demo. */
  readonly demo: DemoControl | null
  /** Default `demo`. */
  readonly demoTenant?: string
  /** Where agents reach the door, like http://localhost:7070; shown to copy. */
  readonly endpoint: string
  /** Tenant of readers that are bound to none, where a request names none. */
  readonly tenant: string
  /** Distinguishes this start of the process from others, 1 to 64 of [A-Za-z0-9_-]. */
  readonly epoch: string
  readonly limits?: Partial<StreamLimits>
  readonly observer?: ConsoleObserver
  /** Folder of the built page; default dist-web of this package. */
  readonly webDir?: string
}

export interface Console {
  /** Registers every route of the read API and the page on a fastify server, in a scope of its own. */
  readonly routes: FastifyPluginAsync
  /** Call after the commit that holds the alert: it shows on the page and in the API at once. */
  publish(alert: Alert, delivery: AlertView['delivery']): void
}

/** Answers are data: never cached, never taken for a page. */
const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

/** The read API and the page. Holds no state that matters: everything comes back from the ports. */
export function createConsole(deps: ConsoleDeps): Console {
  const tail = new LiveTail(deps.epoch)
  const { verdicts, replays, observer, demo, ingest, endpoint, demoTenant = 'demo' } = deps
  const gate = createReaderGate(deps.readers)
  const stores = {
    alerts: withTail(deps.alerts, tail),
    events: deps.events,
    identities: deps.identities,
    incidents: deps.incidents,
    changes: deps.changes,
    verdictCounts: deps.verdictCounts,
    blindSpots: deps.blindSpots,
    status: deps.status,
  }
  const views = new Map(
    deps.readers.map((reader) => {
      const scope = scopeOf(reader, deps.tenant, demoTenant)
      return [reader, { scope, reads: scopedReads(stores, scope) }] as const
    }),
  )
  const viewOf = (request: FastifyRequest): View => views.get(gate.readerOf(request)) as View
  const routes: FastifyPluginAsync = async (app: FastifyInstance) => {
    await app.register(async (api) => {
      api.addHook('onRequest', async (_request, reply) => void reply.headers(ANSWER_HEADERS))
      api.addHook('onRequest', gate.onRequest)
      api.setErrorHandler(answerProblem)
      streamRoute(api, { tail, viewOf, limits: { ...STREAM_LIMITS, ...deps.limits }, observer })
      alertRoutes(api, { viewOf, verdicts, replays, tail, observer })
      readRoutes(api, viewOf)
      changeRoutes(api, viewOf)
      demoRoutes(api, { demo, tail, demoTenant })
      connectRoutes(api, { viewOf, ingest, tail, endpoint })
    })
    await staticRoutes(app, deps.webDir ?? WEB_DIR)
  }
  return { routes, publish: (alert, delivery) => tail.publish(alert, delivery) }
}
