import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, isIP } from 'node:net'
import { createConsole, READ_REFUSALS } from '@plumbline/console'
import { type ChangesPort, createGateway, readDeployKeys } from '@plumbline/gateway'
import type { Part } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import { createChangeList } from './change-list.ts'
import { createConsoleStores } from './console-ports.ts'
import { type Context, DEFAULT_TENANT, logOf, present, readerOf, VERSION } from './context.ts'
import { DEMO_TENANT } from './demo/demo.ts'
import { createIngestWatch } from './ingest-watch.ts'
import { createOperator } from './operator/operator.ts'
import { operatorRoutes } from './operator/routes.ts'
import type { ServiceConfig } from './options.ts'
import { createReplays } from './replays.ts'
import { deployKeysPath } from './secrets.ts'
import { createStatus } from './status.ts'

/** How this machine reaches the service. By number, because some clients take `localhost` for ::1 alone. */
const endpointOf = (host: string, port: number): string => {
  const shown = host === '0.0.0.0' || host === '::' || host === 'localhost' ? '127.0.0.1' : host
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}

/** The configured port, or a free one: the page shows it before anything listens. */
const portOf = async ({ host, httpPort }: ServiceConfig): Promise<number> => {
  if (httpPort !== 0) return httpPort
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Why nothing can be taken in at present. */
const pressureOf = (context: Context): string | undefined => {
  if (context.phase === 'stopping') return 'The service is stopping.'
  // What comes in before the policy of the file is in force would be judged without it.
  if (context.detection === null || context.policy === null) return 'The service is starting.'
  const obstacle = context.obstacle()
  if (obstacle !== undefined) return obstacle
  const lag = context.detection.lag()
  return lag > context.config.maxLagEvents ? `${lag} events wait to be scored.` : undefined
}

const replaysOf = (context: Context) =>
  createReplays({
    log: logOf(context),
    releases: present(context.releases, 'The log'),
    config: present(context.detection, 'The detector').config,
    metrics: context.metrics,
    reader: () => readerOf(context),
  })

const consoleOf = (context: Context, endpoint: string, ingest: ReturnType<typeof createIngestWatch>) => {
  const { config, token, metrics } = context
  const status = createStatus(context)
  context.status = status
  return createConsole({
    readers: [{ token, ...(config.tenant === undefined ? {} : { tenant: config.tenant }) }],
    ...createConsoleStores(() => readerOf(context)),
    changes: createChangeList({ changes: context.changes, log: () => logOf(context), clock: context.clock }),
    blindSpots: {
      of: (...args) => context.blindSpots?.of(...args) ?? null,
      measure: async (...args) => present(context.blindSpots, 'The self-test').measure(...args),
    },
    verdicts: { record: (...args) => present(context.verdicts, 'The log').record(...args) },
    replays: { replay: (alert) => replaysOf(context).replay(alert) },
    status,
    ingest,
    demo: context.withDemo
      ? {
          options: () => context.demo?.options() ?? null,
          play: async (request) => present(context.demo, 'The demo').play(request),
          remove: async () => present(context.demo, 'The demo').remove(),
        }
      : null,
    demoTenant: DEMO_TENANT,
    observer: {
      viewers: (count) => metrics.plumbline_console_viewers.set(count),
      turnedAway: (why) => metrics.plumbline_console_turned_away_total.inc({ why }),
      verdict: (verdict) => metrics.plumbline_verdicts_total.inc({ verdict }),
    },
    endpoint,
    tenant: config.tenant ?? DEFAULT_TENANT,
    epoch: randomBytes(6).toString('base64url'),
  })
}

/** A key speaks for its tenant alone, and none for the demo, which is nobody's. */
const changesPort = (context: Context): ChangesPort => ({
  keys: async () => {
    const keys = await readDeployKeys(context.config.deployKeysFile ?? deployKeysPath(context.dataDir))
    return keys.filter(({ tenant }) => tenant !== DEMO_TENANT)
  },
  announce: ({ id, tenant }, request) => context.changes.announce(tenant, request, `deploy key ${id}`),
})

/** The door, the read API with the page, and the operator's routes on one app that is not listening yet. */
export const createApp = (context: Context): ReturnType<typeof createGateway> => {
  const { config, clock, metrics, health, logger, token } = context
  const watch = createIngestWatch()
  const app = createGateway({
    port: context.port,
    shards: config.shards,
    credentials: [{ id: 'main', token, ...(config.tenant === undefined ? {} : { tenant: config.tenant }) }],
    clock,
    metrics,
    health,
    log: logger,
    pressure: () => pressureOf(context),
    onAccepted: (notices) => watch.accepted(notices),
    reservedTenants: [DEMO_TENANT],
    tenants: context.tenants,
    changes: changesPort(context),
    otherTokens: [context.operatorKey],
    refusals: READ_REFUSALS,
    hosts: [...config.allowedHosts, ...(isIP(config.host) === 0 ? [config.host] : [])],
    version: VERSION,
  })
  context.console = consoleOf(context, context.url, watch)
  app.register(context.console.routes)
  app.register(operatorRoutes(context.operatorKey, createOperator(context)))
  return app
}

/** First to come, so that the page shows how the rest comes up. Errors: HTTP_PORT_TAKEN. */
export const httpPart = (context: Context, onListening: () => void): Part => {
  const { config } = context
  let app: ReturnType<typeof createApp> | null = null
  return {
    name: 'http',
    async start() {
      const port = await portOf(config)
      context.url = endpointOf(config.host, port)
      app = createApp(context)
      try {
        await app.listen({ host: config.host, port })
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
        const remedy = 'Stop what uses it, or set --http-port or PLUMBLINE_HTTP_PORT.'
        throw new PlumblineError('HTTP_PORT_TAKEN', `Port ${port} on ${config.host} is taken. ${remedy}`, { cause })
      }
      context.status?.start()
      onListening()
    },
    async stop() {
      context.stopping.abort()
      context.status?.stop()
      await app?.close()
    },
  }
}
