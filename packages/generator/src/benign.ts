import { carriesPager, dayFactor, isMonthEnd, localDay, rhythmAt, weekday, weekendWork } from './life.ts'
import type { MadeEvent } from './level.ts'
import { HOUR } from './options.ts'
import { mix, type Rng, unitOf } from './prng.ts'
import type { Cron } from './role.ts'
import { chooseTask, gap, makeEvent, openSession, runTask } from './session.ts'
import type { Member, World } from './world.ts'

export type Sink = (e: MadeEvent) => void

/** Mean events a day that scheduled work takes out of the rate. */
const cronLoad = (m: Member): number =>
  m.role.crons.reduce((sum, c) => sum + (c.when === 'daily' ? c.task.length * c.runs * c.hours.length : 0), 0)

/** Mean length of one session of demand. */
const demandLength = (m: Member): number => {
  const { taste, role } = m
  let before = 0
  let sum = 0
  for (let i = 0; i < taste.length; i++) {
    sum += (taste[i]! - before) * role.tasks[i]!.length
    before = taste[i]!
  }
  return (sum / before) * 1.03
}

const demand = new WeakMap<Member, number>()

/** Sessions an hour at weight 1, before scaling. */
const demandRate = (m: Member): number => {
  let r = demand.get(m)
  if (r === undefined) {
    r = (Math.max(0, m.role.rate - cronLoad(m)) * m.pace) / demandLength(m) / 24
    demand.set(m, r)
  }
  return r
}

/** Period of a constant-rate identity, ms: whole seconds, the same for ever. */
export const constantPeriod = (w: World, m: Member): number => Math.max(1, Math.round(86_400 / (m.role.rate * w.rateScale))) * 1000

const constantHour = (w: World, m: Member, hour: number, rng: Rng, sink: Sink): void => {
  const period = constantPeriod(w, m)
  const phase = Math.floor(unitOf(mix(m.hash, 81)) * period)
  for (let t = Math.ceil((hour - phase) / period) * period + phase; t < hour + HOUR; t += period) sink(constantEvent(w, m, t, rng))
}

/** The one event a constant-rate identity ever makes. */
export const constantEvent = (w: World, m: Member, time: number, rng: Rng): MadeEvent => {
  const t = m.role.tasks[0]!.steps[0]!.tool
  const resourceId = `${t.item}/${1 + Math.floor(unitOf(mix(m.hash, 82)) * t.space)}`
  return makeEvent(openSession(w, m, time, rng), t, time, { resourceId })
}

const cronDue = (w: World, m: Member, c: Cron, hour: number): boolean => {
  const day = localDay(m, hour)
  const local = (((Math.floor(hour / HOUR) + m.zone) % 24) + 24) % 24
  if (!c.hours.includes(local)) return false
  if (c.when === 'daily') return true
  if (c.when === 'habit') return m.traits.habit && (day + m.rank) % 3 === 0
  return w.settings.benign.monthEnd && isMonthEnd(day) && (!m.role.person || weekday(day) < 5)
}

/** Scheduled work keeps its rhythm at ordinary rates; asked for far less, it happens on some days only. */
const cronRuns = (w: World, m: Member, c: Cron, hour: number): number => {
  if (c.when === 'habit') return 1
  const want = c.runs * w.rateScale
  if (want >= 0.5) return Math.round(Math.max(1, want))
  return unitOf(mix(mix(m.hash, 86), Math.floor(hour / HOUR))) < want ? 1 : 0
}

const runCrons = (w: World, m: Member, hour: number, rng: Rng, sink: Sink): void => {
  for (const c of m.role.crons) {
    if (!cronDue(w, m, c, hour)) continue
    const runs = cronRuns(w, m, c, hour)
    if (runs === 0) continue
    let time = hour + Math.floor(unitOf(mix(m.hash, 83)) * 20 * 60_000) + rng.below(90_000)
    const s = openSession(w, m, time, rng)
    for (let i = 0; i < runs; i++) time = runTask(s, c.task, time, sink) + gap(s)
  }
}

/** Sessions of one member that start in this hour. */
const demandSessions = (w: World, m: Member, hour: number, factor: number, rng: Rng): number => {
  const burst = m.role.burst
  let weight = rhythmAt(m, hour)
  if (weekendWork(w, m, localDay(m, hour))) weight = Math.max(weight, 0.8 * rhythmAt(m, hour - 72 * HOUR))
  if (burst > 1) {
    const on = unitOf(mix(mix(m.hash, 84), Math.floor(hour / HOUR))) < 0.12
    const scale = on ? 0.3 + 2.7 * unitOf(mix(mix(m.hash, 85), Math.floor(hour / HOUR))) : 1
    weight *= on ? (burst * scale) / (0.88 + 0.12 * burst * 1.65) : 1 / (0.88 + 0.12 * burst * 1.65)
  }
  return rng.poisson(demandRate(m) * w.rateScale * weight * factor)
}

const pages = (w: World, m: Member, hour: number, rng: Rng, sink: Sink): void => {
  const local = (((Math.floor(hour / HOUR) + m.zone) % 24) + 24) % 24
  if ((local >= 7 && local < 22) || !carriesPager(w, m, hour) || !rng.chance(0.08)) return
  const time = hour + rng.below(HOUR)
  const s = openSession(w, m, time, rng)
  runTask(s, m.role.tasks[2]!, runTask(s, m.role.tasks[2]!, time, sink), sink)
}

/** Everything that begins in the hour starting at `hour`; events may fall into later hours. `factor` is dayFactor. */
export const memberHour = (w: World, m: Member, hour: number, factor: number, rng: Rng, sink: Sink): void => {
  if (m.joinedAt > hour) return
  rng.seed(mix(m.hash, 91), w.settings.seed, Math.floor(hour / HOUR))
  if (m.role.constant) return constantHour(w, m, hour, rng, sink)
  if (m.role.crons.length > 0 && factor > 0) runCrons(w, m, hour, rng, sink)
  if (m.role.name === 'oncall') pages(w, m, hour, rng, sink)
  for (let n = demandSessions(w, m, hour, factor, rng); n > 0; n--) {
    const start = hour + rng.below(HOUR)
    runTask(openSession(w, m, start, rng), chooseTask(m, start, rng), start, sink)
  }
}

/** Share of an ordinary day's work per member on the local day of `hour`; refilled when a member's day turns. */
export class DayFactors {
  private readonly day: Int32Array
  private readonly value: Float64Array
  private readonly world: World

  constructor(world: World) {
    this.world = world
    this.day = new Int32Array(world.members.length).fill(-1)
    this.value = new Float64Array(world.members.length)
  }

  at(m: Member, hour: number): number {
    const d = localDay(m, hour)
    if (this.day[m.index] !== d) {
      this.day[m.index] = d
      this.value[m.index] = dayFactor(this.world, m, d)
    }
    return this.value[m.index]!
  }
}
