import type { FastifyInstance } from 'fastify'
import type { ConnectView, IngestNotice } from '@plumbline/schemas'
import type { LiveTail } from '../live-tail.ts'
import type { IngestWatch } from '../ports.ts'
import { sees, type ViewOf } from '../scope.ts'

const RECENT = 10
/** Viewers see a new event at most this often, however many arrive. Unit: ms. */
const PACE_MS = 250

export interface ConnectDeps {
  readonly viewOf: ViewOf
  readonly ingest: IngestWatch
  readonly tail: LiveTail
  /** Where agents reach the door from outside, like http://localhost:7070. */
  readonly endpoint: string
}

/** Passes the newest on at once, then at most one each `everyMs`, the last one always. */
function paced(everyMs: number, pass: (notice: IngestNotice) => void): { offer(notice: IngestNotice): void; stop(): void } {
  let waiting: IngestNotice | undefined
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    timer = undefined
    if (waiting !== undefined) send(waiting)
  }
  const send = (notice: IngestNotice): void => {
    waiting = undefined
    pass(notice)
    timer = setTimeout(next, everyMs)
    timer.unref()
  }
  return {
    offer(notice) {
      if (timer === undefined) send(notice)
      else waiting = notice
    },
    stop: () => clearTimeout(timer),
  }
}

/** What the page needs to connect an agent, and the newest real events, one per identity. */
export function connectRoutes(app: FastifyInstance, deps: ConnectDeps): void {
  const recent = new Map<string, IngestNotice>()
  const stream = paced(PACE_MS, (notice) => deps.tail.ingest(notice))
  const stop = deps.ingest.watch((notices) => {
    for (const notice of notices) {
      const key = `${notice.tenant}\u0000${notice.identity}`
      recent.delete(key)
      recent.set(key, notice)
      if (recent.size > RECENT) recent.delete(recent.keys().next().value as string)
      stream.offer(notice)
    }
  })
  app.addHook('preClose', async () => {
    stop()
    stream.stop()
  })

  app.get('/v1/connect', async (request): Promise<ConnectView> => {
    const { scope } = deps.viewOf(request)
    const seen = [...recent.values()].filter(({ tenant }) => sees(scope, tenant))
    return { endpoint: deps.endpoint, tenant: scope.home, recent: seen.reverse() }
  })
}
