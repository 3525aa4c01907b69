import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog, OutboxLag } from '@plumbline/detector'
import { type OutboxTrimmed, TOPICS, type Topic } from '@plumbline/schemas'
import type { MakeDecider } from './delivery.ts'
import { type Erasable, type ErasureResult, createErasures } from './erasure.ts'
import { type LaneContext, type RecorderPoint, createLaneRecorder } from './lane.ts'
import { type LaneLoop, startLoop } from './loop.ts'
import { laneName } from './positions.ts'

export interface RecorderOptions {
  readonly log: Pick<DeploymentLog, 'id' | 'outbox' | 'kv' | 'publish'>
  /** Inserts and reads positions. Asked for at each use: the engine behind it may have been restarted. */
  readonly store: () => Store
  /** Deletes on erasure; default: `store`. Null: nobody here may delete, and removals wait. */
  readonly ownerStore?: (() => Store) | null
  /** Most bytes of one insert. Default 4 MiB. */
  readonly blockBytes?: number
  /** How long small blocks wait for more rows, ms. Default 200. */
  readonly lingerMs?: number
  /** Longest wait between attempts while ClickHouse is away, ms. Default 10,000. */
  readonly maxBackoffMs?: number
  /** Decides the `delivery` column of alerts in their order, like the forwarder's budget; absent: all are delivered. */
  readonly makeDecider?: MakeDecider
  readonly onPoint?: (point: RecorderPoint) => void
  /** Called after each block with its rows. */
  readonly onRows?: (rows: number) => void
  /** Called when the rows of a removed tenant are gone, before that is forgotten: perhaps again after a crash. */
  readonly onErased?: (tenant: string) => Promise<void>
  /** Told of rows that ClickHouse refused for their content. */
  readonly onRefused?: (topic: Topic, rows: number) => void
  readonly onFailure?: (failure: { readonly topic: Topic; readonly code: string; readonly message: string }) => void
  /**
   * Name of this recorder among several, no two alike: it works on the lanes it is given by `take`, and each lane has one owner
   * at a time. Absent: it is the only one and works on all.
   */
  readonly owner?: string
  /** Go on behind entries that are gone, instead of stopping their lane. Default false. */
  readonly acceptGaps?: boolean
  readonly onGap?: (gap: OutboxTrimmed) => void
}

export interface RecorderHealth {
  /** ok: everything goes through; retrying: ClickHouse does not take rows now, nothing is lost; stopped: somebody must act. */
  readonly state: 'ok' | 'retrying' | 'stopped'
  readonly error: string | null
  readonly blocks: number
  readonly rows: number
  /** Rows that ClickHouse refused for their content; they are in the dead letters. */
  readonly refusedRows: number
  /** Why removals that were asked for cannot be done; null: for nothing but rows that are on their way. */
  readonly removals: string | null
  /** Of the lanes that are this recorder's, added up. */
  readonly topics: Readonly<Record<Topic, OutboxLag & { readonly position: number }>>
}

/** Drains the outbox into ClickHouse, exactly once in effect, for as long as it takes. */
export interface Recorder {
  start(): Promise<void>
  /** Finishes the block under way unless ClickHouse is away; nothing is lost either way. */
  stop(): Promise<void>
  /** Lane n of every topic that has so many is this recorder's from now on. Only with an `owner`. */
  take(lanes: readonly number[]): void
  /** The lanes are somebody else's: stops working on them after the block under way. */
  release(lanes: readonly number[]): Promise<void>
  /** Resolves when everything that was in the outbox's lanes of this recorder at this moment is stored. */
  drained(): Promise<void>
  /** Removes rows of a tenant or an identity once everything the outbox holds of it now has been stored. Survives a restart. */
  erase(what: Erasable): Promise<ErasureResult>
  health(): RecorderHealth
}

const CONSUMER = 'recorder'
/** With this many rows waiting a block is big enough to go at once. */
const LINGER_BELOW_ROWS = 10_000
/** How often a recorder of several looks for removals that another process has asked for. */
const LOOK_MS = 1_000

interface Waiter {
  /** By the lane's name. */
  readonly ends: ReadonlyMap<string, number>
  readonly resolve: () => void
}

export const createRecorder = (options: RecorderOptions): Recorder => {
  const { log, lingerMs = 200, maxBackoffMs = 10_000, blockBytes = 4 * 1024 * 1024, owner = null, acceptGaps = false } = options
  const { onPoint = () => {}, onFailure = () => {}, onGap = () => {} } = options
  const totals = { blocks: 0, rows: 0, refusedRows: 0 }
  const context: LaneContext = {
    log,
    store: options.store,
    consumer: CONSUMER,
    blockBytes,
    onPoint,
    makeDecider: options.makeDecider,
    onRefused(topic, rows) {
      totals.refusedRows += rows
      options.onRefused?.(topic, rows)
    },
    owner,
  }
  /** By the lane's name. */
  const loops = new Map<string, LaneLoop>()
  /** Lanes that are let go: taking one again waits for that. */
  const leaving = new Map<string, Promise<void>>()
  let running = false
  let wanted: ReadonlySet<number> = new Set()
  let unsubscribe = (): void => {}
  let looking: NodeJS.Timeout | undefined
  let waiters: Waiter[] = []

  const positionOf = (name: string): number | undefined => loops.get(name)?.lane.position()
  const erasures = createErasures({
    log,
    store: options.ownerStore === undefined ? options.store : options.ownerStore,
    position: positionOf,
    alone: owner === null,
    onErased: options.onErased ?? (async () => undefined),
  })

  // A lane that is another's by now is not waited for; one that has only been stopped is.
  const gone = owner === null ? -1 : Number.POSITIVE_INFINITY
  const noteProgress = (): void => {
    const reached = ({ ends }: Waiter): boolean => [...ends].every(([name, end]) => (positionOf(name) ?? gone) >= end)
    const done = waiters.filter(reached)
    waiters = waiters.filter((waiter) => !done.includes(waiter))
    for (const { resolve } of done) resolve()
  }

  const placesOf = (lane: number): { readonly topic: Topic; readonly lane: number; readonly name: string }[] =>
    TOPICS.filter((topic) => log.outbox.lanes(topic) > lane).map((topic) => ({ topic, lane, name: laneName(topic, lane) }))
  const allLanes = (): number[] => Array.from({ length: Math.max(...TOPICS.map((topic) => log.outbox.lanes(topic))) }, (_, lane) => lane)

  const startLane = (topic: Topic, lane: number, name: string): void => {
    if (loops.has(name)) return
    const recorder = createLaneRecorder(context, topic, lane)
    /** Small blocks wait, so that ClickHouse gets few parts; not while somebody waits for the rows. */
    const linger = (): number =>
      waiters.length > 0 || log.outbox.lag(topic, recorder.position(), lane).rows >= LINGER_BELOW_ROWS ? 0 : lingerMs
    // Of several recorders one removes rows: the owner of this lane.
    const erases = owner === null || name === 'scored'
    loops.set(
      name,
      startLoop(recorder, {
        maxBackoffMs,
        acceptGaps,
        onGap,
        onRows(rows) {
          totals.blocks++
          totals.rows += rows
          options.onRows?.(rows)
        },
        onProgress: noteProgress,
        onError: ({ code, message }) => onFailure({ topic, code, message }),
        lingerMs: linger,
        behind: () => log.outbox.head(topic, lane) > recorder.position(),
        onIdle: async () => (erases ? erasures.run() : undefined),
        dueMs: () => (erases && erasures.pending() ? LOOK_MS : null),
      }),
    )
  }

  const take = (lanes: readonly number[]): void => {
    wanted = new Set([...wanted, ...lanes])
    if (!running) return
    for (const { topic, lane, name } of lanes.flatMap(placesOf)) {
      const before = leaving.get(name)
      if (before === undefined) startLane(topic, lane, name)
      else void before.then(() => running && wanted.has(lane) && startLane(topic, lane, name))
    }
  }

  const stopLane = async (topic: Topic, lane: number, name: string): Promise<void> => {
    const loop = loops.get(name)
    if (loop === undefined) return leaving.get(name)
    loops.delete(name)
    const left = loop.stop().finally(() => {
      log.outbox.leave(topic, lane)
      leaving.delete(name)
      noteProgress()
    })
    leaving.set(name, left)
    return left
  }

  const release = async (lanes: readonly number[]): Promise<void> => {
    wanted = new Set([...wanted].filter((lane) => !lanes.includes(lane)))
    await Promise.all(lanes.flatMap(placesOf).map(({ topic, lane, name }) => stopLane(topic, lane, name)))
  }

  return {
    async start() {
      if (running) return
      await log.outbox.register(CONSUMER, TOPICS)
      running = true
      unsubscribe = log.outbox.onEntries((topics) => {
        for (const loop of loops.values()) if (topics.includes(loop.lane.topic)) loop.wake()
      })
      if (owner !== null) looking = setInterval(() => erasures.look() && loops.get('scored')?.wake(), LOOK_MS).unref()
      take(owner === null ? allLanes() : [...wanted])
    },
    async stop() {
      running = false
      unsubscribe()
      clearInterval(looking)
      await release(allLanes())
    },
    take,
    release,
    async drained() {
      const own = [...loops.values()].map(({ lane }) => lane)
      const ends = await Promise.all(
        own.map(async ({ topic, lane }) => [laneName(topic, lane), await log.outbox.end(topic, lane)] as const),
      )
      await new Promise<void>((resolve) => {
        waiters.push({ ends: new Map(ends), resolve })
        noteProgress()
        for (const loop of loops.values()) {
          loop.hurry()
          loop.wake()
        }
      })
    },
    async erase(what) {
      const { done } = await erasures.request(what)
      for (const loop of loops.values()) loop.wake()
      return { done }
    },
    health() {
      const errors = [...loops.values()].map((loop) => loop.error()).filter((error) => error !== null)
      const worst = errors.find(({ stopped }) => stopped) ?? errors[0]
      const sumOf = (topic: Topic) => {
        const sum = { position: 0, entries: 0, rows: 0 }
        for (const { lane: recorder } of loops.values()) {
          if (recorder.topic !== topic) continue
          const { entries, rows } = log.outbox.lag(topic, recorder.position(), recorder.lane)
          sum.position += recorder.position()
          sum.entries += entries
          sum.rows += rows
        }
        return sum
      }
      return {
        state: worst === undefined ? 'ok' : worst.stopped ? 'stopped' : 'retrying',
        error: worst === undefined ? null : `${worst.code}: ${worst.message}`,
        ...totals,
        removals: erasures.error(),
        topics: Object.fromEntries(TOPICS.map((topic) => [topic, sumOf(topic)])) as RecorderHealth['topics'],
      }
    },
  }
}
