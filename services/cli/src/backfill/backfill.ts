import { randomBytes } from 'node:crypto'
import { HistoryAnswer, PlacesAnswer, PlumblineError } from '@plumbline/schemas'
import { feedOnce, settle } from '../instance/feed.ts'
import type { Api } from '../instance/api.ts'
import type { Progress } from '../progress.ts'
import type { Spool, SpooledEvent } from './spool.ts'

export interface BackfillOptions {
  readonly operator: Api
  readonly history: Spool
  /** Tenant of events that name none; the places of the files are kept under it. */
  readonly tenant: string
  /** Learn even though the tenant has live events already. */
  readonly afterLive: boolean
  readonly progress: Progress
  /** Stops between two requests; what was taken stays taken. */
  readonly signal: AbortSignal
}

export interface BackfillResult {
  /** False when it was interrupted: the same command goes on from there. */
  readonly finished: boolean
  /** Taken now, and by earlier runs. */
  readonly events: number
  readonly before: number
  readonly rejected: number
  readonly codes: Readonly<Record<string, number>>
  /** What the history of each tenant made of it; empty when interrupted. */
  readonly tenants: Readonly<Record<string, HistoryAnswer>>
}

/** A request goes when it has this many bytes of events, however few they are. */
const REQUEST_BYTES = 1024 * 1024
/**
 * Events of a request that begins at this place of the history: a release becomes due between two requests, and at the
 * beginning they are due soon after each other. A resumed run cuts where the first would have cut.
 */
const requestEvents = (place: number): number => (place < 8000 ? 500 : 2000)

const placesOf = async (operator: Api, tenant: string, history: Spool): Promise<PlacesAnswer> =>
  PlacesAnswer.parse(await operator.post('/v1/operator/places', JSON.stringify({ tenant, files: history.files.map(({ id }) => id) })))

const refuseAfterLive = async (options: BackfillOptions, own: PlacesAnswer): Promise<void> => {
  const { operator, history, tenant, afterLive } = options
  if (afterLive || Object.values(own.places).some((place) => place > 0)) return
  for (const name of history.tenants) {
    const { live } =
      name === tenant ? own : PlacesAnswer.parse(await operator.post('/v1/operator/places', JSON.stringify({ tenant: name, files: [] })))
    if (live > 0)
      throw new PlumblineError(
        'BACKFILL_AFTER_LIVE',
        `tenant ${name} has ${live} live events already, and history is learned before them: use a fresh tenant or data folder, or --after-live to learn it all the same`,
      )
  }
}

/** Feeds a history into an instance, in event-time order, each event once. Errors: BACKFILL_AFTER_LIVE, FEED_MOVED. */
export const backfill = async (options: BackfillOptions): Promise<BackfillResult> => {
  const { operator, history, tenant, progress, signal } = options
  const known = await placesOf(operator, tenant, history)
  await refuseAfterLive(options, known)
  const ids = history.files.map(({ id }) => id)
  const done = ids.map((id) => known.places[id] ?? 0)
  const seen = ids.map(() => 0)
  const before = done.reduce((sum, n) => sum + n, 0)
  const codes: Record<string, number> = { ...history.codes }
  const run = `backfill-${randomBytes(8).toString('hex')}`
  let [taken, rejected, arrival, requests] = [0, history.rejected, 0, 0]
  let place = before
  let waiting: SpooledEvent[] = []
  let bytes = 0

  const learning = (): void => progress.phase('learning what is normal')
  const send = async (): Promise<void> => {
    if (waiting.length === 0) return
    const touched = [...new Set(waiting.map(({ file }) => file))]
    const from = Object.fromEntries(touched.map((file) => [ids[file], done[file]])) as Record<string, number>
    for (const { file } of waiting) done[file] = (done[file] ?? 0) + 1
    const to = Object.fromEntries(touched.map((file) => [ids[file], done[file]])) as Record<string, number>
    const header = { mode: 'history', tenant, id: `${run}:${requests++}`, arrival, from, to } as const
    const answer = await feedOnce(
      operator,
      header,
      waiting.map(({ bytes }) => bytes),
      learning,
    )
    arrival = answer.arrival
    taken += answer.accepted
    rejected += answer.rejected
    for (const { code } of answer.errors) codes[code] = (codes[code] ?? 0) + 1
    place += waiting.length
    waiting = []
    bytes = 0
    progress.at(before + taken, history.events)
  }

  progress.phase('learning history')
  for await (const event of history.read()) {
    seen[event.file] = (seen[event.file] ?? 0) + 1
    // What an earlier run brought in; each file's events keep one order.
    if ((seen[event.file] ?? 0) <= (known.places[ids[event.file] ?? ''] ?? 0)) continue
    waiting.push(event)
    bytes += event.bytes.length
    if (waiting.length < requestEvents(place) && bytes < REQUEST_BYTES) continue
    await send()
    if (signal.aborted) return { finished: false, events: taken, before, rejected, codes, tenants: {} }
  }
  await send()
  await settle(operator, history.tenants, true, learning)
  const tenants: Record<string, HistoryAnswer> = {}
  for (const name of history.tenants)
    tenants[name] = HistoryAnswer.parse(
      await operator.post('/v1/operator/history', JSON.stringify({ tenant: name, under: tenant, files: ids })),
    )
  return { finished: true, events: taken, before, rejected, codes, tenants }
}
