import { createHash } from 'node:crypto'
import { type Alert, FEATURES, SCORED_FLAGS, type Severity } from '@plumbline/schemas'
import { askStore, type StoreAccess } from '../store.ts'
import { type Comparison, compareTold, type Told } from './compare.ts'
import { decideAll, type Signal, signalOf } from './decide.ts'
import type { StoredSettings } from './settings.ts'

export interface StoredBacktest extends Comparison {
  /** ms since epoch. */
  readonly sinceTime: number
  readonly events: number
  readonly settings: StoredSettings
}

const lines = async <T>(store: StoreAccess, sql: string, values: Readonly<Record<string, string>>): Promise<T[]> => {
  const text = await (await askStore(store, sql, 'JSONEachRow', values)).text()
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]))
}

interface StoredAlert {
  readonly alert: string
  readonly delivery: string
  readonly verdict: string
}

const ALERTS = `SELECT alert, delivery, verdict FROM (
    SELECT id, tenant, revision, any(alert) AS alert, any(delivery) AS delivery, any(last_seen) AS seen, any(offset) AS at
    FROM alerts WHERE last_seen >= fromUnixTimestamp64Milli({since:Int64}) AND historic = 0 GROUP BY id, tenant, revision) AS a
  LEFT JOIN (SELECT tenant, alert_id, argMax(verdict, sequence) AS verdict FROM feedback GROUP BY tenant, alert_id) AS f
    ON f.tenant = a.tenant AND f.alert_id = a.id
  ORDER BY seen, at, revision`

/** Events that did not alert and would have: neither repeats, nor of a backfill, nor kept quiet by a person's word. */
const QUIET = SCORED_FLAGS.alerted | SCORED_FLAGS.duplicate | SCORED_FLAGS.historic | SCORED_FLAGS.excepted | SCORED_FLAGS.announced
const CANDIDATES = `SELECT tenant, identity, group, top_features[1] AS feature, toFloat64(tail_log10) AS tail, score, action, resource_class,
    toUnixTimestamp64Milli(event_time) AS time
  FROM (SELECT tenant, identity, session, event_time, tail_log10, score, flags, top_features, action, resource_class,
      if(session = '', toString(toStartOfHour(event_time)), session) AS group
    FROM scored_events WHERE event_time >= fromUnixTimestamp64Milli({since:Int64}) AND tail_log10 >= {threshold:Float64}
      AND bitAnd(flags, ${QUIET}) = 0 AND notEmpty(top_features) ORDER BY event_time LIMIT 1 BY shard, offset)
  ORDER BY time, tenant, identity LIMIT {most:UInt32}`

/** More events than that are no alerts but a way to drown: the answer is that the threshold is far too low. */
const MOST_CANDIDATES = 200_000

interface Candidate {
  readonly tenant: string
  readonly identity: string
  readonly group: string
  readonly feature: number
  readonly tail: number
  readonly score: number
  readonly action: string
  readonly resource_class: string
  readonly time: number
}

/** As the detector gives it to what its score alone tells. */
const severityOf = (tail: number): Severity => (tail >= 9 ? 'high' : tail >= 6.5 ? 'medium' : 'low')

const candidateSignals = (candidates: readonly Candidate[], raised: readonly Signal[]): Signal[] => {
  const groupName = (tenant: string, identity: string, session: string, family: string): string =>
    JSON.stringify([tenant, identity, session, family])
  // Further events of a group that alerted are no group of their own.
  const known = new Set(
    raised.map(({ facts, family, ...alert }) => groupName(facts.tenant, facts.identity.id, sessionOf(alert, facts), family)),
  )
  const first = new Map<string, number>()
  return candidates.flatMap((candidate) => {
    const { tenant, identity, group, feature, tail, score, action, resource_class, time } = candidate
    const family = FEATURES[feature]?.family ?? 'combination'
    const name = groupName(tenant, identity, group, family)
    if (known.has(name)) return []
    if (!first.has(name)) first.set(name, time)
    const id = createHash('sha256').update(name).digest('hex').slice(0, 16)
    const headline = `${identity} used ${action} on ${resource_class}`
    return [
      {
        id,
        family,
        tail,
        time,
        score,
        verdict: null,
        critical: false,
        historic: false,
        revision: first.get(name) === time ? 1 : 2,
        activity: 'create' as const,
        severity: severityOf(tail),
        firstSeen: first.get(name)!,
        facts: { tenant, action, resource: { class: resource_class }, identity: { id: identity } },
        text: { headline },
      },
    ]
  })
}

const sessionOf = ({ firstSeen }: Pick<Signal, 'firstSeen'>, facts: Signal['facts']): string => {
  const { session } = facts as Alert['facts']
  return session ?? new Date(Math.floor(firstSeen / 3_600_000) * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
}

/** What went out, as the store has it. */
const asItWas = (alerts: readonly { readonly signal: Signal; readonly delivery: string }[]): Told => {
  const delivered = new Map<string, Signal>()
  const held = new Set<string>()
  for (const { signal, delivery } of alerts) {
    if (delivery !== 'delivered') held.add(signal.id)
    else if (!delivered.has(signal.id)) delivered.set(signal.id, signal)
  }
  const groups = decideAll([...delivered.values()], { threshold: null, alertBudgetPerDay: Number.POSITIVE_INFINITY }).groups
  return { groups, held: [...held].filter((id) => !delivered.has(id)).length }
}

/**
 * What would have been told since `sinceTime` with other settings, from what is stored: the scores as they were, whatever
 * would have been learned otherwise meanwhile.
 */
export const backtestStored = async (store: StoreAccess, sinceTime: number, settings: StoredSettings): Promise<StoredBacktest> => {
  const since = String(sinceTime)
  const [stored, [count]] = await Promise.all([
    lines<StoredAlert>(store, ALERTS, { since }),
    lines<{ events: number }>(
      store,
      'SELECT toUInt32(uniqExact(shard, offset)) AS events FROM scored_events WHERE event_time >= fromUnixTimestamp64Milli({since:Int64})',
      { since },
    ),
  ])
  const alerts = stored.map(({ alert, delivery, verdict }) => ({ signal: signalOf(JSON.parse(alert) as Alert, verdict), delivery }))
  const raised = alerts.map(({ signal }) => signal)
  const candidates =
    settings.threshold === null
      ? []
      : await lines<Candidate>(store, CANDIDATES, { since, threshold: String(settings.threshold), most: String(MOST_CANDIDATES) })
  const signals = [...raised, ...candidateSignals(candidates, raised)].sort((a, b) => a.time - b.time)
  return { ...compareTold(asItWas(alerts), decideAll(signals, settings)), sinceTime, events: count?.events ?? 0, settings }
}
