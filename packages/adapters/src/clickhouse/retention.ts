import { PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import type { Store } from './client.ts'

/** Tables whose rows go after a time, and how each says what kind of subject a row is about; null: it does not know. */
const TABLES = {
  scored_events: { agent: '0', user: '1', service: '2' },
  alerts: { agent: "'agent'", user: "'user'", service: "'service'" },
  capsules: { agent: "'agent'", user: "'user'", service: "'service'" },
  dead_letters: null,
  incidents: null,
} as const
type Table = keyof typeof TABLES
const KINDS = ['agent', 'user', 'service'] as const

/** Days that rows are kept, counted from when they were stored; 0 keeps them for ever. */
interface Days {
  readonly days: number
  /** Other days for rows about subjects of a kind. */
  readonly kinds?: Readonly<Partial<Record<(typeof KINDS)[number], number>>>
}
export type Retention = Readonly<Partial<Record<Table, number | Days>>>

const days = z.number().int().min(0)

/** Options of every process that brings the tables up to date. */
export const RETENTION_FIELDS = {
  storeRetentionDays: days.default(400).meta({
    description: 'How long scored events, alerts and dead letters stay in ClickHouse, counted from when they were stored; 0 for ever.',
    unit: 'days',
  }),
  alertRetentionDays: days.optional().meta({
    description: 'The same for alerts, what explains them, and incidents. Not set: storeRetentionDays.',
    unit: 'days',
  }),
  deadLetterRetentionDays: days.optional().meta({ description: 'The same for dead letters. Not set: storeRetentionDays.', unit: 'days' }),
  agentRetentionDays: days.optional().meta({
    description: 'How long scored events and alerts of AI agents stay. Not set: as of any kind.',
    unit: 'days',
    interacts: 'Goes before storeRetentionDays and alertRetentionDays.',
  }),
  userRetentionDays: days.optional().meta({
    description: 'How long scored events and alerts of people stay. Not set: as of any kind.',
    unit: 'days',
    interacts: 'Goes before storeRetentionDays and alertRetentionDays. Dead letters name no kind: see deadLetterRetentionDays.',
  }),
  serviceRetentionDays: days.optional().meta({
    description: 'How long scored events and alerts of services stay. Not set: as of any kind.',
    unit: 'days',
    interacts: 'Goes before storeRetentionDays and alertRetentionDays.',
  }),
}
export type RetentionConfig = z.output<z.ZodObject<typeof RETENTION_FIELDS>>

export const retentionOf = (config: RetentionConfig): Retention => {
  const { storeRetentionDays, alertRetentionDays = storeRetentionDays, deadLetterRetentionDays = storeRetentionDays } = config
  const given = { agent: config.agentRetentionDays, user: config.userRetentionDays, service: config.serviceRetentionDays }
  const kinds = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Days['kinds'] & object
  return {
    scored_events: { days: storeRetentionDays, kinds },
    alerts: { days: alertRetentionDays, kinds },
    capsules: { days: alertRetentionDays, kinds },
    dead_letters: deadLetterRetentionDays,
    incidents: alertRetentionDays,
  }
}

const checked = (table: string, value: number): number => {
  if (!Number.isInteger(value) || value < 0)
    throw new PlumblineError('RETENTION_INVALID', `Retention of ${table} must be a whole number of days, 0 for ever.`)
  return value
}

const expires = (value: number, where = ''): string[] => (value === 0 ? [] : [`stored_at + toIntervalDay(${value})${where}`])

/** A table's TTL in the words that ClickHouse repeats it in; empty: none. */
export const ttlOf = (table: Table, rule: number | Days): string => {
  const { days: general, kinds = {} } = typeof rule === 'number' ? { days: rule } : rule
  const values = TABLES[table]
  const own = KINDS.filter((kind) => kinds[kind] !== undefined && kinds[kind] !== general)
  if (values === null || own.length === 0) return expires(checked(table, general)).join('')
  return [
    ...expires(checked(table, general), ` WHERE identity_kind NOT IN (${own.map((kind) => values[kind]).join(', ')})`),
    ...own.flatMap((kind) => expires(checked(table, kinds[kind]!), ` WHERE identity_kind = ${values[kind]}`)),
  ].join(', ')
}

const currentTtl = async (store: Store, table: string): Promise<string> => {
  const [found] = await store.rows<{ engine_full: string }>(
    'SELECT engine_full FROM system.tables WHERE database = {db:String} AND name = {table:String}',
    { db: store.database, table },
  )
  return / TTL (.*?)(?: SETTINGS |$)/s.exec(found?.engine_full ?? '')?.[1] ?? ''
}

/** Tables whose TTL is not what the retention says. */
export const changedRetention = async (store: Store, retention: Retention): Promise<ReadonlyMap<Table, string>> => {
  const changed = new Map<Table, string>()
  for (const table of Object.keys(TABLES) as Table[]) {
    const rule = retention[table]
    if (rule === undefined) continue
    const wanted = ttlOf(table, rule)
    if ((await currentTtl(store, table)) !== wanted) changed.set(table, wanted)
  }
  return changed
}

/**
 * Sets the TTL of tables. Of one kind of rows only whole parts are dropped, which costs nothing; where kinds of subjects differ,
 * parts are rewritten without what has expired, those that are there already once more now, in the background.
 */
export const applyRetention = async (store: Store, changed: ReadonlyMap<Table, string>): Promise<void> => {
  for (const [table, ttl] of changed) {
    const name = `${store.database}.${table}`
    const byKind = ttl.includes('WHERE')
    if (ttl === '') await store.command(`ALTER TABLE ${name} REMOVE TTL`)
    else
      await store.command(
        `ALTER TABLE ${name} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = ${byKind ? 1 : 0}, mutations_sync = 0`,
      )
    await store.command(`ALTER TABLE ${name} MODIFY SETTING ttl_only_drop_parts = ${byKind || table === 'capsules' ? 0 : 1}`)
  }
}
