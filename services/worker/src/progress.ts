import type { Detector, KeyValue } from '@plumbline/detector'
import { type DetectionConfig, progressName, type ShardProgress } from '@plumbline/schemas'
import { releaseInForce, totalsOf } from './detector-view.ts'
import type { Worker, WorkerStats } from './options.ts'

type ShardStats = WorkerStats['shards'][number]

export interface ProgressOptions {
  readonly kv: KeyValue
  readonly detector: Detector
  readonly worker: Pick<Worker, 'stats'>
  readonly config: DetectionConfig
  readonly clock: () => number
  /** What could not be told is told the next time. */
  readonly onFailure: (error: unknown) => void
}

/** Tells the rest of the deployment how the shards held here get on. */
export interface ProgressTeller {
  start(): void
  /** Tells a last time. */
  stop(): Promise<void>
}

const EVERY_MS = 2_000
/** Waits for a release that is not here (yet), or for the key that it is signed with: nothing goes on until it comes. */
const WAITING = 'RELEASE_'

/** What keeps a shard from going on until somebody acts. */
export const obstacleOf = ({ phase, error }: ShardStats): string | null =>
  phase === 'stopped' || error?.startsWith(WAITING) === true ? (error ?? 'stopped') : null

/** What it says apart from the time of telling and the counters of its process: what is worth telling anew when it changes. */
const essence = ({ position, tenants, stopped }: ShardProgress): string => JSON.stringify([position, tenants, stopped])

export const createProgressTeller = ({ kv, detector, worker, config, clock, onFailure }: ProgressOptions): ProgressTeller => {
  let timer: NodeJS.Timeout | undefined
  let telling: Promise<void> = Promise.resolve()
  let waiting = 0

  const storedOf = (shard: number): ShardProgress | undefined => {
    const bytes = kv.get(progressName(shard))
    return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as ShardProgress)
  }

  const tenantsOf = (shard: number): ShardProgress['tenants'] =>
    [...detector.tenantsOf(shard).values()].map((tenant) => ({
      name: tenant.name,
      events: tenant.events,
      groupNames: [...tenant.groupNames],
      release: releaseInForce(tenant, config),
    }))

  /** What is not known here at the moment, because the shard is not open, is as it was told last. */
  const progressOf = (stats: ShardStats, stored: ShardProgress | undefined): ShardProgress => {
    const { resident, evictions, late, duplicates, sessionsOverflow } = totalsOf(detector)
    const tenants = tenantsOf(stats.shard)
    return {
      v: 1,
      atMs: clock(),
      position: stats.next > 0 ? stats.next : (stored?.position ?? 0),
      tenants: tenants.length > 0 ? tenants : (stored?.tenants ?? []),
      counters: { late, duplicates, sessionsOverflow },
      resident,
      evictions,
      stopped: obstacleOf(stats),
    }
  }

  const tell = async (): Promise<void> => {
    const news: Record<string, Uint8Array> = {}
    for (const stats of worker.stats().shards) {
      // Of a shard that is not taken over yet, whoever had it last has told.
      if (stats.phase !== 'stopped' && stats.next === 0) continue
      // Compared with what is stored, not with what was told last: a former owner may have told of the shard after us.
      const stored = storedOf(stats.shard)
      const progress = progressOf(stats, stored)
      if (stored === undefined || essence(stored) !== essence(progress))
        news[progressName(stats.shard)] = Buffer.from(JSON.stringify(progress))
    }
    await kv.put(news)
  }
  const tellNext = (): Promise<void> => {
    waiting++
    telling = telling
      .then(tell)
      .catch(onFailure)
      .finally(() => waiting--)
    return telling
  }

  return {
    start() {
      // While Kafka is away one waits; more would say the same.
      timer = setInterval(() => void (waiting === 0 && tellNext()), EVERY_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      await tellNext()
    },
  }
}
