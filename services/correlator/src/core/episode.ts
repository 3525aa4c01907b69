import { type CauseKind, INCIDENT_LIMITS, type IncidentKind, SEVERITIES, type Severity } from '@plumbline/schemas'
import { type AlertSignal, placeOf, type Signal } from './signal.ts'

interface Member {
  readonly id: string
  readonly kind: number
  events: number
  score: number
  firstSeen: number
  lastSeen: number
  /** What it has that others may have as well: `kind` and value, one per line. */
  readonly carries: string[]
}

interface Evidence {
  readonly time: number
  readonly identity: string
  readonly shard: number
  readonly offset: number
}

/** A step of a flow as it is kept. */
export interface StepSeen extends Evidence {
  /** Index into FLOW_STEPS. */
  readonly step: number
  readonly action: string
  readonly object: string
  readonly flags: number
}

/** What has been told of an episode last. */
interface Told {
  readonly id: string
  readonly revision: number
  /** End of the window in which it was told. */
  readonly at: number
  readonly severity: Severity
  readonly identities: number
  readonly alerts: number
}

/** What identities have done with one cause in common, from the first act until there is nothing more for a while. */
export interface Episode {
  readonly key: string
  readonly kind: IncidentKind
  readonly cause: { readonly kind: CauseKind; readonly value: string }
  first: number
  last: number
  events: number
  /** Identities beyond the limit. */
  others: number
  readonly members: Map<string, Member>
  readonly evidence: Evidence[]
  /** Rank of the severity by alert id. */
  readonly alerts: Map<string, number>
  /** Rows that alerted and whose alert has not come yet. */
  readonly waiting: Set<string>
  readonly steps: StepSeen[]
  /** Of a source: who had it to itself. */
  owner: string
  told: Told | null
  /** Something came since it was told. */
  dirty: boolean
  /** Of that, something came too late for its window. */
  late: boolean
}

const MOST_CARRIED = 16
const MOST_WAITING = 256
/** Per identity and step: of reads from outside the first counts, of the rest the first and the last ones. */
const MOST_STEPS = [1, 4, 8] as const
const MOST_IN_ALL = 128

export const createEpisode = (key: string, kind: IncidentKind, cause: Episode['cause'], time: number): Episode => ({
  key,
  kind,
  cause,
  first: time,
  last: time,
  events: 0,
  others: 0,
  members: new Map(),
  evidence: [],
  alerts: new Map(),
  waiting: new Set(),
  steps: [],
  owner: '',
  told: null,
  dirty: false,
  late: false,
})

export const packEpisode = (e: Episode) => ({ ...e, members: [...e.members.values()], alerts: [...e.alerts], waiting: [...e.waiting] })
export type PackedEpisode = ReturnType<typeof packEpisode>
export const unpackEpisode = (p: PackedEpisode): Episode => ({
  ...p,
  members: new Map(p.members.map((member) => [member.id, member])),
  alerts: new Map(p.alerts),
  waiting: new Set(p.waiting),
})

const earlier = (a: Evidence, b: Evidence): number =>
  a.time - b.time || (a.identity < b.identity ? -1 : a.identity > b.identity ? 1 : a.offset - b.offset)

/** Keeps the earliest, in order, whichever way they come. */
const keep = <T extends Evidence>(list: T[], item: T, most: number): void => {
  let at = list.length
  while (at > 0 && earlier(item, list[at - 1]!) < 0) at--
  if (at < most) list.splice(at, 0, item)
  if (list.length > most) list.length = most
}

const memberOf = (episode: Episode, { identity, kind, time }: Signal, most: number): Member | undefined => {
  const known = episode.members.get(identity)
  if (known !== undefined) return known
  if (episode.members.size >= most) {
    episode.others++
    return undefined
  }
  const member: Member = { id: identity, kind, events: 0, score: 0, firstSeen: time, lastSeen: time, carries: [] }
  episode.members.set(identity, member)
  return member
}

export const attachAlert = (episode: Episode, { id, severity }: AlertSignal): void => {
  const rank = Math.max(SEVERITIES.indexOf(severity), episode.alerts.get(id) ?? 0)
  if (episode.alerts.get(id) === rank || (!episode.alerts.has(id) && episode.alerts.size >= INCIDENT_LIMITS.alerts)) return
  episode.alerts.set(id, rank)
  episode.dirty = true
}

/** What a signal adds to an episode. */
export interface Joining {
  readonly signal: Signal
  /** The alert of its row, if there is one. */
  readonly alert: AlertSignal | undefined
  /** Whether the row alerted. */
  readonly alerted: boolean
  readonly carries: readonly string[]
  readonly late: boolean
}

export const join = (episode: Episode, { signal, alert, alerted, carries, late }: Joining, mostMembers: number): void => {
  const { time, identity, shard, offset, score } = signal
  const member = memberOf(episode, signal, mostMembers)
  if (member !== undefined) {
    member.events++
    member.score = Math.max(member.score, score)
    member.firstSeen = Math.min(member.firstSeen, time)
    member.lastSeen = Math.max(member.lastSeen, time)
    for (const cause of carries) if (!member.carries.includes(cause) && member.carries.length < MOST_CARRIED) member.carries.push(cause)
  }
  episode.first = Math.min(episode.first, time)
  episode.last = Math.max(episode.last, time)
  episode.events++
  keep(episode.evidence, { time, identity, shard, offset }, INCIDENT_LIMITS.evidence)
  if (alert !== undefined) attachAlert(episode, alert)
  else if (alerted && episode.waiting.size < MOST_WAITING) episode.waiting.add(placeOf(signal))
  episode.dirty = true
  episode.late ||= late
}

/** Makes room for one more of its identity and step, where there are too many of them. */
const thinOut = (steps: StepSeen[], { identity, step }: StepSeen): void => {
  const alike = steps.filter((other) => other.identity === identity && other.step === step)
  const most = MOST_STEPS[step] ?? 1
  if (alike.length > most) steps.splice(steps.indexOf(alike[1]!), 1)
  else if (steps.length > MOST_IN_ALL) steps.splice(1, 1)
}

export const addStep = (episode: Episode, signal: Signal, step: number, object: string): void => {
  const { time, identity, shard, offset, action, flags } = signal
  const seen: StepSeen = { time, identity, shard, offset, step, action, object, flags }
  keep(episode.steps, seen, Number.POSITIVE_INFINITY)
  thinOut(episode.steps, seen)
}
