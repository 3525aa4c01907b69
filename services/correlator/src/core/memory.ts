import { exp } from '@plumbline/detector/functions'
import { DAY, type Limits } from './limits.ts'
import { Recent } from './recent.ts'

/** Half of what was usual counts no more after this long. */
const HALF_LIFE_MS = 7 * DAY
const LN2 = 0.6931471805599453
/** A source whose users are more than these is a shared one: an office, a proxy, a cluster. */
const MOST_USERS = 3
/** On how many days a way of work must have been seen to be usual. */
const USUAL_DAYS = 4
/** And which part of all it must be: a way of work that rarely ends like this does not make such an end usual. */
const USUAL_SHARE = 0.3
/** One day counts once however often it is used. */
const dayOf = (time: number): number => Math.floor(time / DAY)

export interface SourceUser {
  readonly id: string
  readonly kind: number
  lastSeen: number
  lastDay: number
  /** Days on which it was used, as they came: late ones are not counted twice, and may not count at all. */
  days: number
}
interface KnownSource {
  readonly users: SourceUser[]
  many: boolean
}
interface Rate {
  readonly count: number
  readonly at: number
}
interface Habit {
  /** Days with one that is told, and the last of them. */
  readonly days: number
  readonly lastDay: number
  readonly total: number
  readonly strange: number
}

/** What a tenant's identities usually have in common. Bounded; grows only by what is behind a closed window. */
export interface Memory {
  since: number
  lastSeen: number
  readonly sources: Recent<KnownSource>
  /** When a destination was first used. */
  readonly places: Recent<number>
  /** Identities that are agents: who acts for one of them works for it. */
  readonly agents: Recent<1>
  /** When a release was first seen. */
  readonly releases: Recent<number>
  /** How many identities departed with a cause in common, fading. */
  readonly causes: Recent<Rate>
  /** Ways in which flows go over several identities, by their three acts; and crowds, by cause and size. */
  readonly habits: Recent<Habit>
}

export type PackedMemory = readonly [number, number, ...(readonly (readonly [string, unknown])[][])]

const fields = (m: Memory) => [m.sources, m.places, m.agents, m.releases, m.causes, m.habits] as const

export const createMemory = (limits: Limits, now: number, packed?: PackedMemory): Memory => {
  const [since = now, lastSeen = now, sources, places, agents, releases, causes, habits] = packed ?? []
  const recent = <V>(limit: number, entries: readonly (readonly [string, unknown])[] = []): Recent<V> =>
    new Recent<V>(limit, entries as readonly (readonly [string, V])[])
  return {
    since,
    lastSeen,
    sources: recent(limits.places, sources),
    places: recent(limits.places, places),
    agents: recent(limits.names, agents),
    releases: recent(limits.names, releases),
    causes: recent(limits.names, causes),
    habits: recent(limits.names, habits),
  }
}

export const packMemory = (m: Memory): PackedMemory => [m.since, m.lastSeen, ...fields(m).map((map) => [...map])]

export const sizeOf = (m: Memory): number => fields(m).reduce((sum, { size }) => sum + size, 0)

/** Forgets what was used longest ago; false when there was nothing. */
export const forgetHalf = (m: Memory): boolean => {
  const before = sizeOf(m)
  for (const map of fields(m)) map.keep(Math.floor(map.size / 2))
  return sizeOf(m) < before
}

/** How much had to be forgotten for want of room. */
export const forgottenBy = (m: Memory): number => fields(m).reduce((sum, { forgotten }) => sum + forgotten, 0)

const faded = (age: number): number => exp((-LN2 * Math.max(0, age)) / HALF_LIFE_MS)

/** What is known of how many identities depart with a cause in common: so many in so many days, fading alike. */
export const usualOf = (m: Memory, cause: string, now: number): { readonly count: number; readonly days: number } => {
  const known = m.causes.get(cause)
  const count = known === undefined ? 0 : known.count * faded(now - known.at)
  return { count, days: ((1 - faded(now - m.since)) * HALF_LIFE_MS) / LN2 / DAY }
}

export const learnCause = (m: Memory, cause: string, identities: number, now: number): void => {
  const known = m.causes.get(cause)
  m.causes.set(cause, { count: (known === undefined ? 0 : known.count * faded(now - known.at)) + identities, at: now })
}

/** Whether what would be told of it, under one of its names, comes back on enough days, and is a good part of all there is. */
export const isUsual = (m: Memory, ...names: readonly string[]): boolean => {
  const known = names.flatMap((name) => m.habits.get(name) ?? [])
  const sum = (of: (habit: Habit) => number): number => known.reduce((total, habit) => total + of(habit), 0)
  return sum(({ days }) => days) >= USUAL_DAYS && sum(({ strange }) => strange) >= USUAL_SHARE * sum(({ total }) => total)
}

/** Counts one more of its kind; `strange`: it is of those that are told. */
export const learnHabit = (m: Memory, name: string, time: number, strange: boolean): void => {
  const { days, lastDay, total, strange: before } = m.habits.get(name) ?? { days: 0, lastDay: -1, total: 0, strange: 0 }
  const day = dayOf(time)
  const isNewDay = strange && day > lastDay
  m.habits.set(name, {
    days: days + (isNewDay ? 1 : 0),
    lastDay: isNewDay ? day : lastDay,
    total: total + 1,
    strange: before + (strange ? 1 : 0),
  })
}

/** Notes that an identity used a source; says who had it to themselves until then. */
export const learnSource = (m: Memory, source: string, id: string, kind: number, time: number): readonly SourceUser[] => {
  const known = m.sources.get(source)
  const day = dayOf(time)
  if (known === undefined) {
    m.sources.set(source, { users: [{ id, kind, lastSeen: time, lastDay: day, days: 1 }], many: false })
    return []
  }
  m.sources.set(source, known)
  const user = known.users.find((other) => other.id === id)
  if (user !== undefined) {
    user.lastSeen = Math.max(user.lastSeen, time)
    if (day > user.lastDay) Object.assign(user, { lastDay: day, days: user.days + 1 })
    return []
  }
  if (known.many) return []
  const before = known.users.map((other) => ({ ...other }))
  if (known.users.length < MOST_USERS) known.users.push({ id, kind, lastSeen: time, lastDay: day, days: 1 })
  else known.many = true
  return before
}
