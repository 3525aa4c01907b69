import { type Incident, SCORED_FLAGS, SEVERITIES } from '@plumbline/schemas'
import { CAUSE_GAP_MS, CAUSE_SPAN_MS, carriedAs, carriedIn, causesOf, crowdOf, isExplained, learnCrowd, rankOf } from './common.ts'
import { addStep, attachAlert, createEpisode, type Episode, join, packEpisode, type PackedEpisode, unpackEpisode } from './episode.ts'
import { learnChains, stepsOf, strangeChain, TASK_GAP_MS } from './flow.ts'
import { DAY, HOUR, type Limits, MINUTE, TOO_LATE_MS } from './limits.ts'
import { createMemory, learnCause, learnSource, type Memory, packMemory, type PackedMemory, type SourceUser } from './memory.ts'
import { type Finding, render, severityOf } from './render.ts'
import { type AlertSignal, placeOf, ROLE, SIGHTING_MS, type Signal } from './signal.ts'

/** Guests of one source are one incident as long as they come within this time. */
const GUESTS_GAP_MS = DAY
/** On how many days, and how lately, a source must have been used by one identity alone to be its own. */
const OWNED_DAYS = 2
const OWNED_MS = 14 * DAY
/** A guest that is hardly known may well belong there. */
const KNOWN = 0.55
/** What goes on is told anew at most this often, unless it becomes worse. */
const AGAIN_MS = 15 * MINUTE
const GROWTH = 1.25

const gapOf = ({ kind, cause }: Episode): number => {
  if (kind === 'split_flow') return cause.kind === 'root' ? TASK_GAP_MS.root : TASK_GAP_MS.delegator
  return kind === 'shared_source' ? GUESTS_GAP_MS : CAUSE_GAP_MS
}
/** When an episode is over, unless there is more of it. */
const dueOf = (episode: Episode): number => {
  const { kind, first, last } = episode
  return kind === 'common_cause' ? Math.min(last + gapOf(episode), first + CAUSE_SPAN_MS) : last + gapOf(episode)
}

export interface PackedTenant {
  readonly name: string
  readonly memory: PackedMemory
  readonly episodes: readonly PackedEpisode[]
  readonly ended: readonly PackedEpisode[]
}

/** Signals of one window of one tenant, or what came too late for theirs. */
export interface Batch {
  /** End of the window. */
  readonly at: number
  readonly late: boolean
  readonly signals: readonly Signal[]
  readonly alertOf: (place: string) => AlertSignal | undefined
}

const sightingOf = (time: number | undefined): number | undefined => (time === undefined ? undefined : Math.floor(time / SIGHTING_MS))

type Open = (kind: Episode['kind'], cause: Episode['cause']) => Episode | null
type Add = (episode: Episode | null) => Episode | null

/** What goes on in one tenant, and what is usual there. */
export class Tenant {
  readonly name: string
  readonly memory: Memory
  readonly episodes = new Map<string, Episode>()
  /** What was told and is over; something may still come late for it. */
  readonly #ended = new Map<string, Episode>()
  /** Episodes that found no room. */
  refused = 0
  readonly #limits: Limits

  constructor(name: string, limits: Limits, now: number, packed?: PackedTenant) {
    this.name = name
    this.#limits = limits
    this.memory = createMemory(limits, now, packed?.memory)
    for (const episode of packed?.episodes ?? []) this.episodes.set(episode.key, unpackEpisode(episode))
    for (const episode of packed?.ended ?? []) this.#ended.set(episode.key, unpackEpisode(episode))
  }

  pack(): PackedTenant {
    const pack = (episodes: ReadonlyMap<string, Episode>) => [...episodes.values()].map(packEpisode)
    return { name: this.name, memory: packMemory(this.memory), episodes: pack(this.episodes), ended: pack(this.#ended) }
  }

  /** Takes up a window and returns what is to be told. Facts first, then what they add up to, then what of it becomes usual. */
  take(batch: Batch): Incident[] {
    const told = batch.late ? [] : this.expire(batch.at)
    for (const signal of batch.signals) this.#note(signal)
    const touched = new Set<Episode>()
    for (const signal of batch.signals) for (const episode of this.#fold(signal, batch)) touched.add(episode)
    return [...told, ...this.#judge([...touched], batch.at)]
  }

  /** An alert whose row was taken up before it came. */
  attach(alert: AlertSignal, at: number): Incident[] {
    const touched = [...this.episodes.values(), ...this.#ended.values()].filter(({ waiting }) => waiting.delete(placeOf(alert)))
    for (const episode of touched) {
      attachAlert(episode, alert)
      episode.late = true
    }
    return this.#judge(touched, at)
  }

  /** Ends what has been quiet for long enough at this time; its last revision says all that belongs to it. */
  expire(at: number): Incident[] {
    for (const [key, { last }] of this.#ended) if (last < at - TOO_LATE_MS) this.#ended.delete(key)
    const over = [...this.episodes.values()].filter((episode) => dueOf(episode) < at)
    over.sort((a, b) => dueOf(a) - dueOf(b) || (a.key < b.key ? -1 : 1))
    return over.flatMap((episode) => {
      this.episodes.delete(episode.key)
      const last = episode.told !== null && episode.dirty ? this.#tell(episode, at, true) : []
      if (episode.told !== null && this.#ended.size < this.#limits.episodes) this.#ended.set(episode.key, episode)
      if (episode.kind === 'common_cause') this.#learn(episode)
      if (episode.kind === 'split_flow') learnChains(this.memory, episode)
      return last
    })
  }

  forgetIdentity(identity: string): void {
    for (const { users } of this.memory.sources.values()) {
      const at = users.findIndex(({ id }) => id === identity)
      if (at >= 0) users.splice(at, 1)
    }
    this.memory.agents.delete(identity)
    for (const episodes of [this.episodes, this.#ended])
      for (const [key, { members, owner }] of episodes) if (members.has(identity) || owner === identity) episodes.delete(key)
  }

  /** What a crowd adds to what is usual is bounded: it must not hide the next one. */
  #learn(episode: Episode): void {
    const crowd = crowdOf(episode, this.memory)
    if (crowd !== null) learnCrowd(this.memory, episode, crowd)
    const count = episode.members.size + episode.others
    learnCause(this.memory, episode.key, crowd === null ? count : Math.min(count, 2 * Math.ceil(crowd.usual) + 2), episode.last)
  }

  /** When things were first seen. Earlier than what is made of them, and the same in any order within a window. */
  #note({ roles, destination, release, identity, kind, time }: Signal): void {
    const { places, releases, agents } = this.memory
    this.memory.lastSeen = Math.max(this.memory.lastSeen, time)
    if (destination !== '') places.set(destination, Math.min(time, places.get(destination) ?? time))
    if (release !== '' && (roles & ROLE.sighting) !== 0) releases.set(release, Math.min(time, releases.get(release) ?? time))
    if (kind === 0 && (roles & ROLE.sighting) !== 0) agents.set(identity, 1)
  }

  #episode(kind: Episode['kind'], cause: Episode['cause'], time: number, late: boolean): Episode | null {
    const key = `${kind}\n${carriedAs(cause.kind, cause.value)}`
    const ended = late ? this.#ended.get(key) : undefined
    if (ended !== undefined && time <= dueOf(ended) && time >= ended.first - gapOf(ended)) return ended
    const known = this.episodes.get(key)
    if (known !== undefined) return known
    if (this.episodes.size >= this.#limits.episodes) {
      this.refused++
      return null
    }
    const episode = createEpisode(key, kind, cause, time)
    this.episodes.set(key, episode)
    return episode
  }

  #fold(signal: Signal, { late, alertOf }: Batch): Episode[] {
    const { roles } = signal
    const alerted = (signal.flags & SCORED_FLAGS.alerted) !== 0
    const alert = alerted ? alertOf(placeOf(signal)) : undefined
    const carries = (roles & ROLE.departs) === 0 ? [] : causesOf(signal)
    const joined: Episode[] = []
    const add: Add = (episode) => {
      if (episode === null) return null
      join(episode, { signal, alert, alerted, carries, late }, this.#limits.members)
      joined.push(episode)
      return episode
    }
    const open: Open = (kind, cause) => this.#episode(kind, cause, signal.time, late)
    if ((roles & ROLE.step) !== 0) this.#foldStep(signal, open, add)
    if ((roles & ROLE.sighting) !== 0 && signal.source !== '') this.#foldSource(signal, open, add)
    for (const cause of carries) add(open('common_cause', carriedIn(cause)))
    return joined
  }

  #foldStep(signal: Signal, open: Open, add: Add): void {
    const steps = stepsOf(signal)
    if (steps.length === 0) return
    const { root, by } = signal
    const cause =
      root !== ''
        ? ({ kind: 'root', value: root } as const)
        : this.memory.agents.has(by)
          ? ({ kind: 'delegator', value: by } as const)
          : null
    const episode = cause === null ? null : add(open('split_flow', cause))
    if (episode !== null) for (const step of steps) addStep(episode, signal, step, step === 2 ? signal.destination : signal.resource)
  }

  #foldSource(signal: Signal, open: Open, add: Add): void {
    const { source, identity, kind, time, maturity } = signal
    const key = `shared_source\n${carriedAs('source', source)}`
    const before = learnSource(this.memory, source, identity, kind, time)
    const [owner] = before
    const isOwned = (user: SourceUser): boolean =>
      user.days >= OWNED_DAYS && time - user.lastSeen <= OWNED_MS && time >= user.lastSeen - HOUR
    const going = this.episodes.get(key)
    // One in ten minutes counts, also where it is seen once more after a restart.
    if (going !== undefined) add(sightingOf(going.members.get(identity)?.lastSeen) === sightingOf(time) ? null : going)
    else if (before.length === 1 && owner !== undefined && isOwned(owner) && maturity >= KNOWN) {
      const episode = add(open('shared_source', { kind: 'source', value: source }))
      if (episode !== null) episode.owner = owner.id
    }
  }

  #findingOf(episode: Episode): Finding | null {
    if (episode.kind === 'shared_source') {
      const guests = [...episode.members.keys()].filter((id) => id !== episode.owner)
      return guests.length === 0 ? null : { kind: 'shared_source', owner: episode.owner, guests: guests.sort() }
    }
    if (episode.kind === 'common_cause') {
      const crowd = crowdOf(episode, this.memory)
      return crowd === null ? null : { kind: 'common_cause', crowd }
    }
    const chain = strangeChain(this.memory, episode)
    if (chain === undefined) return null
    return { kind: 'split_flow', chain, untold: (chain.steps[2].flags & SCORED_FLAGS.untold) !== 0 }
  }

  /** Of causes with the same members the one that tells most is told; the others are named in it. */
  #judge(touched: Episode[], at: number): Incident[] {
    const size = ({ members, others }: Episode): number => members.size + others
    touched.sort(
      (a, b) =>
        size(b) - size(a) ||
        rankOf(carriedAs(a.cause.kind, a.cause.value)) - rankOf(carriedAs(b.cause.kind, b.cause.value)) ||
        (a.key < b.key ? -1 : 1),
    )
    return touched.flatMap((episode) => (episode.dirty ? this.#tell(episode, at, false) : []))
  }

  #tell(episode: Episode, at: number, last: boolean): Incident[] {
    const finding = this.#findingOf(episode)
    if (finding === null) return []
    if (episode.told === null && this.#isTold(episode, finding)) return []
    if (episode.told !== null && !last && !this.#isNews(episode, finding, at)) return []
    const incident = render(this.name, episode, finding)
    const { id, revision, severity, identityCount, alertCount } = incident
    episode.told = { id, revision, severity, at, identities: identityCount, alerts: alertCount }
    episode.dirty = episode.late = false
    return [incident]
  }

  /** A place that is new to everybody is told whatever else is. */
  #isTold(episode: Episode, finding: Finding): boolean {
    if (finding.kind !== 'common_cause' || finding.crowd.newPlace) return false
    const others = [...this.episodes.values()].filter(({ kind, told }) => kind === 'common_cause' && told !== null)
    return isExplained(episode, this.memory, others)
  }

  #isNews(episode: Episode, finding: Finding, at: number): boolean {
    const { told, members, others, alerts, late } = episode
    if (told === null || late) return true
    const worse = SEVERITIES.indexOf(severityOf(episode, finding)) > SEVERITIES.indexOf(told.severity)
    const more = members.size + others > GROWTH * told.identities || alerts.size > GROWTH * told.alerts + 1
    return worse || more || (episode.kind === 'common_cause' && at - told.at >= AGAIN_MS)
  }
}
