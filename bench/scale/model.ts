/** What one event and one identity cost, as measured on one machine. Processor times are of one of its cores. */
export interface Costs {
  /** Worker process, Kafka client included, µs per event. */
  readonly workerMicros: number
  /** Broker, all it does for one event of the whole path, µs per event and replica. */
  readonly brokerMicros: number
  /** Recorder process, µs per row. */
  readonly recorderMicros: number
  /** ClickHouse, µs per row inserted. */
  readonly clickhouseMicros: number
  /** HTTP door, µs per event. */
  readonly doorMicros: number
  /** Most events per second that one shard gets through: its chunks are computed one after the other. */
  readonly perShard: number
  /** Bytes in Kafka per event: the event itself, its scored row, state written for it. */
  readonly eventBytes: number
  readonly scoredBytes: number
  readonly stateBytes: number
  /** Packed slot of one identity, bytes. */
  readonly slotBytes: number
  /** Memory of one resident identity, bytes. */
  readonly residentBytes: number
  /** Rate at which a worker reads state when it takes shards over, bytes per second. */
  readonly restoreBytesPerSecond: number
  /** Row on the disk of ClickHouse, compressed, bytes. */
  readonly storedRowBytes: number
}

export interface Load {
  readonly eventsPerSecond: number
  readonly identities: number
}

export interface Choices {
  /** Copies of each record in Kafka. */
  readonly replication: number
  /** Share of a core or shard that is planned for; the rest is for peaks, take-overs and collections. */
  readonly utilisation: number
  /** Share of identities that are in memory. */
  readonly resident: number
  /** How long events and scored rows stay in Kafka, days. */
  readonly retentionDaysKafka: number
  /** A shard may have this many times the mean, because identities are not alike. */
  readonly skew: number
}

export const CHOICES: Choices = { replication: 3, utilisation: 0.6, resident: 0.2, retentionDaysKafka: 7, skew: 2 }

/** What a deployment of a load takes. */
export interface Needs {
  readonly workers: number
  readonly shards: number
  readonly workerMemoryBytes: number
  readonly doorCores: number
  readonly brokerCores: number
  /** Over all brokers, bytes per second in and out. */
  readonly brokerInBytes: number
  readonly brokerOutBytes: number
  readonly kafkaDiskBytes: number
  readonly stateTopicBytes: number
  readonly recorders: number
  readonly clickhouseCores: number
  readonly clickhouseBytesPerDay: number
  /** Transactions per second at 1,000 events each, and not fewer than one shard's linger gives. */
  readonly transactionsPerSecond: number
  readonly producersPerWorker: number
  /** All shards of one lost worker, taken over by the others at once, seconds. */
  readonly takeOverSeconds: number
  /** Most events per second of one identity, whose shard has nothing else. */
  readonly hottestIdentity: number
}

const DAY_S = 86_400
const EVENTS_PER_TRANSACTION = 1_000

/** Plain multiplication: no queueing, no interference; it says where the next limit is, not how it feels to reach it. */
export const needsOf = (costs: Costs, { eventsPerSecond: e, identities }: Load, choices: Choices = CHOICES): Needs => {
  const { replication, utilisation, resident, retentionDaysKafka, skew } = choices
  const cores = (micros: number): number => (e * micros) / 1e6 / utilisation
  const workers = Math.max(1, Math.ceil(cores(costs.workerMicros)))
  const shards = Math.max(workers, Math.ceil((e * skew) / (costs.perShard * utilisation)))
  const written = costs.eventBytes + costs.scoredBytes + costs.stateBytes
  const stateTopicBytes = identities * costs.slotBytes
  return {
    workers,
    shards,
    workerMemoryBytes: (identities * resident * costs.residentBytes) / workers,
    doorCores: cores(costs.doorMicros),
    brokerCores: cores(costs.brokerMicros * replication),
    brokerInBytes: e * written * replication,
    // Workers read events, recorders read scored rows, followers read everything once per copy.
    brokerOutBytes: e * (costs.eventBytes + costs.scoredBytes + written * (replication - 1)),
    kafkaDiskBytes: e * DAY_S * retentionDaysKafka * (costs.eventBytes + costs.scoredBytes) * replication + stateTopicBytes * replication,
    stateTopicBytes,
    recorders: Math.max(1, Math.ceil(cores(costs.recorderMicros))),
    clickhouseCores: cores(costs.clickhouseMicros),
    clickhouseBytesPerDay: e * DAY_S * costs.storedRowBytes,
    transactionsPerSecond: Math.max(shards, e / EVENTS_PER_TRANSACTION),
    producersPerWorker: Math.ceil(shards / workers),
    takeOverSeconds: stateTopicBytes / workers / Math.max(1, workers - 1) / costs.restoreBytesPerSecond,
    hottestIdentity: costs.perShard * utilisation,
  }
}
