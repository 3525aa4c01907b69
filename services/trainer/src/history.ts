import type { Store } from '@plumbline/adapters/clickhouse'
import { CATALOGUE_HASH_32 } from '@plumbline/detector'
import { FEATURE_COUNT, SCORED_FLAGS } from '@plumbline/schemas'
import { alertedAs } from '@plumbline/training'

/** Recorded vectors of a tenant, oldest first, as they were when scored. */
export interface History {
  readonly rows: Float32Array
  /** Per row how it alerted, see `alertedAs`. */
  readonly alerted: Uint8Array
  /** Per row the group an alert on it would join: equal numbers, equal group. */
  readonly groups: Uint32Array
  /** Per row whose it is: equal numbers, equal identity. See `whoseIs`. */
  readonly identities: Uint32Array
  /** Per row its event time, ms since epoch. */
  readonly times: Float64Array
  /** ms since epoch; 0 without rows. */
  readonly fromTime: number
  readonly toTime: number
}

const NOT_HISTORY = SCORED_FLAGS.late | SCORED_FLAGS.duplicate
/** Rows scored before any release know no peers and would teach the net that nobody has any. */
export const USABLE = `tenant = {tenant:String} AND release != 'release-0' AND catalogue = ${CATALOGUE_HASH_32} AND bitAnd(flags, ${NOT_HISTORY}) = 0`

/** RowBinary of (Int64 event time, UInt16 flags that say how it alerted, UInt32 group, UInt32 identity, Array(Float32) features of FEATURE_COUNT). */
const FLAGS_AT = 8
/** All fit two bytes. */
const HOW = SCORED_FLAGS.alerted | SCORED_FLAGS.unmodelled | SCORED_FLAGS.withheld
const GROUP_AT = 10
const IDENTITY_AT = 14
/** Behind the array's length, a varint of one byte below 128 features. */
const FEATURES_AT = 19
const ROW_BYTES = FEATURES_AT + FEATURE_COUNT * 4

const NUMBER_OF_IDENTITY = 'toUInt32(cityHash64(identity) % 4294967296)'
/** What to ask the store to learn who is behind the number of an identity. Names are not kept with releases: they outlive an erasure. */
export const whoseIs = (tenant: string, identity: number): string =>
  `SELECT DISTINCT identity FROM scored_events WHERE tenant = '${tenant.replaceAll(/['\\]/g, '\\$&')}' AND ${NUMBER_OF_IDENTITY} = ${identity}`

/** The newest `maxRows` usable vectors. Runs in the training thread: the answer is up to 50 MB. */
export const readHistory = async (store: Store, tenant: string, maxRows: number): Promise<History> => {
  const table = `${store.database}.scored_events`
  // The narrow column decides where to begin, so that the wide one is read for the wanted rows only.
  const [edge] = await store.rows<{ since: number }>(
    `SELECT toUnixTimestamp64Milli(min(t)) AS since FROM (SELECT ingest_time AS t FROM ${table} WHERE ${USABLE} ORDER BY t DESC LIMIT {limit:UInt32})`,
    { tenant, limit: maxRows },
  )
  const bytes = await store.bytes(
    `SELECT toUnixTimestamp64Milli(event_time), toUInt16(bitAnd(flags, ${HOW})),
            toUInt32(cityHash64(identity, if(session = '', toString(toStartOfHour(event_time)), session)) % 4294967296),
            ${NUMBER_OF_IDENTITY}, features FROM ${table}
     WHERE ${USABLE} AND ingest_time >= fromUnixTimestamp64Milli({since:Int64}) AND length(features) = ${FEATURE_COUNT}
     ORDER BY event_time, shard, offset LIMIT 1 BY shard, offset`,
    'RowBinary',
    { tenant, since: edge?.since ?? 0 },
  )
  return parse(bytes, maxRows)
}

const parse = (bytes: Buffer, maxRows: number): History => {
  if (bytes.length % ROW_BYTES !== 0) throw new RangeError('the store answered with rows of another length')
  const all = bytes.length / ROW_BYTES
  const skip = Math.max(0, all - maxRows)
  const n = all - skip
  const rows = new Float32Array(n * FEATURE_COUNT)
  const alerted = new Uint8Array(n)
  const groups = new Uint32Array(n)
  const identities = new Uint32Array(n)
  const times = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const at = (skip + i) * ROW_BYTES
    times[i] = Number(bytes.readBigInt64LE(at))
    alerted[i] = alertedAs(bytes.readUInt16LE(at + FLAGS_AT))
    groups[i] = bytes.readUInt32LE(at + GROUP_AT)
    identities[i] = bytes.readUInt32LE(at + IDENTITY_AT)
    for (let f = 0; f < FEATURE_COUNT; f++) rows[i * FEATURE_COUNT + f] = bytes.readFloatLE(at + FEATURES_AT + f * 4)
  }
  return { rows, alerted, groups, identities, times, fromTime: times[0] ?? 0, toTime: times[n - 1] ?? 0 }
}

/** Rows `from` to before `to`. */
const part = (h: History, from: number, to: number): History => ({
  rows: h.rows.subarray(from * FEATURE_COUNT, to * FEATURE_COUNT),
  alerted: h.alerted.subarray(from, to),
  groups: h.groups.subarray(from, to),
  identities: h.identities.subarray(from, to),
  times: h.times.subarray(from, to),
  fromTime: h.times[from] ?? 0,
  toTime: h.times[to - 1] ?? 0,
})

/** Share of the rows that a candidate is judged by, and how many at most: it is not trained on them, so they are few. */
const HELD_OUT = 0.1
const MOST_HELD_OUT = 10_000

/** What trains, and the newest rows, all of them later, that what was trained is judged by. */
export const splitHistory = (history: History): { readonly training: History; readonly heldOut: History } => {
  const n = history.alerted.length
  let at = n - Math.min(MOST_HELD_OUT, Math.floor(n * HELD_OUT))
  while (at < n && at > 0 && history.times[at] === history.times[at - 1]) at++
  return { training: part(history, 0, at), heldOut: part(history, at, n) }
}

/** How many rows did not alert and were not withheld. */
export const quietRows = ({ alerted }: History): number => alerted.reduce((n, a) => n + (a === 0 ? 1 : 0), 0)
