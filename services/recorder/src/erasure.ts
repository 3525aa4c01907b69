import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import { TOPICS } from '@plumbline/schemas'
import { laneName, readPositions } from './positions.ts'

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
  /** By the lane's name. */
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
  ...['scored_events', 'identities', 'dead_letters', 'feedback', 'releases', 'alerts', 'incidents'].map((table) => ({
    table,
    where: TENANT,
  })),
]
/**
 * A dead letter has no identity of its own: it goes when its payload names the id, and it is the tenant's, or nobody's, or was sent by
 * somebody who speaks for several and names this tenant in it. Letters of other tenants that have an identity of that name stay.
 */
const OF_IDENTITY: readonly Deletion[] = [
  capsulesOf(BEFORE),
  { table: 'scored_events', where: BEFORE },
  { table: 'identities', where: IDENTITY },
  { table: 'feedback', where: IDENTITY },
  {
    table: 'dead_letters',
    where: `match(tryBase64Decode(payload), {named:String}) AND (${TENANT} OR tenant = '' OR match(tryBase64Decode(payload), {named_tenant:String}))`,
  },
  { table: 'alerts', where: BEFORE },
  { table: 'incidents', where: `${TENANT} AND has(identities, {identity:String})` },
]

/** A text as the value of a JSON field, as a regular expression of RE2. */
const naming = (field: 'id' | 'tenant', value: string): string =>
  `"${field}"\\s*:\\s*${JSON.stringify(value).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`

const nameOf = ({ tenant, identity }: Erasable): string => PREFIX + tenant + (identity === undefined ? '' : `\n${identity.id}`)

export interface ErasureDeps {
  readonly log: Pick<DeploymentLog, 'id' | 'kv' | 'outbox'>
  /** A user that may delete; null: nobody here may, and removals wait. */
  readonly store: (() => Store) | null
  /** How far the rows of a lane are stored, where this process knows. */
  readonly position: (lane: string) => number | undefined
  /** Every lane is this process's: ClickHouse need not be asked for the others. */
  readonly alone: boolean
  /** Called once the last row of a removed tenant is gone. */
  readonly onErased: (tenant: string) => Promise<void>
}

/** A removal that failed is tried again after this time. */
const AGAIN_MS = 1_000

const decode = (value: Uint8Array): Pending => JSON.parse(Buffer.from(value).toString()) as Pending

/** Puts a removal on the list, with the ends of all lanes as they are now: what was written before goes, wherever it is. */
export const requestErasure = async ({ kv, outbox }: Pick<DeploymentLog, 'kv' | 'outbox'>, what: Erasable): Promise<string> => {
  const places = TOPICS.flatMap((topic) => Array.from({ length: outbox.lanes(topic) }, (_, lane) => ({ topic, lane })))
  const heads = await Promise.all(places.map(async ({ topic, lane }) => [laneName(topic, lane), await outbox.end(topic, lane)] as const))
  const name = nameOf(what)
  await kv.put({ [name]: Buffer.from(JSON.stringify({ ...what, heads: Object.fromEntries(heads) })) })
  return name
}

/** Removals that wait until the outbox holds none of the rows any more. */
export const createErasures = ({ log, store, position, alone, onErased }: ErasureDeps) => {
  const { kv } = log
  const waiting = new Map<string, () => void>()
  let running: Promise<void> | null = null
  let some = true
  let error: string | null = null
  let notBefore = 0

  const list = (): Pending[] =>
    kv.list(PREFIX).flatMap((name) => {
      const value = kv.get(name)
      return value === undefined ? [] : [decode(value)]
    })
  const isDue = ({ heads }: Pending, stored: ReadonlyMap<string, number>): boolean =>
    Object.entries(heads).every(([lane, head]) => Math.max(position(lane) ?? 0, stored.get(lane) ?? 0) >= head)

  const erase = async (store: () => Store, pending: Pending): Promise<void> => {
    const { tenant, identity } = pending
    const { database } = store()
    const values =
      identity === undefined
        ? {}
        : { identity: identity.id, upTo: identity.upTo, named: naming('id', identity.id), named_tenant: naming('tenant', tenant) }
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
    const all = list()
    some = all.length > 0
    error = null
    if (!some) return
    if (store === null) {
      error = 'Nobody here may delete rows: set clickhouseEraseUrl.'
      return
    }
    const stored = alone ? new Map<string, number>() : await readPositions(store(), log.id)
    for (const pending of all) if (isDue(pending, stored)) await erase(store, pending)
  }

  /** What is in the way of removals is not in the way of rows: it is told, and tried again. */
  const attempt = async (): Promise<void> => {
    try {
      await runAll()
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause)
      notBefore = performance.now() + AGAIN_MS
    }
  }

  return {
    pending: (): boolean => some,
    /** Whether there is one now; another process may have asked for it. */
    look: (): boolean => (some = kv.list(PREFIX).length > 0),
    /** Resolves when the request survives a crash, with a promise of the rows being gone. */
    async request(what: Erasable): Promise<{ readonly done: Promise<void> }> {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(nameOf(what), resolve)
      await requestErasure(log, what)
      some = true
      return { done: promise }
    },
    /** Why removals wait, other than for rows; null: for nothing. */
    error: (): string | null => error,
    /** Runs what is due; several callers share one run. */
    async run(): Promise<void> {
      if (!some || performance.now() < notBefore) return
      running ??= attempt().finally(() => {
        running = null
      })
      await running
    },
  }
}
