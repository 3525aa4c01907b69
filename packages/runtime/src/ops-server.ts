import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PlumblineError } from '@plumbline/schemas'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import type { Health, HealthReport } from './health.ts'
import type { Part } from './lifecycle.ts'

/** Options of the operations server of a process without a door; each has a port of its own by default. */
export const opsFields = (port: number) => ({
  metricsHost: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address that answers /metrics, /health/live and /health/ready. Whoever reaches it sees counts and states, no events.',
  }),
  metricsPort: z.number().int().min(0).max(65_535).default(port).meta({ description: 'Its port; 0 takes a free one.', unit: 'port' }),
})

export interface OpsServerOptions {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly health: Health
  readonly registry: Registry
  /** Called before metrics are given out, to bring gauges up to date. */
  readonly onScrape?: () => void
}

export interface OpsServer {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

/** A scraper, probes and a person or two; more connections are refused. */
const MAX_CONNECTIONS = 64
const MAX_HEADER_BYTES = 4096
const HEADERS_MS = 2_000
const REQUEST_MS = 5_000
const CHECK_MS = 1_000

const answer = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}
const refuse = (response: ServerResponse, status: number, words: string): void => {
  // Whatever else came on this connection is not read.
  response.setHeader('connection', 'close')
  answer(response, status, 'text/plain; charset=utf-8', `${words}\n`)
}

const answerHealth = (response: ServerResponse, report: HealthReport): void =>
  answer(response, report.ok ? 200 : 503, 'application/json; charset=utf-8', JSON.stringify(report))

const handler = ({ health, registry, onScrape = () => {} }: OpsServerOptions) => {
  const routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/metrics': async (response) => {
      onScrape()
      answer(response, 200, registry.contentType, await registry.metrics())
    },
    '/health/live': async (response) => answerHealth(response, await health.live()),
    '/health/ready': async (response) => answerHealth(response, await health.ready()),
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url?.split('?', 1)[0] ?? ''
    if (!Object.hasOwn(routes, path)) return refuse(response, 404, 'Not here: /metrics, /health/live, /health/ready.')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return refuse(response, 405, 'GET only.')
    }
    routes[path]!(response).catch((error: unknown) => {
      if (!response.headersSent) refuse(response, 500, error instanceof Error ? error.message : 'failed')
    })
  }
}

const listen = (server: Server, { host, port }: OpsServerOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new PlumblineError(
              'HTTP_PORT_TAKEN',
              `Port ${port} on ${host} is taken. Set metricsPort to another one, or to 0 for a free one.`,
            )
          : new PlumblineError('HTTP_UNAVAILABLE', `Nothing can listen at ${host}:${port}: ${cause.message}. Check metricsHost.`, {
              cause,
            }),
      ),
    )
    server.listen(port, host, resolve)
  })

/** Serves metrics and health, nothing else. Errors: HTTP_PORT_TAKEN, HTTP_UNAVAILABLE. */
export const startOpsServer = async (options: OpsServerOptions): Promise<OpsServer> => {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
    handler(options),
  )
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, options)
  const { port } = server.address() as AddressInfo
  return {
    host: options.host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The server as a part of a process. It comes first and goes last, so that probes see how the rest gets on. */
export const opsPart = (options: OpsServerOptions, onListening: (server: OpsServer) => void = () => {}): Part => {
  let server: OpsServer | null = null
  return {
    name: 'metrics',
    async start() {
      server = await startOpsServer(options)
      onListening(server)
    },
    stop: () => server?.close(),
  }
}
