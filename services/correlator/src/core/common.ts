import { exp, ln } from '@plumbline/detector/functions'
import { CAUSE_KINDS, type CauseKind } from '@plumbline/schemas'
import type { Episode } from './episode.ts'
import { DAY, HOUR } from './limits.ts'
import { isUsual, learnHabit, type Memory, usualOf } from './memory.ts'
import type { Signal } from './signal.ts'

/** A cause is over when nobody departed with it for so long; and after a day it is a new one. */
export const CAUSE_GAP_MS = HOUR
export const CAUSE_SPAN_MS = DAY
/** Fewer identities are no crowd; where neither a place is new nor anybody alerted it takes more. */
const LEAST = 3
const LEAST_QUIET = 5
/** Chance at most that so many come together by themselves. */
const CHANCE = 1e-5
/** Before this what is usual is not known: only what alerted, or where data went that never did, is grouped. */
const YOUNG_MS = 3 * DAY
/** What is held to be usual of a cause that nobody departed with yet, identities; and how alike days are at best. */
const PRIOR = 0.5
const MOST_SHAPE = 4
/** Work is not spread evenly over the day. */
const PEAK = 3
/** A release that came up so shortly before is a deploy. */
const DEPLOY_MS = DAY
/** Share of the members that have to have it. */
const MOST = 0.8

export const carriedAs = (kind: CauseKind, value: string): string => `${kind}\n${value}`
export const carriedIn = (carried: string): { readonly kind: CauseKind; readonly value: string } => {
  const at = carried.indexOf('\n')
  return { kind: carried.slice(0, at) as CauseKind, value: carried.slice(at + 1) }
}

/** What a row has that others may have as well. */
export const causesOf = ({ resource, destination, action, source, model, release }: Signal): readonly string[] => {
  const found: readonly (readonly [CauseKind, string])[] = [
    ['document', resource],
    ['destination', destination],
    ['tool', action],
    ['source', source],
    ['model', model],
    ['release', release],
  ]
  return found.flatMap(([kind, value]) => (value === '' ? [] : [carriedAs(kind, value)]))
}

/**
 * Chance of at least `k` where `mean` are usual and the mean itself is as uncertain as `shape` says (a Poisson count whose mean is
 * gamma-distributed): little history leaves more room than much, and no history makes days alike.
 */
export const chanceOf = (k: number, mean: number, shape: number): number => {
  if (k <= mean) return 1
  const p = mean / (shape + mean)
  let log = shape * ln(1 - p)
  for (let i = 0; i < k; i++) log += ln((shape + i) / (i + 1)) + ln(p)
  let term = 1
  let sum = 1
  for (let i = k; term > 1e-12 * sum; i++) {
    term *= (p * (shape + i)) / (i + 1)
    sum += term
  }
  return Math.min(1, exp(log) * sum)
}

/** How many of the members have each cause, of those that most have. Most shared and most telling first. */
export const sharedBy = (episode: Episode): readonly { readonly cause: string; readonly share: number }[] => {
  const counts = new Map<string, number>()
  for (const { carries } of episode.members.values()) for (const cause of carries) counts.set(cause, (counts.get(cause) ?? 0) + 1)
  return [...counts]
    .map(([cause, count]) => ({ cause, share: count / episode.members.size }))
    .filter(({ share }) => share >= MOST)
    .sort((a, b) => b.share - a.share || rankOf(a.cause) - rankOf(b.cause) || (a.cause < b.cause ? -1 : 1))
}

/** What tells most comes first: a document before the tool that read it. */
export const rankOf = (cause: string): number => CAUSE_KINDS.indexOf(carriedIn(cause).kind)

/** Most members run a release that nobody ran a day before. */
const isDeploy = (episode: Episode, memory: Memory): boolean => {
  const isNew = (cause: string): boolean => {
    const { kind, value } = carriedIn(cause)
    return kind === 'release' && (memory.releases.get(value) ?? 0) >= episode.first - DEPLOY_MS && memory.since < episode.first - DEPLOY_MS
  }
  let on = 0
  for (const { carries } of episode.members.values()) if (carries.some(isNew)) on++
  return on >= MOST * episode.members.size
}

export interface Crowd {
  readonly identities: number
  /** How many are usual in as long a time. */
  readonly usual: number
  /** The place that they have in common is new to everybody. */
  readonly newPlace: boolean
  readonly deploy: boolean
  /** What is usual is not known for long. */
  readonly young: boolean
}

/** How many identities depart with this cause in as long a time, and the chance of as many as these. */
const expectation = (episode: Episode, memory: Memory) => {
  const { count, days } = usualOf(memory, episode.key, episode.first)
  const shape = Math.min(MOST_SHAPE, count + PRIOR)
  const perDay = (count + PRIOR) / (days + 1)
  const mean = (PEAK * perDay * Math.max(HOUR, episode.last - episode.first)) / DAY
  return { mean, isChance: (identities: number) => chanceOf(identities, mean, shape) > CHANCE }
}

/** Crowds of about one size with one cause; of such a size, or twice as large. */
const crowdName = (episode: Episode, identities: number, larger = 0): string => `${episode.key}\n${31 - Math.clz32(identities) + larger}`

/** A crowd that comes back day after day, a batch or a shift, becomes usual, told or not; a larger one does not by that. */
export const learnCrowd = (memory: Memory, episode: Episode, { identities }: Crowd): void =>
  learnHabit(memory, crowdName(episode, identities), episode.last, true)

/** Whether so many departures with one cause are more than chance; null: not. */
export const crowdOf = (episode: Episode, memory: Memory): Crowd | null => {
  const identities = episode.members.size + episode.others
  if (identities < LEAST) return null
  const { mean: usual, isChance } = expectation(episode, memory)
  if (isChance(identities) || isUsual(memory, crowdName(episode, identities), crowdName(episode, identities, 1))) return null
  const { kind, value } = episode.cause
  const young = memory.since >= episode.first - YOUNG_MS
  const place = kind === 'destination' ? memory.places.get(value) : undefined
  const newPlace = memory.since < episode.first - DAY && place !== undefined && place >= episode.first - DAY
  const deploy = isDeploy(episode, memory)
  const loud = newPlace || episode.alerts.size >= LEAST
  if (!loud && (deploy || young || identities < LEAST_QUIET)) return null
  return { identities, usual, newPlace, deploy, young }
}

/** Share of its members that have to be in another one for both to be the same thing under two names. */
const SAME = 0.6

/** Whether it is the same thing under another name: the same members, or no crowd any more without those that other causes explain. */
export const isExplained = (episode: Episode, memory: Memory, others: readonly Episode[]): boolean => {
  const shared = (other: Episode): number => [...episode.members.keys()].filter((id) => other.members.has(id)).length
  if (others.some((other) => shared(other) >= SAME * episode.members.size)) return true
  const told = new Set(others.map(({ cause }) => carriedAs(cause.kind, cause.value)))
  let left = episode.others
  for (const { carries } of episode.members.values()) if (!carries.some((cause) => told.has(cause))) left++
  return left < LEAST || expectation(episode, memory).isChance(left)
}
