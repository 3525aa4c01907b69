import type { KafkaDeployment, KafkaLog } from '@plumbline/adapters/kafka'
import { type AppendRecord, canonicalEvent, type ChunkCommit, Detector, eventKey, hashKeyOf, shardOf } from '@plumbline/detector'
import { type GenerateOptions, generate } from '@plumbline/generator'
import { DEFAULT_DETECTION_CONFIG, Event } from '@plumbline/schemas'

/** Its first alerts come around its 900th event. */
const COMPANY: GenerateOptions = {
  seed: 6,
  days: 3,
  identities: 12,
  eventsPerIdentityDay: 30,
  attacks: [
    { kind: 'hr_access', subtlety: 1, spread: 'piece' },
    { kind: 'burst', subtlety: 1 },
    { kind: 'exfil_overnight', subtlety: 1, spread: 'piece' },
  ],
}

/** Events of a small generated company, placed for so many shards, in their order. */
export const companyRecords = (shards: number, count: number): AppendRecord[] => {
  return [...generate(COMPANY)].slice(0, count).map(({ event: input }) => {
    const event = Event.parse(input)
    return {
      shard: shardOf(event.tenant, event.identity.id, shards),
      ingestTimeMs: event.time,
      key: eventKey(event.tenant, event.identity.id),
      value: canonicalEvent(event),
    }
  })
}

export const createCompanyDetector = (log: KafkaLog, masterKey: Uint8Array): Detector =>
  new Detector({
    // The floor is raised so that a short stream has alerts.
    config: { ...DEFAULT_DETECTION_CONFIG, shards: log.shards, tailFloor: 0.02 },
    masterKey: hashKeyOf({ masterKey }),
    slots: log,
    releases: { artifact: () => undefined },
    residentSlots: 256,
    topic: 'events',
  })

export interface WorkOptions {
  readonly chunk?: number
  /** At most so many chunks of each shard. Default: all there are. */
  readonly chunks?: number
}

/** Works shards off as their only owner, up to the end that `deployment` knows of or a number of chunks. Returns what was committed. */
export const workOff = async (
  log: KafkaLog,
  deployment: KafkaDeployment,
  { chunk = 50, chunks = Number.POSITIVE_INFINITY }: WorkOptions = {},
): Promise<ChunkCommit[]> => {
  const detector = createCompanyDetector(log, deployment.masterKey)
  const commits: ChunkCommit[] = []
  for (let shard = 0; shard < log.shards; shard++) {
    const taken = await log.acquire(shard)
    detector.open(shard, taken)
    let { nextOffset } = taken
    const { replayTo = 0 } = taken
    for (let done = 0; done < chunks; ) {
      const records = await log.read(shard, nextOffset, chunk)
      if (records.length === 0) {
        await deployment.refreshHeads()
        const { position, next } = deployment.head(shard)
        if (position >= next) break
        continue
      }
      // Outputs up to there were stored by a former owner: the state alone is computed once more.
      const replayed = nextOffset < replayTo ? records.filter(({ offset }) => offset < replayTo) : []
      const commit = detector.process(shard, replayed.length > 0 ? replayed : records)
      if (replayed.length > 0) log.replay?.(commit)
      else {
        await log.commit([commit])
        commits.push(commit)
        done++
      }
      detector.settle(shard)
      nextOffset = commit.nextOffset
    }
    detector.forget(shard)
  }
  return commits
}
