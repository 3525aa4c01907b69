import { DayFactors, memberHour } from './benign.ts'
import { handoffs } from './handoffs.ts'
import { HOUR, type Label, type Labelled } from './options.ts'
import { Rng } from './prng.ts'
import type { MadeEvent } from './level.ts'
import type { World } from './world.ts'

export interface PlacedEvent {
  readonly event: MadeEvent
  readonly label: Label
}

/** By time, then id: the order of two events of the same millisecond says nothing about their labels. */
const inOrder = (a: MadeEvent, b: MadeEvent): number => a.time - b.time || (a.id < b.id ? -1 : 1)

/**
 * Streams a company's events hour by hour in event-time order. Memory is what begins in one hour, plus what is still
 * running; `placed` are the events of attacks and twins, which the benign stream knows nothing of.
 */
export function* streamHours(world: World, placed: readonly PlacedEvent[]): Generator<Labelled[]> {
  const { startTime, endTime } = world.settings
  const hours = Math.round((endTime - startTime) / HOUR)
  const buckets: MadeEvent[][] = []
  const labels = new Map<string, Label>()
  const put = (e: MadeEvent): void => {
    const k = Math.floor((e.time - startTime) / HOUR)
    if (k < 0 || k >= hours) return
    const bucket = buckets[k]
    if (bucket === undefined) buckets[k] = [e]
    else bucket.push(e)
  }
  for (const p of placed) {
    labels.set(p.event.id, p.label)
    put(p.event)
  }
  handoffs(world, put)
  const factors = new DayFactors(world)
  const rng = new Rng(world.settings.seed)
  for (let k = 0; k < hours; k++) {
    const hour = startTime + k * HOUR
    for (const m of world.members) memberHour(world, m, hour, factors.at(m, hour), rng, put)
    const due = buckets[k]
    if (due === undefined) continue
    delete buckets[k]
    due.sort(inOrder)
    yield due.map((event) => ({ event, label: labels.get(event.id) ?? null }))
  }
}
