import type { Observed } from '@plumbline/adapters/policy'
import { askStore, type StoreAccess } from '../store.ts'

/** Classes and destinations looked at, commonest first; a flood of made-up names must not fill the memory. */
const MOST_NAMES = 10_000
const ACTIONS_SHOWN = 8
/** What no policy file speaks for. */
const DEMO = 'demo'
/** A repeat of an event is recorded with this flag and is no event of its own. */
const DUPLICATE = 2

const rowsOf = async <T>(store: StoreAccess, sql: string, tenant: string | undefined): Promise<readonly T[]> => {
  const answer = await askStore(store, sql, 'JSONEachRow', { tenant: tenant ?? '' })
  const lines = (await answer.text()).split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as T)
}

const FROM = `FROM scored_events WHERE bitAnd(flags, ${DUPLICATE}) = 0 AND if({tenant:String} = '', tenant != '${DEMO}', tenant = {tenant:String})`

const CLASSES = `
  SELECT class, sum(n) AS events, uniqMerge(who) AS identities,
    arrayMap(x -> x.2, arraySlice(arraySort(x -> (-toInt64(x.1), x.2), groupArray((n, action))), 1, ${ACTIONS_SHOWN})) AS actions
  FROM (SELECT resource_class AS class, action, count() AS n, uniqState(tenant, identity) AS who ${FROM} GROUP BY class, action)
  GROUP BY class ORDER BY events DESC, class LIMIT ${MOST_NAMES}`

const DESTINATIONS = `
  SELECT destination, count() AS events, uniq(tenant, identity) AS identities ${FROM} AND destination != ''
  GROUP BY destination ORDER BY identities DESC, destination LIMIT ${MOST_NAMES}`

const TOTAL = `SELECT uniq(tenant, identity) AS identities ${FROM}`

/** 64-bit counts may come as text. */
interface Counts {
  readonly events: number | string
  readonly identities: number | string
}

const counted = <T extends Counts>(row: T) => ({ ...row, events: Number(row.events), identities: Number(row.identities) })

/** What the store's scored events show of classes and destinations: of one tenant, or of all that a policy file speaks for. */
export const observeStore = async (store: StoreAccess, tenant: string | undefined): Promise<Observed> => {
  const classes = await rowsOf<Counts & { readonly class: string; readonly actions: string[] }>(store, CLASSES, tenant)
  const destinations = await rowsOf<Counts & { readonly destination: string }>(store, DESTINATIONS, tenant)
  const [total] = await rowsOf<Pick<Counts, 'identities'>>(store, TOTAL, tenant)
  return { classes: classes.map(counted), destinations: destinations.map(counted), identities: Number(total?.identities ?? 0) }
}
