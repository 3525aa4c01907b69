import type { AlertView, DemoTryAnswer, DemoTryRequest, EventPage, EventView } from '@plumbline/schemas'
import { effect, signal } from '@preact/signals'
import { call, get, words } from '../api.ts'
import { quietWords } from '../format.ts'
import { arrived, status } from '../state.ts'

/** One act played in the demo and what came of it. */
export interface Attempt {
  readonly request: DemoTryRequest
  readonly startedAt: number
  readonly phase: 'sending' | 'waiting' | 'alert' | 'quiet' | 'failed'
  readonly answer: DemoTryAnswer | null
  readonly alert: AlertView | null
  /** From the press of the button to the alert on this page, ms. */
  readonly tookMs: number | null
  readonly reason: string
}

/** The act just played from "Try it", and the one repeated from "Judge it". */
export const tried = signal<Attempt | null>(null)
export const repeated = signal<Attempt | null>(null)

// What was played in a demo that is gone has no alert to judge any more.
effect(() => {
  if (status.value?.demo === false) tried.value = repeated.value = null
})

/** After this long without an alert an act counts as quiet. The service reports within two seconds. */
const QUIET_AFTER_MS = 6000

type Slot = typeof tried

const update = (slot: Slot, startedAt: number, part: Partial<Attempt>): void => {
  const now = slot.value
  if (now !== null && now.startedAt === startedAt) slot.value = { ...now, ...part }
}

/** By identity, not by session: an act may join a group that another session opened. */
const belongs = (alert: AlertView, answer: DemoTryAnswer): boolean =>
  alert.facts.tenant === answer.tenant && alert.facts.identity.id === answer.identity

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Most of an act that the reason is made from; it is the newest of its identity. */
const MOST_READ = 500

async function storedEvents(answer: DemoTryAnswer): Promise<readonly EventView[]> {
  const query = new URLSearchParams({ tenant: answer.tenant, identity: answer.identity, limit: String(MOST_READ) })
  const { events } = await get<EventPage>(`/v1/events?${query.toString()}`)
  return events.filter(({ eventId }) => eventId.endsWith(answer.mark))
}

/** Why nothing was reported, from how the events were scored. They may take a moment to reach the store. */
async function whyQuiet(answer: DemoTryAnswer): Promise<string> {
  let events = await storedEvents(answer)
  for (let tries = 0; events.length < Math.min(answer.events, MOST_READ) && tries < 4; tries++) {
    await pause(700)
    events = await storedEvents(answer)
  }
  if (events.length === 0) return 'Its events are not in the store yet, so the reason cannot be shown.'
  return quietWords(events, status.value?.model.find(({ tenant }) => tenant === answer.tenant)?.alertsFrom)
}

/** Plays an act and follows it until it is reported or has stayed quiet. */
export async function play(slot: Slot, request: DemoTryRequest): Promise<void> {
  const startedAt = performance.now()
  slot.value = { request, startedAt, phase: 'sending', answer: null, alert: null, tookMs: null, reason: '' }
  // Alerts may overtake the answer, so they are gathered from the first moment.
  const early: { readonly at: number; readonly alert: AlertView }[] = []
  let settle: () => void = () => undefined
  const settled = new Promise<void>((resolve) => (settle = resolve))
  const check = (): void => {
    const answer = slot.value?.startedAt === startedAt ? slot.value.answer : null
    const hit = answer === null ? undefined : early.find(({ alert }) => belongs(alert, answer))
    if (hit === undefined) return
    update(slot, startedAt, { phase: 'alert', alert: hit.alert, tookMs: hit.at - startedAt })
    settle()
  }
  const stop = effect(() => {
    const newest = arrived.value
    if (newest === null || newest.at < startedAt) return
    early.push(newest)
    queueMicrotask(check)
  })
  try {
    const answer = await call<DemoTryAnswer>('POST', '/v1/demo/try', request)
    update(slot, startedAt, { phase: 'waiting', answer })
    check()
    await Promise.race([settled, pause(QUIET_AFTER_MS)])
    if (slot.value?.startedAt === startedAt && slot.value.phase === 'waiting') {
      const reason = await whyQuiet(answer).catch(() => '')
      if (slot.value.phase === 'waiting') update(slot, startedAt, { phase: 'quiet', reason })
    }
  } catch (error) {
    update(slot, startedAt, { phase: 'failed', reason: words(error) })
  } finally {
    stop()
  }
}
