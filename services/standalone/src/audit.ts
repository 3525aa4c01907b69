import type { DeploymentLog } from '@plumbline/detector'
import type { AuditRecord, FeedHeader } from '@plumbline/schemas'

/** Who entries of the audit log are from. A release that was due is from `trainer`, a verdict from the author it names. */
export type Actor =
  /** This process by itself. */
  | 'service'
  /** Somebody with the operator key: the user who owns the data folder. */
  | 'operator'
  /** Somebody with the token, like the page's user. */
  | 'token holder'
  | 'policy file'
  /** A deploy job, by the key that its announcement was signed with. */
  | `deploy key ${string}`
  /** The company of the demo, which brings its own policy. */
  | 'demo'

export interface Act {
  readonly tenant: string
  readonly actor: Actor
  readonly action: string
  readonly target: string
  readonly body?: unknown
}

/** Resolves once the entry survives a crash. The rows of it are never removed, not even with their tenant. */
export const audit = (log: Pick<DeploymentLog, 'publish'>, time: number, act: Act): Promise<void> =>
  log.publish('audit', [auditRow(time, act)])

/** The same as a row, to be stored together with what it tells of. */
export const auditRow = (time: number, { body = {}, ...act }: Act): AuditRecord => ({ time, ...act, body })

/** What feeding files leaves in the audit log: when a command begins with a tenant, and when it has brought in everything. */
export interface FeedAudit {
  /** To be called before each request; the first one of a command is written down. */
  begin(tenant: string, header: Pick<FeedHeader, 'mode' | 'id' | 'from'>): Promise<void>
  /** Everything of these tenants is scored and stored. */
  end(tenants: readonly string[]): Promise<void>
}

/** `log` may be asked for at each use: it comes after the routes. */
export const createFeedAudit = (log: () => Pick<DeploymentLog, 'publish'>, clock: () => number): FeedAudit => {
  /** Commands under way, by tenant. */
  const running = new Map<string, { readonly action: string; readonly run: string }>()
  return {
    async begin(tenant, { mode, id, from }) {
      // Requests of one command are numbered.
      const run = id.replace(/:\d+$/, '')
      if (running.get(tenant)?.run === run) return
      const action = mode === 'history' ? 'backfill' : 'replay'
      await audit(log(), clock(), { tenant, actor: 'operator', action, target: run, body: { from } })
      running.set(tenant, { action, run })
    },
    async end(tenants) {
      for (const tenant of tenants) {
        const known = running.get(tenant)
        if (known === undefined) continue
        running.delete(tenant)
        await audit(log(), clock(), { tenant, actor: 'operator', action: `${known.action}.end`, target: known.run })
      }
    },
  }
}
