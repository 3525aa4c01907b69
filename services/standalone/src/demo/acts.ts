import { type AttackKind, DAY, type GenerateOptions, generateCases, listCases, listVictims, type Subtlety } from '@plumbline/generator'
import { type DemoOptions, type DemoTryRequest, type EventInput, PlumblineError } from '@plumbline/schemas'

interface Act {
  readonly kind: AttackKind
  readonly name: string
  readonly story: string
  readonly benign: string
  readonly variant?: 'flow'
  readonly subtlety: Subtlety
  /** Acts of many events are kept half as long: twice in an hour they would be a burst as well, and be reported as one. */
  readonly scale?: number
  /** Size to propose, where it is not the usual one. */
  readonly size?: number
  /** Role that plays the twin, where the attacked one could play it as well: what follows an attack is looked at closely. */
  readonly twinRole?: string
}

/** What can be tried, in the order it is offered. */
const ACTS: readonly Act[] = [
  {
    kind: 'hr_access',
    name: 'Reads HR records',
    story: 'A support agent starts to read HR records that have nothing to do with its tickets.',
    benign: 'An agent of the HR or help desk reads HR records for an onboarding case, as it often does.',
    subtlety: 2,
    scale: 0.5,
    size: 50,
  },
  {
    kind: 'exfil_overnight',
    name: 'Moves data out in bulk',
    story: 'A research assistant sends far more data out than it ever did.',
    benign: 'The nightly backup, or an assistant known for large exports, moves its usual archives.',
    subtlety: 2,
  },
  {
    kind: 'hijack',
    name: 'Follows a planted instruction',
    story: 'An agent reads text from outside, then reads something sensitive and sends it to an address that stood in that text.',
    benign: 'The user names a new recipient, and the agent writes to it.',
    variant: 'flow',
    subtlety: 2,
    twinRole: 'sales copilot',
  },
  {
    kind: 'burst',
    name: 'Bursts out of a constant rate',
    story: 'A service that always makes the same few calls a minute suddenly makes very many.',
    benign: 'A crawler whose pace goes up and down anyway has a busy hour.',
    subtlety: 3,
    size: 50,
  },
  {
    kind: 'impossible_travel',
    name: 'Is in two countries at once',
    story: 'A person works from home and, minutes later, from another continent.',
    benign: 'A person who often uses a VPN appears behind an exit abroad.',
    subtlety: 3,
    scale: 0.5,
  },
  {
    kind: 'lateral_movement',
    name: 'Moves into other segments',
    story: 'An identity that works in one network segment reaches into several others.',
    benign: 'The security scanner visits hosts in every segment, as it does every day.',
    subtlety: 3,
    scale: 0.5,
  },
]

const SIZES: DemoOptions['sizes'] = [2, 5, 10, 50, 200].map((value) => ({ value, label: `${value} × usual` }))
/** Acts alert at this size, played by the agent that is proposed for them. */
const PROPOSED_SIZE = 10

const roleOf = (id: string): string => (/^[a-z-]+-\d+$/.test(id) ? id.replace(/-\d+$/, '').replaceAll('-', ' ') : 'person')

/** Everything there is to choose from in a demo company. */
export const demoOptions = (company: GenerateOptions): DemoOptions => {
  // Who had a case of its own in the replayed days comes last: a second act of the kind joins that alert.
  const used = new Set(listCases(company).flatMap((each) => (each.twin ? [] : each.identities)))
  // Later still who does the like every day: from such a one the act is no news.
  const rank = (id: string, twins: readonly string[]): number => Number(used.has(id)) + 2 * Number(twins.includes(id))
  const kinds = new Map<string, 'agent' | 'user' | 'service'>()
  const attacks = ACTS.map((act) => {
    const twins = listVictims(company, act.kind, true)
    const agents = listVictims(company, act.kind).sort((a, b) => rank(a, twins) - rank(b, twins))
    // The first is what the page proposes: each act proposes somebody else, so that one does not colour the next.
    if (agents[0] !== undefined) used.add(agents[0])
    for (const id of agents) kinds.set(id, roleOf(id) === 'person' ? 'user' : 'agent')
    return { id: act.kind, name: act.name, story: act.story, benign: act.benign, agents, size: act.size ?? PROPOSED_SIZE }
  }).filter((attack) => attack.agents.length > 0)
  const agents = [...kinds].map(([id, kind]) => ({ id, kind, role: roleOf(id) }))
  return { agents, attacks, sizes: SIZES }
}

export interface PlayedAct {
  readonly identity: string
  /** Times of the first and the last event, ms since epoch. */
  readonly from: number
  readonly to: number
  readonly events: readonly EventInput[]
}

/** Acts of one identity keep this far apart, so that a repeated one is not judged as twice the pace. */
const APART_MS = 90_000

/**
 * When an act of `spanMs` begins: in the past, early enough that it can be repeated at once; after `freeFrom`, until which
 * its identity has been busy. Ends now at the latest.
 */
export const actStart = (spanMs: number, freeFromMs: number, nowMs: number): number =>
  Math.min(nowMs - spanMs, Math.max(freeFromMs + APART_MS, nowMs - 2 * (spanMs + APART_MS)))

/**
 * Events of one act. They repeat themselves for the same request, so that what was judged once is recognised: only ids,
 * sessions and times are new. `shiftMs` is what real time is ahead of the company's own; `freeFrom` says until when an
 * identity was busy. Throws DEMO_UNKNOWN for an act or agent that does not exist or does not fit.
 */
export const playAct = (
  company: GenerateOptions,
  shiftMs: number,
  request: DemoTryRequest,
  nowMs: number,
  nonce: string,
  freeFrom: (identity: string) => number,
): PlayedAct => {
  const act = ACTS.find(({ kind }) => kind === request.attack)
  if (act === undefined) throw new PlumblineError('DEMO_UNKNOWN', `There is no act ${request.attack}.`)
  const identity = whoPlays(company, act, request)
  if (identity === undefined) throw new PlumblineError('DEMO_UNKNOWN', `${request.agent} does not fit ${act.kind}.`)
  const events = actEvents(company, act, identity, request, nowMs - shiftMs)
  const first = timeOf(events[0])
  const last = timeOf(events.at(-1))
  const by = actStart(last - first, freeFrom(identity), nowMs) - first
  return { identity, from: first + by, to: last + by, events: events.map((event) => renamed(event, timeOf(event) + by, nonce)) }
}

/** An attack falls to whom the request names; its twin to somebody who would do such a thing. */
const whoPlays = (company: GenerateOptions, act: Act, { agent, benign }: DemoTryRequest): string | undefined => {
  const fitting = listVictims(company, act.kind, benign)
  if (!benign) return fitting.includes(agent) ? agent : undefined
  const own = act.twinRole === undefined ? fitting : fitting.filter((id) => roleOf(id) === act.twinRole)
  return own.includes(agent) ? agent : (own[0] ?? fitting[0])
}

const actEvents = (company: GenerateOptions, act: Act, identity: string, request: DemoTryRequest, at: number): EventInput[] => {
  const days = Math.max(company.days ?? 15, Math.ceil((at - (company.startTime ?? 0)) / DAY) + 2)
  const spec = {
    kind: act.kind,
    identity,
    subtlety: act.subtlety,
    at,
    ...(act.variant === undefined ? { spread: 'piece' as const } : { variant: act.variant }),
    ...(request.benign ? { twinOnly: true } : { size: Math.max(1, request.size * (act.scale ?? 1)) }),
  }
  const events = generateCases({ ...company, days, twins: false, attacks: [spec] }).map(({ event }) => event)
  if (events.length === 0) throw new PlumblineError('DEMO_UNKNOWN', `${act.kind} gives no events for ${identity}.`)
  return events
}

const timeOf = (event: EventInput | undefined): number => Number(event?.time)

const renamed = (event: EventInput, time: number, nonce: string): EventInput => ({
  ...event,
  id: `${event.id}-${nonce}`,
  time,
  ...(event.session === undefined ? {} : { session: `${event.session}-${nonce}` }),
})
