import { type AttackKind, DAY, type GenerateOptions, generateCases, listCases, listVictims, type Subtlety } from '@plumbline/generator'
import { type DemoOptions, type DemoTryRequest, type EventInput, PlumblineError } from '@plumbline/schemas'

interface Act {
  readonly kind: AttackKind
  readonly name: string
  readonly story: string
  readonly benign: string
  readonly variant?: 'flow'
  readonly subtlety: Subtlety
}

/** What can be tried, in the order it is offered. */
const ACTS: readonly Act[] = [
  {
    kind: 'hr_access',
    name: 'Reads HR records',
    story: 'A support agent starts to read HR records that have nothing to do with its tickets.',
    benign: 'An agent of the HR or help desk reads HR records for an onboarding case, as it often does.',
    subtlety: 3,
  },
  {
    kind: 'exfil_overnight',
    name: 'Sends gigabytes out',
    story: 'A research assistant sends far more data out than it ever did.',
    benign: 'The nightly backup, or an assistant known for large exports, moves its usual archives.',
    subtlety: 3,
  },
  {
    kind: 'hijack',
    name: 'Follows a planted instruction',
    story: 'An agent reads text from outside, then reads something sensitive and sends it to an address that stood in that text.',
    benign: 'The user names a new recipient, and the agent writes to it.',
    variant: 'flow',
    subtlety: 2,
  },
  {
    kind: 'burst',
    name: 'Bursts out of a constant rate',
    story: 'A service that always makes the same few calls a minute suddenly makes very many.',
    benign: 'A crawler whose pace goes up and down anyway has a busy hour.',
    subtlety: 3,
  },
  {
    kind: 'impossible_travel',
    name: 'Is in two countries at once',
    story: 'A person works from home and, minutes later, from another continent.',
    benign: 'A person who often uses a VPN appears behind an exit abroad.',
    subtlety: 3,
  },
  {
    kind: 'lateral_movement',
    name: 'Moves into other segments',
    story: 'An identity that works in one network segment reaches into several others.',
    benign: 'The security scanner visits hosts in every segment, as it does every day.',
    subtlety: 3,
  },
]

const SIZES: DemoOptions['sizes'] = [
  { value: 2, label: '2 times the usual' },
  { value: 10, label: '10 times the usual' },
  { value: 50, label: '50 times the usual' },
  { value: 200, label: '200 times the usual' },
]

const roleOf = (id: string): string => (/^[a-z-]+-\d+$/.test(id) ? id.replace(/-\d+$/, '').replaceAll('-', ' ') : 'person')

/** Everything there is to choose from in a demo company. */
export const demoOptions = (company: GenerateOptions): DemoOptions => {
  // Who had a case of its own in the replayed days comes last: a second act of the kind joins that alert.
  const used = new Set(listCases(company).flatMap((each) => (each.twin ? [] : each.identities)))
  const kinds = new Map<string, 'agent' | 'user' | 'service'>()
  const attacks = ACTS.map((act) => {
    const agents = listVictims(company, act.kind).sort((a, b) => Number(used.has(a)) - Number(used.has(b)))
    for (const id of agents) kinds.set(id, roleOf(id) === 'person' ? 'user' : 'agent')
    return { id: act.kind, name: act.name, story: act.story, benign: act.benign, agents }
  }).filter((attack) => attack.agents.length > 0)
  const agents = [...kinds].map(([id, kind]) => ({ id, kind, role: roleOf(id) }))
  return { agents, attacks, sizes: SIZES }
}

export interface PlayedAct {
  readonly identity: string
  readonly events: readonly EventInput[]
}


/**
 * Events of one act that ends at `nowMs`. `shiftMs` is what real time is ahead of the company's own.
 * Throws DEMO_UNKNOWN for an act or agent that does not exist or does not fit.
 */
export const playAct = (company: GenerateOptions, shiftMs: number, request: DemoTryRequest, nowMs: number, nonce: string): PlayedAct => {
  const act = ACTS.find(({ kind }) => kind === request.attack)
  if (act === undefined) throw new PlumblineError('DEMO_UNKNOWN', `There is no act ${request.attack}.`)
  const worldNow = nowMs - shiftMs
  const start = company.startTime ?? 0
  const days = Math.max(company.days ?? 15, Math.ceil((worldNow - start) / DAY) + 2)
  const fitting = listVictims(company, act.kind, request.benign)
  const identity = fitting.includes(request.agent) ? request.agent : request.benign ? fitting[0] : undefined
  if (identity === undefined) throw new PlumblineError('DEMO_UNKNOWN', `${request.agent} does not fit ${act.kind}.`)
  const cases = generateCases({
    ...company,
    days,
    twins: false,
    attacks: [
      {
        kind: act.kind,
        identity,
        subtlety: act.subtlety,
        at: worldNow,
        ...(act.variant === undefined ? { spread: 'piece' } : { variant: act.variant }),
        ...(request.benign ? { twinOnly: true } : { size: request.size }),
      },
    ],
  })
  const last = cases.at(-1)?.event.time
  if (typeof last !== 'number') throw new PlumblineError('DEMO_UNKNOWN', `${act.kind} gives no events for ${identity}.`)
  return { identity, events: cases.map(({ event }) => renamed(event, (event.time as number) + nowMs - last, nonce)) }
}

const renamed = (event: EventInput, time: number, nonce: string): EventInput => ({
  ...event,
  id: `${event.id}-${nonce}`,
  time,
  ...(event.session === undefined ? {} : { session: `${event.session}-${nonce}` }),
})
