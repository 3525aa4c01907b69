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
  /** ms since epoch; 0 without rows. */
  readonly fromTime: number
  readonly toTime: number
}

const NOT_HISTORY = SCORED_FLAGS.late | SCORED_FLAGS.duplicate
/** Rows scored before any release know no peers and would teach the net that nobody has any. */
const USABLE = `tenant = {tenant:String} AND release != 'release-0' AND catalogue = ${CATALOGUE_HASH_32} AND bitAnd(flags, ${NOT_HISTORY}) = 0`

/** RowBinary of (Int64 event time, UInt8 flags that say how it alerted, UInt32 group, Array(Float32) features of FEATURE_COUNT). */
const FLAGS_AT = 8
/** Both fit a byte. */
const HOW = SCORED_FLAGS.alerted | SCORED_FLAGS.unmodelled
const GROUP_AT = 9
/** Behind the array's length, a varint of one byte below 128 features. */
const FEATURES_AT = 14
const ROW_BYTES = FEATURES_AT + FEATURE_COUNT * 4

/** The newest `maxRows` usable vectors. Runs in the training thread: the answer is up to 50 MB. */
export const readHistory = async (store: Store, tenant: string, maxRows: number): Promise<History> => {
  const table = `${store.database}.scored_events`
  // The narrow column decides where to begin, so that the wide one is read for the wanted rows only.
  const [edge] = await store.rows<{ since: number }>(
    `SELECT toUnixTimestamp64Milli(min(t)) AS since FROM (SELECT ingest_time AS t FROM ${table} WHERE ${USABLE} ORDER BY t DESC LIMIT {limit:UInt32})`,
    { tenant, limit: maxRows },
  )
  const bytes = await store.bytes(
    `SELECT toUnixTimestamp64Milli(event_time), toUInt8(bitAnd(flags, ${HOW})),
            toUInt32(cityHash64(identity, if(session = '', toString(toStartOfHour(event_time)), session)) % 4294967296), features FROM ${table}
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
  const timeAt = (i: number): number => Number(bytes.readBigInt64LE((skip + i) * ROW_BYTES))
  for (let i = 0; i < n; i++) {
    const at = (skip + i) * ROW_BYTES
    alerted[i] = alertedAs(bytes[at + FLAGS_AT]!)
    groups[i] = bytes.readUInt32LE(at + GROUP_AT)
    for (let f = 0; f < FEATURE_COUNT; f++) rows[i * FEATURE_COUNT + f] = bytes.readFloatLE(at + FEATURES_AT + f * 4)
  }
  return { rows, alerted, groups, fromTime: n === 0 ? 0 : timeAt(0), toTime: n === 0 ? 0 : timeAt(n - 1) }
}
