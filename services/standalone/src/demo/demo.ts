import { randomUUID } from 'node:crypto'
import type { DemoControl } from '@plumbline/console'
import { canonicalEvent, type DeploymentLog, policyHash } from '@plumbline/detector'
import type { Door } from '@plumbline/gateway'
import { companyPolicy, DAY, demoDay, generate, type GenerateOptions } from '@plumbline/generator'
import type { Logger } from '@plumbline/runtime'
import { type DemoOptions, Event, type EventInput, PlumblineError, Policy } from '@plumbline/schemas'
import { feed } from '../feed.ts'
import type { Pace } from '../pace.ts'
import { givePolicy } from '../policy.ts'
import { demoOptions, playAct } from './acts.ts'

export const DEMO_TENANT = 'demo'

/** What became of the demo of this data folder. */
interface DemoState {
  readonly phase: 'playing' | 'done' | 'removed'
  readonly run: string
  readonly seed: number
  /** The company's days end here, ms since epoch. */
  readonly endTime: number
  /** Added to the company's times. */
  readonly shiftMs: number
  readonly chunks: number
}

export interface DemoDeps {
  readonly log: DeploymentLog
  readonly door: Door
  readonly pace: Pace
  readonly seed: number
  readonly clock: () => number
  readonly logger: Logger
  /** Events of the log that are not scored yet. */
  readonly lag: () => number
  /** Resolves once every alert so far is on the page. */
  readonly shown: () => Promise<void>
  /** Removes every trace of a tenant; resolves when its rows are gone. */
  readonly removeTenant: (tenant: string) => Promise<void>
}

export interface Demo extends DemoControl {
  /** Replays the company's days unless this data folder has had them, in the background. */
  start(): void
  stop(): Promise<void>
  /** Replay under way: share done and what it waits for; else null. */
  progress(): { readonly done: number; readonly doing: string } | null
  /** Whether there is a demo tenant now. */
  present(): boolean
}

const STATE = 'demo'
const CHUNK = 500
const REPLAYING = 'replaying the days of the demo company'
const LEARNING = 'learning what is normal in the demo company'
/** The replayed days end this long ago, which leaves the time since to what is tried. */
const END_BEFORE_NOW_MS = 45 * 60_000

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export const createDemo = (deps: DemoDeps): Demo => {
  const { log, clock, logger } = deps
  const abort = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let progress: { done: number; doing: string } | null = null
  let offered: DemoOptions | null = null
  const busyUntil = new Map<string, number>()

  const load = (): DemoState | null => {
    const stored = log.kv.get(STATE)
    return stored === undefined ? null : (JSON.parse(Buffer.from(stored).toString()) as DemoState)
  }
  const save = (state: DemoState): Promise<void> => log.kv.put({ [STATE]: Buffer.from(JSON.stringify(state)) })
  const companyOf = (state: DemoState): GenerateOptions => ({ ...demoDay(state.seed, state.endTime), tenant: DEMO_TENANT })

  const fresh = (): DemoState => {
    const { startTime = 0, days = 0 } = demoDay(deps.seed, clock())
    const endTime = startTime + days * DAY
    return { phase: 'playing', run: randomUUID(), seed: deps.seed, endTime, shiftMs: clock() - END_BEFORE_NOW_MS - endTime, chunks: 0 }
  }

  const replay = async (): Promise<void> => {
    const stored = load()
    if (stored !== null && stored.phase !== 'playing') return
    const state = stored ?? fresh()
    const company = companyOf(state)
    const from = company.startTime ?? 0
    const policy = Policy.parse(companyPolicy())
    await save(state)
    await givePolicy(log, { tenant: DEMO_TENANT, policy, hash: policyHash(policy), nowMs: clock(), by: 'demo' })
    progress = { done: 0, doing: REPLAYING }
    await feed(shifted(company, state.shiftMs), {
      log,
      tenant: DEMO_TENANT,
      name: state.run,
      chunk: CHUNK,
      skip: state.chunks,
      clock,
      signal: abort.signal,
      async onChunk({ chunks, eventTimeMs }) {
        await save({ ...state, chunks })
        if (progress !== null) progress.done = Math.min(1, (eventTimeMs - state.shiftMs - from) / (state.endTime - from))
        await deps.pace(DEMO_TENANT, eventTimeMs, abort.signal, (learning) => {
          if (progress !== null) progress.doing = learning ? LEARNING : REPLAYING
        })
      },
    })
    if (abort.signal.aborted) return
    while (deps.lag() > 0 && !abort.signal.aborted) await sleep(5)
    await deps.shown()
    await save({ ...state, phase: 'done' })
    logger.info({ tenant: DEMO_TENANT }, 'the demo is ready')
  }

  return {
    start() {
      running = replay()
        .catch((error: unknown) => logger.error({ err: error }, 'the demo could not be replayed'))
        .finally(() => {
          progress = null
        })
    },
    async stop() {
      abort.abort()
      await running
    },
    progress: () => progress,
    present: () => {
      const state = load()
      return state !== null && state.phase !== 'removed'
    },
    options() {
      const state = load()
      if (state?.phase !== 'done') return null
      offered ??= demoOptions(companyOf(state))
      return offered
    },
    async play(request) {
      const state = load()
      if (state?.phase !== 'done') throw new PlumblineError('DEMO_BUSY', 'The demo is not ready, or was removed.')
      const nonce = randomUUID().slice(0, 8)
      const freeFrom = (identity: string): number => busyUntil.get(identity) ?? state.endTime + state.shiftMs
      const { identity, events, to } = playAct(companyOf(state), state.shiftMs, request, clock(), nonce, freeFrom)
      const candidates = events.map((input, index) => {
        const event = Event.parse({ ...input, tenant: DEMO_TENANT })
        const canonical = canonicalEvent(event)
        return { index, decoded: { ok: true as const, event, canonical }, bytes: canonical }
      })
      const { answer } = await deps.door.admit(candidates, { id: 'demo', token: '', tenant: DEMO_TENANT, relays: true }, 'events')
      if (answer.rejected > 0) throw new PlumblineError('DEMO_UNKNOWN', `The act was refused: ${answer.errors[0]?.message ?? ''}`)
      busyUntil.set(identity, Math.max(to, freeFrom(identity)))
      const sessions = [...new Set(events.flatMap((event) => event.session ?? []))]
      const bytesOut = events.reduce((sum, event) => sum + (event.bytesOut ?? 0), 0)
      const expect = request.benign ? 'quiet' : 'alert'
      return { tenant: DEMO_TENANT, identity, sessions, mark: nonce, events: answer.accepted, bytesOut, expect }
    },
    async remove() {
      const state = load()
      if (state === null || state.phase === 'removed') return
      abort.abort()
      await running
      await deps.removeTenant(DEMO_TENANT)
      await save({ ...state, phase: 'removed' })
      offered = null
    },
  }
}

/** The company's events at the times of this replay. */
function* shifted(company: GenerateOptions, shiftMs: number): Generator<EventInput> {
  for (const { event } of generate(company)) yield { ...event, time: (event.time as number) + shiftMs }
}
