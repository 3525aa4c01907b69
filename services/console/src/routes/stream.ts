import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { PlumblineError } from '@plumbline/schemas'
import { type LiveTail, type TailMessage, tenantOf } from '../live-tail.ts'
import type { ConsoleObserver } from '../ports.ts'
import { sees, type View, type ViewOf } from '../scope.ts'

export interface StreamLimits {
  /** Viewers at the same time, across everyone. */
  readonly maxStreams: number
  /** Bytes waiting for one viewer before it is cut off; it comes back with Last-Event-ID and catches up. */
  readonly maxBufferedBytes: number
  /** A comment line this often, so that proxies keep the connection. Unit: ms. */
  readonly heartbeatMs: number
  /** How often the status is looked at; it is sent only when it changed. Unit: ms. */
  readonly statusMs: number
}

export const STREAM_LIMITS: StreamLimits = { maxStreams: 64, maxBufferedBytes: 1024 * 1024, heartbeatMs: 15_000, statusMs: 1000 }

const MAX_RESUMED = 200

const eventId = (tail: LiveTail, seq: number): string => `${tail.epoch}.${seq}`

function resumePoint(tail: LiveTail, header: string | string[] | undefined): number | null {
  const match = /^([\w-]{1,64})\.(\d{1,15})$/.exec(typeof header === 'string' ? header : '')
  return match === null || match[1] !== tail.epoch ? null : Number(match[2])
}

function format(tail: LiveTail, message: TailMessage): string {
  // JSON has no raw line breaks, so one data line always suffices.
  if (message.kind === 'alert') return `id: ${eventId(tail, message.seq)}\nevent: alert\ndata: ${JSON.stringify(message.alert)}\n\n`
  const data = message.kind === 'ingest' ? message.notice : { tenant: message.tenant }
  return `event: ${message.kind}\ndata: ${JSON.stringify(data)}\n\n`
}

const statusEvent = ({ reads }: View): string => `event: status\ndata: ${JSON.stringify(reads.status())}\n\n`

export interface StreamDeps {
  readonly tail: LiveTail
  readonly viewOf: ViewOf
  readonly limits: StreamLimits
  readonly observer: ConsoleObserver | undefined
}

/**
 * GET /v1/alerts/stream: server-sent events `alert`, `status`, `ingest`, `removed`, and `reset` when what the viewer
 * missed is no longer in memory and it has to read GET /v1/alerts again.
 */
export function streamRoute(app: FastifyInstance, deps: StreamDeps): void {
  const { tail, limits, observer } = deps
  /** Who watches, and as which reader. */
  const open = new Map<ServerResponse, View>()

  const send = (to: ServerResponse, text: string): void => {
    if (to.destroyed || to.writableEnded) return
    if (to.writableLength <= limits.maxBufferedBytes) {
      to.write(text)
      return
    }
    observer?.turnedAway('slow')
    to.destroy()
  }

  let told = new Map<View, string>()
  const ticker = setInterval(() => {
    const before = told
    told = new Map([...new Set(open.values())].map((view) => [view, statusEvent(view)]))
    for (const [viewer, view] of open) if (told.get(view) !== before.get(view)) send(viewer, told.get(view) as string)
  }, limits.statusMs)
  const heartbeat = setInterval(() => {
    for (const viewer of open.keys()) send(viewer, ': still here\n\n')
  }, limits.heartbeatMs)
  ticker.unref()
  heartbeat.unref()
  const stopListening = tail.listen((message) => {
    if (open.size === 0) return
    const text = format(tail, message)
    const tenant = tenantOf(message)
    for (const [viewer, { scope }] of open) if (sees(scope, tenant)) send(viewer, text)
  })

  app.addHook('preClose', async () => {
    clearInterval(ticker)
    clearInterval(heartbeat)
    stopListening()
    for (const viewer of open.keys()) viewer.end()
  })

  app.get('/v1/alerts/stream', (request, reply) => {
    if (open.size >= limits.maxStreams) {
      observer?.turnedAway('full')
      throw new PlumblineError('STREAMS_FULL', 'Too many viewers are connected.')
    }
    const viewer = reply.raw
    const view = deps.viewOf(request)
    reply.hijack()
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) viewer.setHeader(name, value)
    viewer.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    viewer.on('error', () => viewer.destroy())
    viewer.on('close', () => {
      open.delete(viewer)
      observer?.viewers(open.size)
    })

    const header = request.headers['last-event-id']
    const from = resumePoint(tail, header)
    const later = (from === null ? null : tail.since(from))?.filter((message) => sees(view.scope, tenantOf(message))) ?? null
    // A long absence is read page by page instead of being pushed into one connection.
    const missed = later !== null && later.length <= MAX_RESUMED ? later : null
    viewer.write('retry: 2000\n\n')
    // Without a known point the viewer starts from GET /v1/alerts; the id tells it where the stream stands.
    if (missed === null) viewer.write(`id: ${eventId(tail, tail.seq)}\nevent: reset\ndata: {"resumed":false}\n\n`)
    else for (const message of missed) viewer.write(format(tail, message))
    const status = statusEvent(view)
    viewer.write(status)
    told.set(view, status)
    open.set(viewer, view)
    observer?.viewers(open.size)
  })
}
