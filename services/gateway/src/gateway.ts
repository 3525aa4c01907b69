import helmet from '@fastify/helmet'
import type { Health, Logger, Metrics } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { type Authenticate, createAuthenticator, type Credential } from './credentials.ts'
import { createDoor } from './door.ts'
import { eventsRoute } from './events-route.ts'
import { changesRoute, type ChangesPort } from './changes-route.ts'
import { createHostCheck } from './host.ts'
import { guardIntake, INTAKE_LIMITS, type IntakeLimits } from './intake.ts'
import { answerNotHttp } from './not-http.ts'
import { openApiDocument, type Refusals } from './openapi.ts'
import type { IngestListener, IngestPort } from './ports.ts'
import { type Problem, toProblem } from './problems.ts'
import { createRefusalLog } from './refusals.ts'
import { createStrangers } from './strangers.ts'
import { createTenantLedger, type TenantLedger } from './tenants.ts'
import { otherSignalsRoute, sendOtlpProblem, tracesRoute } from './traces-route.ts'

export interface GatewayOptions {
  readonly port: IngestPort
  /** Number of shards of the log behind the port; fixed when that was created (contracts C1). */
  readonly shards: number
  readonly credentials: readonly Credential[]
  /** Arrival time of events: one createIngestClock per process. */
  readonly clock: () => number
  readonly metrics: Metrics
  readonly health: Health
  readonly log?: Logger
  readonly limits?: Partial<IntakeLimits>
  /** Why nothing can be taken in at present, or undefined. */
  readonly pressure?: () => string | undefined
  readonly onAccepted?: IngestListener
  /** Tenants that only a token bound to them may write to, like the demo's. */
  readonly reservedTenants?: readonly string[]
  /** How many tenants may be opened. Default: a ledger with TENANT_LIMITS. */
  readonly tenants?: TenantLedger
  /** Where announced changes go; absent: there is no POST /v1/changes. */
  readonly changes?: ChangesPort
  /** Tokens that other routes on this app take: who has one is no stranger. */
  readonly otherTokens?: readonly string[]
  /** Refusals of other routes on this app, for the OpenAPI document. */
  readonly refusals?: Refusals
  /** Names besides localhost and addresses that requests may come for (Host header). */
  readonly hosts?: readonly string[]
  readonly version?: string
}

/** Limits on connections, which the server itself keeps (B25). */
const SERVER = {
  /** A socket on which nothing moves, ms. Longer than the heartbeat of the alert stream. */
  connectionTimeout: 120_000,
  /** From the first byte of a request to the last of its body, ms. */
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 10_000, maxHeaderSize: 16 * 1024, connectionsCheckingInterval: 5000 },
} as const
const MAX_CONNECTIONS = 4096
const MAX_HEADERS = 100

/**
 * The door as a fastify app that is not listening yet: POST /v1/events, /v1/traces and /v1/changes, /healthz, /readyz, /metrics,
 * /v1/openapi.json. Other services' routes can be registered on it as plugins before `listen`.
 */
export const createGateway = (options: GatewayOptions): FastifyInstance => {
  const app = fastify({
    ...SERVER,
    ...(options.log === undefined ? { logger: false } : { loggerInstance: options.log as FastifyBaseLogger }),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: INTAKE_LIMITS.bodyBytes,
    exposeHeadRoutes: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    trustProxy: false,
    clientErrorHandler: answerNotHttp,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  }) as unknown as FastifyInstance
  app.server.maxConnections = MAX_CONNECTIONS
  app.server.maxHeadersCount = MAX_HEADERS
  const answerError = errorAnswers(options.metrics)
  app.setErrorHandler(answerError)
  guardAll(app, options, answerError)
  app.setNotFoundHandler((_request, reply) => {
    const problem = toProblem({ statusCode: 404 })
    return reply.code(404).send({
      ...problem.body,
      code: 'NOT_FOUND',
      message: 'There is nothing at this address.',
      remedy: 'See /v1/openapi.json for what there is.',
    })
  })
  app.register((scope) => ingestScope(scope, options))
  app.register((scope) => operationsScope(scope, options))
  const { changes, pressure } = options
  if (changes !== undefined) app.register((scope) => changesRoute(scope, { changes, pressure }))
  return app
}

type ErrorAnswer = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** An error as the answer to a request, and in the log when it is ours: what passes by itself once per burst, and without a stack. */
const errorAnswers = (metrics: Pick<Metrics, 'plumbline_requests_refused_total'>): ErrorAnswer => {
  const logRefusal = createRefusalLog()
  return (error, request, reply) => {
    const problem = toProblem(error)
    const route = request.routeOptions.url
    metrics.plumbline_requests_refused_total.inc({ code: problem.body.code })
    if (problem.status === 503) logRefusal(request.log, problem, error, route)
    else if (problem.status >= 500) request.log.error({ err: error, route }, 'request failed')
    return answerProblem(problem, request, reply)
  }
}

const answerProblem = (problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  reply.code(problem.status)
  if (problem.retryAfterS !== undefined) reply.header('retry-after', String(problem.retryAfterS))
  // The rest of a body nobody will read is not worth waiting for.
  if (problem.status === 413) reply.header('connection', 'close')
  return sendOtlpProblem(request, reply, problem) ?? reply.send(problem.body)
}

/** Routes under /v1/ that need no token. */
const OPEN = new Set(['/v1/openapi.json'])

/** What holds for every route, also those that others register: the name it was asked by, and how often strangers may ask. */
const guardAll = (app: FastifyInstance, options: GatewayOptions, answerError: ErrorAnswer): void => {
  const isHere = createHostCheck(options.hosts)
  const isKnown = authenticatorOf(options)
  const tooMany = createStrangers(options.limits?.strangersPerSecond ?? INTAKE_LIMITS.strangersPerSecond)
  app.addHook('onRequest', async (request, reply) => {
    if (!isHere(request.headers.host))
      return answerError(new PlumblineError('HOST_UNKNOWN', 'This service is not known by the name it was asked by.'), request, reply)
    // The route, not the address: that may be spelled with percent signs.
    const route = request.routeOptions.url ?? ''
    if (!route.startsWith('/v1/') || OPEN.has(route) || isKnown(request.headers.authorization) !== undefined) return undefined
    if (!tooMany(request.ip)) return undefined
    return answerError(new PlumblineError('RATE_LIMITED', 'Too many requests without a good token.', { retryable: true }), request, reply)
  })
}

/** Everybody whom some route lets in. */
const authenticatorOf = ({ credentials, otherTokens = [] }: GatewayOptions): Authenticate =>
  createAuthenticator([...credentials, ...otherTokens.map((token, i) => ({ id: `other-${i}`, token }))])

const ingestScope = async (app: FastifyInstance, options: GatewayOptions): Promise<void> => {
  const { metrics } = options
  const limits = { ...INTAKE_LIMITS, ...options.limits }
  const { port, shards, clock, onAccepted, reservedTenants } = options
  const door = createDoor({ port, shards, clock, metrics, onAccepted, reservedTenants, tenants: options.tenants ?? createTenantLedger() })
  await app.register(helmet, {
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }, useDefaults: false },
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    metrics.plumbline_ingest_requests_total.inc({ route, status: reply.statusCode })
    if (reply.statusCode < 300) metrics.plumbline_ingest_seconds.observe({ route }, reply.elapsedTime / 1000)
  })
  const intake = await guardIntake(app, {
    authenticate: createAuthenticator(options.credentials),
    limits,
    metrics,
    pressure: options.pressure,
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: limits.bodyBytes }, (_request, body, done) => done(null, body))
  eventsRoute(app, intake, door, limits)
  tracesRoute(app, intake, door, metrics)
  otherSignalsRoute(app, metrics)
}

const operationsScope = async (app: FastifyInstance, options: GatewayOptions): Promise<void> => {
  const document = openApiDocument(options.version ?? '0.0.0', options.refusals)
  app.get('/healthz', async (_request, reply) => {
    const report = await options.health.live()
    return reply.code(report.ok ? 200 : 503).send(report)
  })
  app.get('/readyz', async (_request, reply) => {
    const report = await options.health.ready()
    return reply.code(report.ok ? 200 : 503).send(report)
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(options.metrics.registry.contentType).send(await options.metrics.registry.metrics()),
  )
  app.get('/v1/openapi.json', async () => document)
}
