import type { FastifyInstance } from 'fastify'
import type { ConnectView, IngestNotice } from '@plumbline/schemas'
import type { LiveTail } from '../live-tail.ts'
import type { IngestWatch } from '../ports.ts'

const RECENT = 10

export interface ConnectDeps {
  readonly ingest: IngestWatch
  readonly tail: LiveTail
  /** Where agents reach the door from outside, like http://localhost:7070. */
  readonly endpoint: string
  /** Tenant that events of this token belong to. */
  readonly tenant: string
}

/** What the page needs to connect an agent, and the newest real events, one per identity. */
export function connectRoutes(app: FastifyInstance, deps: ConnectDeps): void {
  const recent = new Map<string, IngestNotice>()
  const stop = deps.ingest.watch((notice) => {
    const key = `${notice.tenant}\u0000${notice.identity}`
    recent.delete(key)
    recent.set(key, notice)
    if (recent.size > RECENT) recent.delete(recent.keys().next().value as string)
    deps.tail.ingest(notice)
  })
  app.addHook('preClose', async () => {
    stop()
  })

  app.get(
    '/v1/connect',
    async (): Promise<ConnectView> => ({
      endpoint: deps.endpoint,
      tenant: deps.tenant,
      recent: [...recent.values()].reverse(),
    }),
  )
}
