import type { Store } from '@plumbline/adapters/clickhouse'
import type { DeploymentLog, OutboxLag } from '@plumbline/detector'
import { TOPICS, type Topic } from '@plumbline/schemas'
import type { MakeDecider } from './delivery.ts'
import { type Erasable, type ErasureResult, createErasures } from './erasure.ts'
import { type RecorderPoint, type TopicRecorder, createTopicRecorder } from './topic.ts'

export interface RecorderOptions {
  readonly log: Pick<DeploymentLog, 'id' | 'outbox' | 'kv' | 'publish'>
  /** Inserts and reads positions. Asked for at each use: the engine behind it may have been restarted. */
  readonly store: () => Store
  /** Deletes on erasure; default: `store`. */
  readonly ownerStore?: () => Store
  /** Most bytes of one insert. Default 4 MiB. */
  readonly blockBytes?: number
  /** How long small blocks wait for more rows, ms. Default 200. */
  readonly lingerMs?: number
  /** Longest wait between attempts while ClickHouse is away, ms. Default 10,000. */
  readonly maxBackoffMs?: number
  /** Decides the `delivery` column of alerts in their order, like the forwarder's budget; absent: all are delivered. */
  readonly makeDecider?: MakeDecider
  readonly onPoint?: (point: RecorderPoint) => void
  /** Called when the rows of a removed tenant are gone, before that is forgotten: perhaps again after a crash. */
  readonly onErased?: (tenant: string) => Promise<void>
  /** Told of rows that ClickHouse refused for their content. */
  readonly onRefused?: (topic: Topic, rows: number) => void
  readonly onFailure?: (failure: { readonly topic: Topic; readonly code: string; readonly message: string }) => void
}

export interface RecorderHealth {
  /** ok: everything goes through; retrying: ClickHouse does not take rows now, nothing is lost; stopped: somebody must act. */
  readonly state: 'ok' | 'retrying' | 'stopped'
  readonly error: string | null
  readonly blocks: number
  readonly rows: number
  /** Rows that ClickHouse refused for their content; they are in the dead letters. */
  readonly refusedRows: number
  readonly topics: Readonly<Record<Topic, OutboxLag & { readonly position: number }>>
}

/** Drains the outbox into ClickHouse, exactly once in effect, for as long as it takes. */
export interface Recorder {
  start(): Promise<void>
  /** Finishes the block under way unless ClickHouse is away; nothing is lost either way. */
  stop(): Promise<void>
  /** Resolves when everything that was in the outbox at this moment is stored. */
  drained(): Promise<void>
  /** Removes rows of a tenant or an identity once everything the outbox holds of it now has been stored. Survives a restart. */
  erase(what: Erasable): Promise<ErasureResult>
  health(): RecorderHealth
}

const CONSUMER = 'recorder'
const FIRST_BACKOFF_MS = 50
/** With this many rows waiting a block is big enough to go at once. */
const LINGER_BELOW_ROWS = 10_000

interface TopicLoop {
  readonly recorder: TopicRecorder
  failures: number
  error: { code: string; message: string; stopped: boolean } | null
  wake: (() => void) | null
  /** Ends the wait for a bigger block. */
  hurry: (() => void) | null
  done: Promise<void>
}

export const createRecorder = (options: RecorderOptions): Recorder => {
  const { log, lingerMs = 200, maxBackoffMs = 10_000, blockBytes = 4 * 1024 * 1024, onPoint = () => {}, onFailure = () => {} } = options
  const totals = { blocks: 0, rows: 0, refusedRows: 0 }
  const context = {
    log,
    store: options.store,
    consumer: CONSUMER,
    blockBytes,
    onPoint,
    makeDecider: options.makeDecider,
    onRefused: (topic: Topic, rows: number) => {
      totals.refusedRows += rows
      options.onRefused?.(topic, rows)
    },
  }
  const loops: TopicLoop[] = TOPICS.map((topic) => ({
    recorder: createTopicRecorder(context, topic),
    failures: 0,
    error: null,
    wake: null,
    hurry: null,
    done: Promise.resolve(),
  }))
  const erasures = createErasures({
    kv: log.kv,
    store: options.ownerStore ?? options.store,
    position: (topic) => loops.find(({ recorder }) => recorder.topic === topic)!.recorder.position(),
    onErased: options.onErased ?? (async () => undefined),
  })
  let running = false
  let unsubscribe = (): void => {}
  let waiters: { readonly heads: ReadonlyMap<Topic, number>; readonly resolve: () => void }[] = []

  const pause = (loop: TopicLoop, ms: number | null): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => loop.wake?.(), ms)
      loop.wake = () => {
        clearTimeout(timer)
        loop.wake = null
        resolve()
      }
    })

  const noteProgress = (): void => {
    const reached = (heads: ReadonlyMap<Topic, number>): boolean =>
      loops.every(({ recorder }) => recorder.position() >= (heads.get(recorder.topic) ?? 0))
    waiters = waiters.filter((waiter) => {
      if (!reached(waiter.heads)) return true
      waiter.resolve()
      return false
    })
  }

  const fail = (loop: TopicLoop, error: unknown): void => {
    const code = (error as { code?: unknown }).code
    const retryable = (error as { retryable?: unknown }).retryable !== false || typeof code !== 'string'
    const message = error instanceof Error ? error.message : String(error)
    loop.error = { code: typeof code === 'string' ? code : 'UNEXPECTED', message, stopped: !retryable }
    loop.failures++
    onFailure({ topic: loop.recorder.topic, code: loop.error.code, message })
  }

  const succeed = (loop: TopicLoop): void => {
    loop.failures = 0
    loop.error = null
  }

  /** Waits while the block is small and young, so that ClickHouse gets few parts; not while somebody waits for the rows. */
  const linger = async (loop: TopicLoop): Promise<void> => {
    if (lingerMs <= 0 || waiters.length > 0) return
    if (log.outbox.lag(loop.recorder.topic, loop.recorder.position()).rows >= LINGER_BELOW_ROWS) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => loop.hurry?.(), lingerMs)
      loop.hurry = () => {
        clearTimeout(timer)
        loop.hurry = null
        resolve()
      }
    })
  }

  const advance = async (loop: TopicLoop): Promise<void> => {
    const rows = await loop.recorder.step()
    if (rows > 0) {
      totals.blocks++
      totals.rows += rows
      succeed(loop)
      noteProgress()
      if (running) await linger(loop)
      return
    }
    succeed(loop)
    await erasures.run()
    if (running && log.outbox.head(loop.recorder.topic) <= loop.recorder.position()) await pause(loop, erasures.pending() ? 1_000 : null)
  }

  const runTopic = async (loop: TopicLoop): Promise<void> => {
    let resumed = false
    while (running) {
      try {
        if (!resumed) await loop.recorder.resume()
        resumed = true
        noteProgress()
        await advance(loop)
      } catch (error) {
        // The outcome of the last block is unknown: read the position again and send the same range again.
        resumed = false
        fail(loop, error)
        if (running)
          await pause(
            loop,
            loop.error?.stopped === true ? null : Math.min(maxBackoffMs, FIRST_BACKOFF_MS * 2 ** Math.min(loop.failures - 1, 10)),
          )
      }
    }
  }

  return {
    async start() {
      if (running) return
      running = true
      await log.outbox.register(CONSUMER, TOPICS)
      unsubscribe = log.outbox.onEntries((topics) => {
        for (const loop of loops) if (topics.includes(loop.recorder.topic) && loop.failures === 0) loop.wake?.()
      })
      for (const loop of loops) loop.done = runTopic(loop)
    },
    async stop() {
      running = false
      unsubscribe()
      for (const loop of loops) {
        loop.wake?.()
        loop.hurry?.()
      }
      await Promise.all(loops.map(({ done }) => done))
    },
    drained: () =>
      new Promise((resolve) => {
        waiters.push({ heads: new Map(TOPICS.map((topic) => [topic, log.outbox.head(topic)])), resolve })
        noteProgress()
        for (const loop of loops) loop.hurry?.()
      }),
    async erase(what) {
      const result = erasures.request(what, new Map(TOPICS.map((topic) => [topic, log.outbox.head(topic)])))
      await result.accepted
      for (const loop of loops) if (loop.failures === 0) loop.wake?.()
      return { done: result.done }
    },
    health() {
      const errors = loops.map(({ error }) => error).filter((error) => error !== null)
      return {
        state: errors.some(({ stopped }) => stopped) ? 'stopped' : errors.length > 0 ? 'retrying' : 'ok',
        error: errors[0] === undefined ? null : `${errors[0].code}: ${errors[0].message}`,
        ...totals,
        topics: Object.fromEntries(
          loops.map(({ recorder }) => [
            recorder.topic,
            { position: recorder.position(), ...log.outbox.lag(recorder.topic, recorder.position()) },
          ]),
        ) as RecorderHealth['topics'],
      }
    },
  }
}
