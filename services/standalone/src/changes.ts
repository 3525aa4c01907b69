import { createHash, randomUUID } from 'node:crypto'
import type { DeploymentLog } from '@plumbline/detector'
import { type Change, type ChangeAnswer, CHANGE_LIMITS, type ChangeRequest, PlumblineError } from '@plumbline/schemas'
import { allShards, announce } from '@plumbline/trainer'
import { type Actor, auditRow } from './audit.ts'

/** An announced change as this process remembers it. */
export interface KnownChange {
  readonly change: Change
  /** Arrival, ms since epoch. */
  readonly announcedAt: number
  /** Who announced it, as the audit log says. */
  readonly actor: string
  readonly withdrawn?: true
}

export interface Changes {
  /** Gives every shard of the tenant the change, unless it has it. Errors: CHANGE_INVALID, CHANGE_ID_REUSED, CHANGES_FULL. */
  announce(tenant: string, request: ChangeRequest & { readonly id: string }, by: Actor): Promise<ChangeAnswer>
  /** Ends the change now. Errors: CHANGE_UNKNOWN. */
  withdraw(tenant: string, id: string, by: Actor): Promise<Change>
  /** Those remembered, oldest first. */
  list(tenant: string): readonly KnownChange[]
  /** Tenants of which any is remembered. */
  tenants(): readonly string[]
}

const VALUE_PREFIX = 'changes:'
/** Named value in which a tenant's changes are remembered. */
export const changesValueName = (tenant: string): string => VALUE_PREFIX + tenant

const isOpen = ({ change, withdrawn }: KnownChange, nowMs: number): boolean => withdrawn !== true && change.until > nowMs

const hours = (ms: number): string => `${ms / 3_600_000} hours`
const invalid = (field: string, words: string): PlumblineError => new PlumblineError('CHANGE_INVALID', `${field}: ${words}.`)

/** The request as shards get it; its window has to be sane for `nowMs`. Error: CHANGE_INVALID. */
const changeOf = ({ from: begin, until: end, ...rest }: ChangeRequest & { readonly id: string }, nowMs: number): Change => {
  const { windowMs, usualWindowMs, aheadMs, behindMs } = CHANGE_LIMITS
  const from = Date.parse(begin)
  const until = end === undefined ? from + usualWindowMs : Date.parse(end)
  if (until <= from) throw invalid('until', 'is not after from; name a later end, or leave it out for 24 hours')
  if (until - from > windowMs)
    throw invalid('until', `is more than ${hours(windowMs)} after from; announce a shorter window, and another one later`)
  if (from > nowMs + aheadMs) throw invalid('from', `is more than ${hours(aheadMs)} ahead; announce it later`)
  if (until <= nowMs) throw invalid('until', 'is over already; what came under it is judged, so announce before you deploy')
  if (from < nowMs - behindMs) throw invalid('from', `is more than ${hours(behindMs)} ago; what came since is judged, so let it begin now`)
  return { ...rest, from, until }
}

/** The same whatever the order of its fields. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, v: unknown) =>
    v !== null && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  )

const answerOf = (state: ChangeAnswer['state'], tenant: string, { id, from, until }: Change): ChangeAnswer => ({
  state,
  tenant,
  id,
  from: new Date(from).toISOString(),
  until: new Date(until).toISOString(),
})

export interface ChangesOptions {
  readonly log: () => Pick<DeploymentLog, 'ingest' | 'kv' | 'shards'>
  readonly clock: () => number
}

/** Announced changes of this deployment: remembered, told to every shard, and in the audit log, in one transaction each. */
export const createChanges = ({ log, clock }: ChangesOptions): Changes => {
  /** One after the other: each looks at what the one before it left. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = turn.then(work)
    turn = run.catch(() => undefined)
    return run
  }
  const list = (tenant: string): readonly KnownChange[] => {
    const stored = log().kv.get(changesValueName(tenant))
    return stored === undefined ? [] : (JSON.parse(Buffer.from(stored).toString()) as KnownChange[])
  }
  const store = (tenant: string, known: readonly KnownChange[], nowMs: number) => {
    const kept = [...known]
    // The oldest of those that are over give way.
    for (let i = 0; i < kept.length && kept.length > CHANGE_LIMITS.known; )
      if (isOpen(kept[i]!, nowMs)) i++
      else kept.splice(i, 1)
    return { [changesValueName(tenant)]: Buffer.from(JSON.stringify(kept)) }
  }

  const take = async (tenant: string, request: ChangeRequest & { readonly id: string }, by: Actor): Promise<ChangeAnswer> => {
    const known = list(tenant)
    const nowMs = clock()
    const before = known.find(({ change }) => change.id === request.id)
    if (before !== undefined) return again(tenant, before, request)
    const change = changeOf(request, nowMs)
    if (known.filter((k) => isOpen(k, nowMs)).length >= CHANGE_LIMITS.open)
      throw new PlumblineError(
        'CHANGES_FULL',
        `${CHANGE_LIMITS.open} announced changes of tenant ${tenant} are open, as many as there may be.`,
      )
    const hash = createHash('sha256').update(textOf(change)).digest('hex').slice(0, 16)
    await announce(log(), {
      record: { v: 1, type: 'change', controlId: `change:${change.id}:${hash}`, tenant, change },
      shards: allShards(log().shards),
      nowMs,
      nonce: randomUUID(),
      rows: { audit: [auditRow(nowMs, { tenant, actor: by, action: 'change.announce', target: change.id, body: change })] },
      values: store(tenant, [...known, { change, announcedAt: nowMs, actor: by }], nowMs),
    })
    return answerOf('announced', tenant, change)
  }

  return {
    list,
    tenants: () =>
      log()
        .kv.list(VALUE_PREFIX)
        .map((name) => name.slice(VALUE_PREFIX.length)),
    announce: (tenant, request, by) => inTurn(() => take(tenant, request, by)),
    withdraw: (tenant, id, by) =>
      inTurn(async () => {
        const known = list(tenant)
        const nowMs = clock()
        const found = known.find((k) => k.change.id === id && isOpen(k, nowMs))
        if (found === undefined) throw new PlumblineError('CHANGE_UNKNOWN', `No open change ${id} of tenant ${tenant} is known.`)
        await announce(log(), {
          record: { v: 1, type: 'change_withdrawn', controlId: `withdrawn:${randomUUID()}`, tenant, changeId: id },
          shards: allShards(log().shards),
          nowMs,
          nonce: '',
          rows: { audit: [auditRow(nowMs, { tenant, actor: by, action: 'change.withdraw', target: id })] },
          values: store(
            tenant,
            known.map((k) => (k === found ? { ...k, withdrawn: true as const } : k)),
            nowMs,
          ),
        })
        return found.change
      }),
  }
}

/** What was announced before under this id: the same once more has no effect, also where it is over or withdrawn by now. */
const again = (tenant: string, { change, withdrawn }: KnownChange, request: ChangeRequest & { readonly id: string }): ChangeAnswer => {
  const { from, until, ...rest } = change
  const { from: begin, until: end, ...said } = request
  const sameWindow = Date.parse(begin) === from && (end === undefined ? from + CHANGE_LIMITS.usualWindowMs : Date.parse(end)) === until
  if (!sameWindow || textOf(said) !== textOf(rest))
    throw new PlumblineError('CHANGE_ID_REUSED', `Another change was announced as ${change.id}.`)
  if (withdrawn === true) throw new PlumblineError('CHANGE_ID_REUSED', `The change ${change.id} was withdrawn and stays so.`)
  return answerOf('known', tenant, change)
}
