import type { Store } from '@plumbline/adapters/clickhouse'
import type { KeyValue } from '@plumbline/detector'
import type { Topic } from '@plumbline/schemas'

export interface ErasureResult {
  /** Resolves when the rows are gone. */
  readonly done: Promise<void>
}

/** What goes: a tenant whole, or one identity of it with all that stands before a position of its shard. */
export interface Erasable {
  readonly tenant: string
  readonly identity?: { readonly id: string; readonly upTo: number }
}

interface Pending extends Erasable {
  readonly heads: Readonly<Record<string, number>>
}

interface Deletion {
  readonly table: string
  readonly where: string
}

const PREFIX = 'recorder:erase:'
const TENANT = 'tenant = {tenant:String}'
const IDENTITY = `${TENANT} AND identity = {identity:String}`
const BEFORE = `${IDENTITY} AND offset < {upTo:UInt64}`

const capsulesOf = (where: string): Deletion => ({ table: 'capsules', where: `alert_id IN (SELECT id FROM {db}.alerts WHERE ${where})` })

/** Alerts last: their ids say which capsules go. The audit log stays. */
const OF_TENANT: readonly Deletion[] = [
  capsulesOf(TENANT),
  ...['scored_events', 'identities', 'dead_letters', 'feedback', 'releases', 'alerts'].map((table) => ({ table, where: TENANT })),
]
/** A dead letter has no identity of its own: one whose payload names the id goes, whosever it was. */
const OF_IDENTITY: readonly Deletion[] = [
  capsulesOf(BEFORE),
  { table: 'scored_events', where: BEFORE },
  { table: 'identities', where: IDENTITY },
  { table: 'feedback', where: IDENTITY },
  { table: 'dead_letters', where: 'match(tryBase64Decode(payload), {named:String})' },
  { table: 'alerts', where: BEFORE },
]

/** The id as the value of a JSON field `id`, as a regular expression of RE2. */
const naming = (id: string): string => `"id"\\s*:\\s*${JSON.stringify(id).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`

const nameOf = ({ tenant, identity }: Erasable): string => PREFIX + tenant + (identity === undefined ? '' : `\n${identity.id}`)

export interface ErasureDeps {
  readonly kv: KeyValue
  readonly store: () => Store
  /** How far the rows of a topic are stored. */
  readonly position: (topic: Topic) => number
  /** Called once the last row of a removed tenant is gone. */
  readonly onErased: (tenant: string) => Promise<void>
}

/** Removals that wait until the outbox holds none of the rows any more. */
export const createErasures = ({ kv, store, position, onErased }: ErasureDeps) => {
  const waiting = new Map<string, () => void>()
  let running: Promise<void> | null = null

  const list = (): Pending[] => kv.list(PREFIX).map((name) => JSON.parse(Buffer.from(kv.get(name)!).toString()) as Pending)
  const due = (pending: Pending): boolean => Object.entries(pending.heads).every(([topic, head]) => position(topic as Topic) >= head)

  const erase = async (pending: Pending): Promise<void> => {
    const { tenant, identity } = pending
    const { database } = store()
    const values = identity === undefined ? {} : { identity: identity.id, upTo: identity.upTo, named: naming(identity.id) }
    for (const { table, where } of identity === undefined ? OF_TENANT : OF_IDENTITY)
      await store().command(
        `ALTER TABLE ${database}.${table} DELETE WHERE ${where.replaceAll('{db}', database)} SETTINGS mutations_sync = 1`,
        { tenant, ...values },
      )
    if (identity === undefined) await onErased(tenant)
    const name = nameOf(pending)
    await kv.put({ [name]: null })
    waiting.get(name)?.()
    waiting.delete(name)
  }

  const runAll = async (): Promise<void> => {
    for (const pending of list()) if (due(pending)) await erase(pending)
  }

  return {
    pending: (): boolean => kv.list(PREFIX).length > 0,
    request(what: Erasable, heads: ReadonlyMap<Topic, number>): { accepted: Promise<void>; done: Promise<void> } {
      const name = nameOf(what)
      const done = new Promise<void>((resolve) => waiting.set(name, resolve))
      return { accepted: kv.put({ [name]: Buffer.from(JSON.stringify({ ...what, heads: Object.fromEntries(heads) })) }), done }
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
