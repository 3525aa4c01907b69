/**
 * Columns of a scored event, in the order they are written as ClickHouse RowBinary by the detector and read by the
 * recorder's INSERT. Append only: a new column goes to the end with a new SCORED_SCHEMA_VERSION.
 */
export const SCORED_SCHEMA_VERSION = 2

export type ScoredWire = 'String' | 'UInt8' | 'UInt16' | 'UInt32' | 'UInt64' | 'Int64ms' | 'Float32' | 'ArrayUInt8' | 'ArrayFloat32'

export interface ScoredColumn {
  readonly name: string
  /** Encoding in RowBinary. `Int64ms` is a DateTime64(3, 'UTC'): little-endian Int64 of epoch milliseconds. */
  readonly wire: ScoredWire
  readonly description: string
}

export const SCORED_COLUMNS = [
  { name: 'tenant', wire: 'String', description: 'Tenant.' },
  { name: 'identity', wire: 'String', description: 'Identity id, as it was sent; of people too.' },
  { name: 'identity_kind', wire: 'UInt8', description: '0 agent, 1 user, 2 service.' },
  { name: 'event_time', wire: 'Int64ms', description: 'Event time.' },
  { name: 'ingest_time', wire: 'Int64ms', description: 'Arrival, stamped once.' },
  { name: 'shard', wire: 'UInt16', description: 'Shard (Kafka partition).' },
  { name: 'offset', wire: 'UInt64', description: 'Position in the shard.' },
  { name: 'event_id', wire: 'String', description: 'Id given by the sender.' },
  { name: 'session', wire: 'String', description: 'Session id; empty when absent.' },
  { name: 'action', wire: 'String', description: 'Operation or tool.' },
  { name: 'resource_class', wire: 'String', description: 'Kind of resource.' },
  { name: 'resource', wire: 'String', description: 'Resource id; empty when absent.' },
  { name: 'destination', wire: 'String', description: 'Where data goes; empty when absent.' },
  { name: 'source_ip', wire: 'String', description: 'Source address; empty when absent.' },
  { name: 'outcome', wire: 'UInt8', description: '0 success, 1 failure, 2 denied.' },
  { name: 'bytes_in', wire: 'UInt64', description: 'Bytes read.' },
  { name: 'bytes_out', wire: 'UInt64', description: 'Bytes sent.' },
  { name: 'score', wire: 'Float32', description: '0 to 100.' },
  { name: 'tail_log10', wire: 'Float32', description: 'Minus log10 of the tail probability.' },
  { name: 'surprise', wire: 'Float32', description: 'Sum of statistical surprise, nats.' },
  { name: 'reconstruction', wire: 'Float32', description: 'Whitened reconstruction error of the autoencoder; 0 before the first model.' },
  { name: 'maturity', wire: 'Float32', description: 'How well the identity is known, 0 to 1.' },
  { name: 'flags', wire: 'UInt32', description: 'See SCORED_FLAGS.' },
  { name: 'release', wire: 'String', description: 'Release that scored it.' },
  { name: 'catalogue', wire: 'UInt32', description: 'First 32 bits of the feature catalogue hash.' },
  { name: 'top_features', wire: 'ArrayUInt8', description: 'Catalogue indexes of the heaviest contributions, heaviest first.' },
  { name: 'top_weights', wire: 'ArrayFloat32', description: 'Their share of the score.' },
  { name: 'features', wire: 'ArrayFloat32', description: 'The whole feature vector, as scored.' },
  { name: 'root', wire: 'String', description: 'What joins sub-agents: the root session, else the trace; empty when neither is told.' },
  { name: 'on_behalf_of', wire: 'String', description: 'Nearest principal it acts for; empty when absent.' },
  { name: 'version_release', wire: 'String', description: 'Release of the identity, as it says; empty when absent.' },
  { name: 'version_model', wire: 'String', description: 'Model of the identity, as it says; empty when absent.' },
] as const satisfies readonly ScoredColumn[]

/** How many columns rows of each schema version have, from version 1 on. */
const COLUMNS_OF_VERSION = [28, SCORED_COLUMNS.length] as const

/** Columns that rows of a schema version carry; undefined when this build does not know the version. */
export const scoredColumnsOf = (version: number): readonly ScoredColumn[] | undefined => {
  const count = COLUMNS_OF_VERSION[version - 1]
  return count === undefined ? undefined : SCORED_COLUMNS.slice(0, count)
}

export const SCORED_FLAGS = {
  late: 1,
  duplicate: 2,
  learned: 4,
  historic: 8,
  unmodelled: 16,
  alerted: 32,
  critical: 64,
  newIdentity: 128,
  withheld: 256,
  excepted: 512,
  adopting: 1024,
  untrustedRead: 2048,
  sensitiveRead: 4096,
  outsideWrite: 8192,
  newDestination: 16384,
  untold: 32768,
  told: 65536,
  announced: 131072,
} as const

/** What it means that a flag is set. */
export const SCORED_FLAG_WORDS: Readonly<Record<keyof typeof SCORED_FLAGS, string>> = {
  late: 'Arrived too late to be learned.',
  duplicate: 'A repeat of an id: stored, never learned, and no alert.',
  learned: 'Learned into what is normal for the identity.',
  historic: 'From a backfill.',
  unmodelled: 'Scored by statistics alone: there was no model yet.',
  alerted: 'Belongs to an alert.',
  critical: 'Alerted by a rule, not by its score.',
  newIdentity: 'The first event of its identity.',
  withheld: 'Not learned, because it alerted or would have.',
  excepted: 'Would have alerted, but an exception, a window or a verdict keeps it quiet.',
  adopting: 'Alerted for so long without a verdict that it is learned now, slowly.',
  untrustedRead: 'Read text from outside.',
  sensitiveRead: 'Reached something confidential or restricted.',
  outsideWrite: 'Sent data outside.',
  newDestination: 'To a destination that is new to the identity.',
  untold: 'To a destination that the request did not name.',
  told: 'To a destination that the request named.',
  announced: 'Unusual, but as an announced change would have it: no alert for it, and learned in full.',
}
