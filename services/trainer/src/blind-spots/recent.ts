import type { Store } from '@plumbline/adapters/clickhouse'
import { CATALOGUE_HASH_32 } from '@plumbline/detector'
import type { RecentAct } from '@plumbline/detector/replay'
import { FEATURE_INDEX, OUTCOMES, SCORED_FLAGS } from '@plumbline/schemas'

/** Acts of an identity that deviations are made of: the newest, without what alerted or came late. */
const MOST_ACTS = 200
const LEFT_OUT = SCORED_FLAGS.alerted | SCORED_FLAGS.withheld | SCORED_FLAGS.late | SCORED_FLAGS.duplicate

interface Row {
  readonly session: string
  readonly action: string
  readonly resource_class: string
  readonly resource: string
  readonly destination: string
  readonly source_ip: string
  readonly outcome: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly on_behalf_of: string
  readonly flags: number
  readonly sensitivity: number
}

const OF_IDENTITY = `tenant = {tenant:String} AND identity = {identity:String} AND catalogue = ${CATALOGUE_HASH_32} AND bitAnd(flags, ${LEFT_OUT}) = 0`

/** The newest acts of an identity, newest first, as far as rows keep them. Errors: STORE_UNAVAILABLE (retryable). */
export const recentActs = async (store: Store, tenant: string, identity: string): Promise<readonly RecentAct[]> => {
  const table = `${store.database}.scored_events`
  // The narrow columns decide where to begin, so that feature vectors are read of few rows only.
  const rows = await store.rows<Row>(
    `SELECT session, action, resource_class, resource, destination, source_ip, outcome, bytes_in, bytes_out, on_behalf_of, flags,
            round(3 * features[${FEATURE_INDEX['class_sensitivity']! + 1}]) AS sensitivity
     FROM ${table} WHERE ${OF_IDENTITY} AND event_time >= (
       SELECT min(t) FROM (SELECT event_time AS t FROM ${table} WHERE ${OF_IDENTITY} ORDER BY t DESC LIMIT ${MOST_ACTS}))
     ORDER BY event_time DESC, shard, offset DESC LIMIT 1 BY shard, offset LIMIT ${MOST_ACTS}`,
    { tenant, identity },
  )
  return rows.map(actOf)
}

const actOf = (row: Row): RecentAct => ({
  action: row.action,
  resource: { class: row.resource_class, sensitivity: Number(row.sensitivity), ...(row.resource === '' ? {} : { id: row.resource }) },
  outcome: OUTCOMES[row.outcome] ?? 'failure',
  bytesIn: Number(row.bytes_in),
  bytesOut: Number(row.bytes_out),
  ...(row.session === '' ? {} : { session: row.session }),
  ...(row.destination === '' ? {} : { destination: row.destination, ...provenanceOf(row.flags) }),
  ...(row.source_ip === '' ? {} : { source: { ip: row.source_ip } }),
  ...(row.on_behalf_of === '' ? {} : { delegation: [{ id: row.on_behalf_of, kind: 'user' }] }),
  ...((row.flags & SCORED_FLAGS.untrustedRead) === 0 ? {} : { content: { untrusted: true } }),
})

const provenanceOf = (flags: number): Pick<RecentAct, 'destinationProvenance'> =>
  (flags & SCORED_FLAGS.told) !== 0
    ? { destinationProvenance: 'user' }
    : (flags & SCORED_FLAGS.untold) !== 0
      ? { destinationProvenance: 'tool' }
      : {}
