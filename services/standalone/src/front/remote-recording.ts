import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog } from '@plumbline/detector'
import { laneName, readPositions, requestErasure } from '@plumbline/recorder'
import type { Logger } from '@plumbline/runtime'
import { TOPICS, type Topic } from '@plumbline/schemas'
import type { StartedRecording } from '../recording.ts'

export interface RemoteRecordingOptions {
  readonly log: Pick<DeploymentLog, 'id' | 'kv' | 'outbox'>
  /** ClickHouse; throws while it is away. */
  readonly reader: () => Store
  readonly logger: Pick<Logger, 'warn'>
  /** Monotonic, ms. */
  readonly now?: () => number
}

interface Lane {
  readonly topic: Topic
  readonly lane: number
  readonly name: string
}

interface Waiter {
  /** By the lane's name. */
  readonly ends: ReadonlyMap<string, number>
  readonly resolve: () => void
}

/** How often positions are read: while somebody waits for rows, and else. */
const SOON_MS = 250
const LOOK_MS = 2_000
/** Rows that wait for so long while none is stored have no recorder. */
const STUCK_MS = 60_000

/** The recorders of a cluster, known by the positions that they leave in ClickHouse. */
export const createRemoteRecording = ({ log, reader, logger, now = () => performance.now() }: RemoteRecordingOptions): StartedRecording => {
  const lanes: readonly Lane[] = TOPICS.flatMap((topic) =>
    Array.from({ length: log.outbox.lanes(topic) }, (_, lane) => ({ topic, lane, name: laneName(topic, lane) })),
  )
  let positions: ReadonlyMap<string, number> = new Map()
  let waiters: Waiter[] = []
  let erasures = new Map<string, () => void>()
  let problem: string | null = null
  let moved = now()
  let endsAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> = Promise.resolve()
  let running = false

  const endsNow = async (): Promise<ReadonlyMap<string, number>> => {
    const ends = await Promise.all(lanes.map(async ({ topic, lane, name }) => [name, await log.outbox.end(topic, lane)] as const))
    endsAt = now()
    return new Map(ends)
  }

  const lagRows = (): number =>
    lanes.reduce((sum, { topic, lane, name }) => sum + log.outbox.lag(topic, positions.get(name) ?? 0, lane).rows, 0)

  const take = (read: ReadonlyMap<string, number>): void => {
    if (lagRows() === 0 || [...read].some(([name, position]) => position > (positions.get(name) ?? 0))) moved = now()
    positions = read
    waiters = waiters.filter(({ ends, resolve }) => {
      if (![...ends].every(([name, end]) => (positions.get(name) ?? 0) >= end)) return true
      resolve()
      return false
    })
    erasures = new Map(
      [...erasures].filter(([name, resolve]) => {
        if (log.kv.get(name) !== undefined) return true
        resolve()
        return false
      }),
    )
  }

  const look = async (): Promise<void> => {
    try {
      // What somebody waits for was asked when the waiting began; the ends now are for the lag.
      if (now() - endsAt > LOOK_MS) await endsNow()
      take(await readPositions(reader(), log.id))
      problem = null
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (problem === null) logger.warn({ err: error }, 'how far the recorders are is not known at the moment')
      problem = message
    }
  }
  const lookLater = (): void => {
    if (!running) return
    timer = setTimeout(
      () => {
        looking = look().then(lookLater)
      },
      waiters.length + erasures.size > 0 ? SOON_MS : LOOK_MS,
    )
    timer.unref()
  }
  /** Somebody waits now: the lookLater look comes sooner. */
  const hurry = (): void => {
    if (!running) return
    clearTimeout(timer)
    looking = looking.then(() => {
      clearTimeout(timer)
      lookLater()
    })
  }

  return {
    async start() {
      running = true
      looking = look().then(lookLater)
    },
    async stop() {
      running = false
      clearTimeout(timer)
      await looking
    },
    async drained() {
      const ends = await endsNow()
      await new Promise<void>((resolve) => {
        waiters.push({ ends, resolve })
        hurry()
      })
    },
    async erase(what) {
      const name = await requestErasure(log, what)
      return {
        done: new Promise<void>((resolve) => {
          erasures.set(name, resolve)
          hurry()
        }),
      }
    },
    state() {
      const rows = lagRows()
      const stuckMs = now() - moved
      const stuck = rows > 0 && stuckMs > STUCK_MS ? `nothing was stored for ${Math.round(stuckMs / 1000)} s: is a recorder running?` : null
      return { problem: problem ?? stuck, lagRows: rows, rows: null }
    },
  }
}
