import { checkMigrated, connect, type Store } from '@plumbline/adapters/clickhouse'
import { clientIdOf, createLaneGroup, kafkaSettingsOf, openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import { AlertBudget, type BudgetState } from '@plumbline/adapters/siem'
import { createRepeats, type Part } from '@plumbline/runtime'
import { PlumblineError, TOPICS } from '@plumbline/schemas'
import type { RecorderContext } from './compose.ts'
import { createRecorder, type Recorder } from './recorder.ts'

const present = <T>(part: T | null, name: string): T => {
  if (part === null) throw new PlumblineError('NOT_STARTED', `${name} is not there yet.`, { retryable: true })
  return part
}

const settingsOf = ({ config }: RecorderContext) => kafkaSettingsOf(config, { clientId: clientIdOf('recorder') })

/** How often the brokers are asked for the ends of the lanes: while ClickHouse is away nothing else tells how much waits. */
const ENDS_MS = 5_000

export const logPart = (context: RecorderContext): Part => {
  let timer: NodeJS.Timeout | undefined
  let heardMs = performance.now()
  return {
    name: 'log',
    async start() {
      const { config, health } = context
      const log = await openKafkaOutboxLog(settingsOf(context), { prefix: config.kafkaPrefix, compression: config.kafkaCompression })
      context.log = log
      const ask = async (): Promise<void> => {
        for (const topic of TOPICS) for (let lane = 0; lane < log.outbox.lanes(topic); lane++) await log.outbox.end(topic, lane)
        heardMs = performance.now()
      }
      timer = setInterval(() => void ask().catch(() => {}), ENDS_MS).unref()
      heardMs = performance.now()
      health.register('kafka', () => {
        const silentMs = performance.now() - heardMs
        return silentMs < 3 * ENDS_MS ? { ok: true } : { ok: false, detail: `Kafka has not answered for ${Math.round(silentMs / 1000)} s.` }
      })
    },
    async stop() {
      clearInterval(timer)
      await context.log?.close()
      context.log = null
    },
  }
}

const recorderOf = (context: RecorderContext, store: Store, eraseStore: Store | null): Recorder => {
  const { config, logger, metrics, owner } = context
  const log = present(context.log, 'The log')
  return createRecorder({
    log,
    store: () => store,
    ownerStore: eraseStore === null ? null : () => eraseStore,
    owner,
    blockBytes: Math.round(config.blockMb * 1024 * 1024),
    lingerMs: config.lingerMs,
    acceptGaps: config.acceptGaps,
    makeDecider: (state) => new AlertBudget(() => config.alertBudgetPerDay, state as BudgetState | undefined),
    onRows: (rows) => metrics.plumbline_recorder_rows_total.inc(rows),
    onErased: (tenant) =>
      log.publish('audit', [{ time: Date.now(), tenant, actor: 'service', action: 'tenant.erased', target: tenant, body: {} }]),
    onRefused(topic, rows) {
      metrics.plumbline_recorder_refused_rows_total.inc({ topic }, rows)
      // Of a dead letter that is refused itself none is written.
      if (topic !== 'dead-letters') metrics.plumbline_dead_letters_total.inc({ stage: 'recorder', code: 'STORE_REFUSED' }, rows)
      logger.warn({ topic, rows }, 'the store refused rows for their content; they are in the dead letters')
    },
    onFailure(failure) {
      metrics.plumbline_recorder_retries_total.inc()
      logger.warn(failure, 'rows wait for the store')
    },
    onGap({ topic, lane, firstLost, firstThere }) {
      metrics.plumbline_recorder_gap_entries_total.inc({ topic }, firstThere - firstLost)
      logger.error({ topic, lane, firstLost, firstThere }, 'rows were removed from Kafka before they were stored; the gap is accepted')
    },
  })
}

/** The recorder without lanes yet. ClickHouse that is away makes it unready, and nothing else. */
export const storePart = (context: RecorderContext): Part => {
  const stores: Store[] = []
  return {
    name: 'store',
    async start() {
      const { config, health } = context
      const open = (url: string): Store => {
        const store = connect({ url })
        stores.push(store)
        return store
      }
      const store = open(config.clickhouseUrl)
      const recorder = recorderOf(context, store, config.clickhouseEraseUrl === undefined ? null : open(config.clickhouseEraseUrl))
      context.recorder = recorder
      health.register('store', async () => {
        const { state, error } = recorder.health()
        if (state !== 'ok') return { ok: false, detail: `${state}: ${error ?? ''}` }
        await checkMigrated(store)
        return { ok: true }
      })
      // Told, and no reason to take a recorder that stores rows out of service.
      health.register('removals', () => ({ ok: true, detail: recorder.health().removals ?? 'none wait for anything' }))
      await recorder.start()
    },
    async stop() {
      await context.recorder?.stop()
      await Promise.all(stores.map((store) => store.close()))
    },
    stopTimeoutMs: 15_000,
  }
}

/** Lanes are taken once ClickHouse has the tables of this build, so that a recorder that can store nothing leaves them to others. */
const FIRST_WAIT_MS = 250
const LAST_WAIT_MS = 10_000

export const lanesPart = (context: RecorderContext): Part => {
  const stopping = new AbortController()
  let joining: Promise<void> = Promise.resolve()
  let detail = 'waits for ClickHouse'
  const repeats = createRepeats(context.logger)

  const join = async (recorder: Recorder): Promise<void> => {
    const { config, logger, log } = context
    context.group = await createLaneGroup(settingsOf(context), {
      prefix: config.kafkaPrefix,
      lanes: present(log, 'The log').outbox.lanes('scored'),
      sessionMs: config.sessionMs,
      onAssigned(lanes) {
        logger.info({ lanes }, 'lanes taken')
        recorder.take(lanes)
      },
      onRevoked(lanes) {
        logger.info({ lanes }, 'lanes left')
        void recorder.release(lanes)
      },
      onFailed: (err) => logger.warn({ err }, 'no member of the recorders now; tried again'),
    })
  }

  const joinWhenPossible = async (recorder: Recorder): Promise<void> => {
    const store = connect({ url: context.config.clickhouseUrl })
    try {
      for (let wait = FIRST_WAIT_MS; !stopping.signal.aborted; wait = Math.min(LAST_WAIT_MS, wait * 2)) {
        try {
          await checkMigrated(store)
          return await join(recorder)
        } catch (error) {
          detail = error instanceof PlumblineError ? `${error.code}: ${error.message}` : String(error)
          repeats.warn(error, 'no lanes are taken yet, tried again; rows wait in Kafka')
          await pause(wait, stopping.signal)
        }
      }
    } finally {
      await store.close()
    }
  }

  return {
    name: 'lanes',
    start() {
      const recorder = present(context.recorder, 'The recorder')
      context.health.register('lanes', () =>
        context.group === null
          ? { ok: false, detail }
          : context.group.isMember()
            ? { ok: true, detail: context.group.owned().join(', ') || 'none: others have them' }
            : { ok: false, detail: 'no member of the recorders now, tried again' },
      )
      joining = joinWhenPossible(recorder)
    },
    async stop() {
      stopping.abort()
      await joining
      // In this order: what is under way is finished and told before another recorder takes the lanes.
      await context.recorder?.stop()
      await context.group?.leave()
      context.group = null
    },
    stopTimeoutMs: 20_000,
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
