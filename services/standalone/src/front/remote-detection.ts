import { createPlaces, type DeploymentLog, type Place } from '@plumbline/detector'
import { type DetectionConfig, PlumblineError, progressName, ShardProgress } from '@plumbline/schemas'
import { allShards } from '@plumbline/trainer'
import { type Detection, mergeTenants } from '../detection.ts'

export interface RemoteDetectionOptions {
  readonly log: Pick<DeploymentLog, 'kv' | 'shards' | 'head' | 'masterKey'>
  readonly config: DetectionConfig
  /** Makes `head` of the log as of now. */
  readonly refresh: () => Promise<void>
  /** Packed slots at these places, as last stored; the order of those that are there does not matter. */
  readonly readSlots: (places: readonly Place[]) => Promise<readonly Uint8Array[]>
  /** Monotonic, ms. */
  readonly now?: () => number
}

export interface RemoteDetection extends Detection {
  /** Begins to look at how the workers get on. */
  start(): void
}

/** Workers tell how far they are every 2 s; looking more often shows little more. */
const LOOK_MS = 500
/** A shard with work whose position does not move for so long has no worker, or one that is stuck. */
const STUCK_MS = 30_000

/** What workers tell is this much behind what they stored, at most, while nothing is wrong. */
const TOLD_MS = 5_000

/** Somebody who waits until everything that was there at a moment is scored. */
interface Waiter {
  /** The ends of the shards then. */
  readonly ends: readonly number[]
  /** When all of it was seen to be scored; null: not yet. */
  scoredAtMs: number | null
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Where a shard stood when it was last seen to move, and when that was. */
interface Seen {
  position: number
  atMs: number
}

/** The detector in the workers of a cluster, known by what they tell of their shards. */
export const createRemoteDetection = (options: RemoteDetectionOptions): RemoteDetection => {
  const { log, config, refresh, readSlots, now = () => performance.now() } = options
  const shards = allShards(log.shards)
  const placeOf = createPlaces(log)
  const parsed = new Map<number, { readonly bytes: Uint8Array; readonly progress: ShardProgress | null }>()
  const seen = new Map<number, Seen>()
  let waiters: Waiter[] = []
  let timer: NodeJS.Timeout | undefined

  /** Null while no worker ever told of the shard, or a newer one did in words that are not known here. */
  const progressOf = (shard: number): ShardProgress | null => {
    const bytes = log.kv.get(progressName(shard))
    if (bytes === undefined) return null
    const known = parsed.get(shard)
    if (known?.bytes === bytes) return known.progress
    const read = ShardProgress.safeParse(JSON.parse(Buffer.from(bytes).toString()))
    const progress = read.success ? read.data : null
    parsed.set(shard, { bytes, progress })
    return progress
  }

  const all = (): readonly ShardProgress[] => shards.flatMap((shard) => progressOf(shard) ?? [])
  const toldUpTo = (shard: number): number => progressOf(shard)?.position ?? 0

  const noteMoves = (): void => {
    for (const shard of shards) {
      const { position, next } = log.head(shard)
      if (seen.get(shard)?.position !== position || position >= next) seen.set(shard, { position, atMs: now() })
    }
  }

  /**
   * All is scored, and told: then what is told of tenants counts everything up to there as well. What is told does not pass the
   * marker that a request of the door leaves behind its records.
   */
  const isDone = (waiter: Waiter): boolean => {
    const waiting = shards.filter((shard) => (progressOf(shard)?.stopped ?? null) === null)
    if (!waiting.every((shard) => log.head(shard).position >= waiter.ends[shard]!)) return false
    waiter.scoredAtMs ??= now()
    return waiting.every((shard) => toldUpTo(shard) >= waiter.ends[shard]! - 1) || now() - waiter.scoredAtMs > TOLD_MS
  }

  const look = (): void => {
    noteMoves()
    const done = waiters.filter(isDone)
    waiters = waiters.filter((waiter) => !done.includes(waiter))
    for (const { resolve } of done) resolve()
  }

  const whyStopped = (shard: number): string | null => {
    const told = progressOf(shard)?.stopped ?? null
    if (told !== null) return told
    const stuckMs = now() - (seen.get(shard)?.atMs ?? now())
    return stuckMs < STUCK_MS ? null : `waits for ${Math.round(stuckMs / 1000)} s: no worker has it, or its worker is stuck`
  }

  return {
    config,
    placeOf,
    slotsOf: (tenant, identities) => readSlots(identities.map((identity) => placeOf(tenant, identity))),
    start() {
      look()
      timer = setInterval(look, LOOK_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      for (const { reject } of waiters)
        reject(new PlumblineError('STOPPING', 'The service stopped before everything was scored.', { retryable: true }))
      waiters = []
    },
    tenants: () =>
      mergeTenants(
        all().flatMap(({ tenants }) => tenants.map(({ name, events, groupNames }) => ({ name, events, groupNames: new Map(groupNames) }))),
      ),
    lag: () => shards.reduce((sum, shard) => sum + Math.max(0, log.head(shard).next - log.head(shard).position), 0),
    // While the brokers are away the last answer stands.
    refresh: () => refresh().catch(() => undefined),
    async drained() {
      await refresh()
      const ends = shards.map((shard) => log.head(shard).next)
      await new Promise<void>((resolve, reject) => {
        waiters.push({ ends, scoredAtMs: null, resolve, reject })
        look()
      })
    },
    stopped: () =>
      shards.flatMap((shard) => {
        const why = whyStopped(shard)
        return why === null ? [] : [`shard ${shard}: ${why}`]
      }),
    releaseOf(name) {
      for (const { tenants } of all()) {
        const release = tenants.find((tenant) => tenant.name === name)?.release
        if (release !== null && release !== undefined) return release
      }
      return null
    },
    totals: () => null,
  }
}
