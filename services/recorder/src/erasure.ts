import type { Store } from '@plumbline/adapters/clickhouse'
import type { KeyValue, Topic } from '@plumbline/adapters/lmdb'

export interface ErasureResult {
  /** Resolves when the rows are gone. */
  readonly done: Promise<void>
}

interface Pending {
  readonly tenant: string
  readonly heads: Readonly<Record<string, number>>
}

const PREFIX = 'recorder:erase:'
/** Alerts last: their ids say which capsules go. The audit log stays. */
const TABLES = ['scored_events', 'identities', 'dead_letters', 'feedback', 'releases', 'alerts']

/** Removals of a tenant that wait until the outbox holds none of its rows any more. */
export const createErasures = (kv: KeyValue, store: () => Store, position: (topic: Topic) => number) => {
  const waiting = new Map<string, () => void>()
  let running: Promise<void> | null = null

  const list = (): Pending[] => kv.list(PREFIX).map((name) => JSON.parse(Buffer.from(kv.get(name)!).toString()) as Pending)
  const due = (pending: Pending): boolean => Object.entries(pending.heads).every(([topic, head]) => position(topic as Topic) >= head)

  const erase = async ({ tenant }: Pending): Promise<void> => {
    const { database } = store()
    await store().command(
      `ALTER TABLE ${database}.capsules DELETE WHERE alert_id IN (SELECT id FROM ${database}.alerts WHERE tenant = {tenant:String}) SETTINGS mutations_sync = 1`,
      { tenant },
    )
    for (const table of TABLES)
      await store().command(`ALTER TABLE ${database}.${table} DELETE WHERE tenant = {tenant:String} SETTINGS mutations_sync = 1`, {
        tenant,
      })
    await kv.put({ [PREFIX + tenant]: null })
    waiting.get(tenant)?.()
    waiting.delete(tenant)
  }

  const runAll = async (): Promise<void> => {
    for (const pending of list()) if (due(pending)) await erase(pending)
  }

  return {
    pending: (): boolean => kv.list(PREFIX).length > 0,
    request(tenant: string, heads: ReadonlyMap<Topic, number>): { accepted: Promise<void>; done: Promise<void> } {
      const done = new Promise<void>((resolve) => waiting.set(tenant, resolve))
      return { accepted: kv.put({ [PREFIX + tenant]: Buffer.from(JSON.stringify({ tenant, heads: Object.fromEntries(heads) })) }), done }
    },
    /** Runs what is due; several callers share one run. */
    async run(): Promise<void> {
      running ??= runAll().finally(() => {
        running = null
      })
      await running
    },
  }
}
