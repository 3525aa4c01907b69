import type { Store } from '@plumbline/adapters/clickhouse'
import { type DeploymentLog, keyOfSlot, type Place, summariseSlot } from '@plumbline/detector'
import type { Logger, Metrics } from '@plumbline/runtime'
import { blindSpotText, type BlindSpots, PlumblineError } from '@plumbline/schemas'
import { createOneThread, type OneThread } from '../one-thread.ts'
import { type Candidate, chooseNext, MOST_TESTED, mostActive, pauseAfter } from './choose.ts'
import { showFleet } from './fleet.ts'
import { createInForceNow, type InForceNow, type InForceOptions } from './in-force.ts'
import { createLedger, type Ledger, type Measured } from './ledger.ts'
import { recentActs } from './recent.ts'
import type { ProbeJob, ProbeResult } from './thread.ts'

export interface BlindSpotOptions extends InForceOptions {
  readonly log: Pick<DeploymentLog, 'kv' | 'masterKey'>
  placeOf(tenant: string, identity: string): Place
  /** Packed slots of those of the identities that have one, in any order. */
  slotsOf(tenant: string, identities: readonly string[]): Promise<readonly Uint8Array[]>
  /** Reading one slot means reading all of its shard: a round then stays in one. */
  readonly slotsAreFar: boolean
  /** Null while ClickHouse is away. */
  store(): Store | null
  readonly clock: () => number
  /** Percent of one core that testing by itself may take, on average; 0: only who is asked for is tested. */
  readonly cpuPercent: number
  readonly logger?: Pick<Logger, 'warn'>
  readonly metrics?: Pick<
    Metrics,
    | 'plumbline_blind_spot_identities'
    | 'plumbline_blind_spot_limit'
    | 'plumbline_blind_spot_seconds'
    | 'plumbline_blind_spot_failures_total'
  >
  /** Least time between two rounds, ms. Default a minute. */
  readonly roundMs?: number
}

/** Finds out, again and again, from how much on each kind of deviation of each identity alerts. */
export interface BlindSpotWatch {
  start(): void
  stop(): Promise<void>
  /** What was found last; null: nothing yet. */
  of(tenant: string, identity: string): BlindSpots | null
  /** Measures now, unless that was done within the last minute. Null: there is no such identity. Errors: STORE_UNAVAILABLE, BLIND_SPOTS_BUSY (both retryable), RELEASE_*, REPLAY_FAILED. */
  measure(tenant: string, identity: string): Promise<BlindSpots | null>
  /** One round, as done by itself: who is next is measured. Resolves with their number. */
  round(): Promise<number>
  /** Forgets an identity, or a whole tenant; also what is being measured now. */
  forget(tenant: string, identity?: string): Promise<void>
}

/** Packed slots by the ledger's names. */
type Slots = ReadonlyMap<string, Uint8Array>

const ROUND_MS = 60_000
/** Identities in a round: they share the start of a thread. */
const PER_ROUND = 16
const FRESH_MS = 60_000
const MOST_WAITING = 8
/** Who cannot be tested is left alone for so long. */
const FAILED_MS = 3_600_000

export const createBlindSpots = (options: BlindSpotOptions): BlindSpotWatch => {
  const { log, clock, cpuPercent, metrics, roundMs = ROUND_MS } = options
  const ledger: Ledger = createLedger(log.kv, options.placeOf)
  const thread: OneThread<ProbeJob, ProbeResult> = createOneThread({
    entry: new URL('./thread.ts', import.meta.url),
    what: 'Looking for blind spots',
    aborted: 'BLIND_SPOTS_ABORTED',
    failed: 'BLIND_SPOTS_FAILED',
    retryable: false,
  })
  const abort = new AbortController()
  const failedAt = new Map<string, number>()
  /** Raised when something is forgotten: what was begun before is not kept. */
  let forgotten = 0
  /** Processor time so far, and time in which slots were read. */
  let spentMs = 0
  let waiting = 0
  let queue: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  const queued = <T>(act: () => Promise<T>): Promise<T> => {
    const run = queue.then(act)
    queue = run.catch(() => undefined)
    return run
  }

  /** Null where there is no such identity. */
  const measureOne = async (now: InForceNow, tenant: string, identity: string, slot: Uint8Array | undefined): Promise<Measured | null> => {
    const store = options.store()
    if (store === null) throw new PlumblineError('STORE_UNAVAILABLE', 'ClickHouse is not there yet.', { retryable: true })
    // An erased one is empty.
    if (slot === undefined || summariseSlot(slot).events === 0) return null
    const recent = await recentActs(store, tenant, identity)
    const stamp = now.stamp(tenant)
    const { spots, baselineAt, cpuMs } = await thread.run({ ...now.context(tenant), subject: { identity, slot, recent } }, abort.signal)
    spentMs += cpuMs
    metrics?.plumbline_blind_spot_seconds.observe(cpuMs / 1000)
    return { ...stamp, measuredAt: clock(), baselineAt, spots: [...spots] }
  }

  const keep = async (results: ReadonlyMap<string, Measured>, begunAt: number): Promise<void> => {
    if (results.size === 0 || begunAt !== forgotten) return
    await ledger.put(new Map([...results, ...overflow(ledger, results)]))
    if (metrics !== undefined) showFleet(metrics, ledger.all())
  }

  const tryOne = async (now: InForceNow, { tenant, identity }: Candidate, slots: Slots, results: Map<string, Measured>): Promise<void> => {
    const name = ledger.nameOf(tenant, identity)
    try {
      const measured = await measureOne(now, tenant, identity, slots.get(name))
      if (measured === null) failedAt.set(name, clock())
      else results.set(name, measured)
    } catch (err) {
      if (abort.signal.aborted) return
      failedAt.set(name, clock())
      metrics?.plumbline_blind_spot_failures_total.inc()
      options.logger?.warn({ tenant, err }, 'blind spots of an identity could not be looked for, will be tried again')
    }
  }

  /** By the names that the ledger gives. */
  const slotsOf = async (candidates: readonly Candidate[]): Promise<Slots> => {
    const slots = new Map<string, Uint8Array>()
    for (const tenant of new Set(candidates.map((candidate) => candidate.tenant))) {
      const wanted = candidates.filter((candidate) => candidate.tenant === tenant).map(({ identity }) => identity)
      for (const slot of await options.slotsOf(tenant, wanted)) slots.set(ledger.nameOfKey(tenant, keyOfSlot(slot)), slot)
    }
    return slots
  }

  const round = async (): Promise<number> => {
    const store = options.store()
    if (store === null) return 0
    for (const [name, at] of failedAt) if (clock() - at > FAILED_MS) failedAt.delete(name)
    const begunAt = forgotten
    const now = createInForceNow(options)
    const active = (await mostActive(store)).filter(({ tenant, identity }) => !failedAt.has(ledger.nameOf(tenant, identity)))
    const shardOf = ({ tenant, identity }: Candidate): number => options.placeOf(tenant, identity).shard
    const next = chooseNext(active, ledger, { nowOf: now.stamp, most: PER_ROUND, shardOf: options.slotsAreFar ? shardOf : undefined })
    const begun = performance.now()
    const slots = await slotsOf(next)
    spentMs += performance.now() - begun
    const results = new Map<string, Measured>()
    for (const candidate of next) if (!abort.signal.aborted) await queued(() => tryOne(now, candidate, slots, results))
    await keep(results, begunAt)
    return results.size
  }

  /** The next round comes when this one's time is no more than its share. */
  const goOn = async (): Promise<void> => {
    const before = spentMs
    try {
      await round()
    } catch (err) {
      if (!abort.signal.aborted) options.logger?.warn({ err }, 'blind spots wait')
    }
    schedule(Math.max(roundMs, pauseAfter(spentMs - before, cpuPercent)))
  }
  const schedule = (ms: number): void => {
    if (abort.signal.aborted) return
    timer = setTimeout(() => void (running = goOn()), ms)
    timer.unref()
  }
  let running: Promise<void> = Promise.resolve()

  const told = (tenant: string, identity: string, measured: Measured): BlindSpots => {
    const { policyHash: _, spots, ...rest } = measured
    return { tenant, identity, ...rest, spots: spots.map((spot) => ({ ...spot, text: blindSpotText(spot) })) }
  }

  const measureNow = async (tenant: string, identity: string, begunAt: number): Promise<BlindSpots | null> => {
    const known = ledger.get(tenant, identity)
    if (known !== undefined && clock() - known.measuredAt < FRESH_MS) return told(tenant, identity, known)
    const [slot] = await options.slotsOf(tenant, [identity])
    const measured = await measureOne(createInForceNow(options), tenant, identity, slot)
    if (measured === null) return null
    await keep(new Map([[ledger.nameOf(tenant, identity), measured]]), begunAt)
    return told(tenant, identity, measured)
  }

  return {
    start() {
      if (metrics !== undefined) showFleet(metrics, ledger.all())
      if (cpuPercent > 0) schedule(roundMs)
    },
    async stop() {
      clearTimeout(timer)
      abort.abort()
      await running
      await queue
      thread.stop()
    },
    of(tenant, identity) {
      const measured = ledger.get(tenant, identity)
      return measured === undefined ? null : told(tenant, identity, measured)
    },
    async measure(tenant, identity) {
      if (waiting >= MOST_WAITING) throw new PlumblineError('BLIND_SPOTS_BUSY', 'Too many measurements wait already.', { retryable: true })
      waiting++
      const begunAt = forgotten
      try {
        return await queued(() => measureNow(tenant, identity, begunAt))
      } finally {
        waiting--
      }
    },
    round,
    async forget(tenant, identity) {
      forgotten++
      const names = identity === undefined ? ledger.namesOf(tenant) : [ledger.nameOf(tenant, identity)]
      await ledger.put(new Map(names.map((name) => [name, null])))
      if (metrics !== undefined) showFleet(metrics, ledger.all())
    },
  }
}

/** The oldest results that there is no room for. */
const overflow = (ledger: Ledger, results: ReadonlyMap<string, Measured>): [string, null][] => {
  const others = ledger.all().filter(({ name }) => !results.has(name))
  const tooMany = others.length + results.size - MOST_TESTED
  if (tooMany <= 0) return []
  return others
    .sort((a, b) => a.measured.measuredAt - b.measured.measuredAt)
    .slice(0, tooMany)
    .map(({ name }) => [name, null])
}
