import type { Incident, Technique } from '@plumbline/schemas'
import type { Crowd } from './common.ts'
import type { Chain } from './flow.ts'

type Text = Incident['text']
type Causes = Pick<Incident, 'cause' | 'also'>

const atlas = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATLAS' })
const attack = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATT&CK' })

/** What each kind is consistent with. */
export const TECHNIQUES = {
  split_flow: [
    atlas('AML.T0051.001', 'LLM Prompt Injection: Indirect'),
    atlas('AML.T0086', 'Exfiltration via AI Agent Tool Invocation'),
    attack('T1567', 'Exfiltration Over Web Service'),
  ],
  shared_source: [attack('T1078', 'Valid Accounts'), attack('T1550', 'Use Alternate Authentication Material')],
  common_cause: [attack('T1195', 'Supply Chain Compromise')],
} as const satisfies Readonly<Record<Incident['kind'], readonly Technique[]>>

const NAMES: Readonly<Record<Incident['cause']['kind'], string>> = {
  root: 'task',
  delegator: 'delegator',
  source: 'source',
  document: 'document',
  destination: 'destination',
  tool: 'tool',
  model: 'model',
  release: 'release',
}
const named = ({ kind, value }: Incident['cause']): string => `${NAMES[kind]} ${value}`
const list = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
const people = (count: number): string => `${count} ${count === 1 ? 'identity' : 'identities'}`

const span = (ms: number): string => {
  const minutes = Math.max(1, Math.round(ms / 60_000))
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

export const flowText = ({ steps }: Chain, cause: Incident['cause'], untold: boolean): Text => {
  const [untrusted, sensitive, write] = steps
  const source = untrusted.object === '' ? '' : ` (${untrusted.object})`
  const what = sensitive.object === '' ? '' : ` (${sensitive.object})`
  const joined = cause.kind === 'root' ? 'one task' : `what ${cause.value} gave out`
  return {
    headline: `In ${joined}, ${untrusted.identity} read text from outside${source}, ${sensitive.identity} read sensitive data${what}, and ${write.identity} sent data to ${write.object}.`,
    why: `No single step is alarming; together they are what a planted instruction does when agents hand work on. ${
      untold ? 'The request did not name the destination' : 'Nobody here sent data to that destination before'
    }, and it took ${span(write.time - untrusted.time)} from the first step to the last.`,
    firstStep: `Stop the task and block ${write.object}; then look at what ${untrusted.identity} read.`,
  }
}

export const sourceText = (source: string, owner: string, guests: readonly string[]): Text => ({
  headline: `${list(guests)} ${guests.length === 1 ? 'was' : 'were'} used from ${source}, which only ${owner} used until now.`,
  why: `A source that belongs to one identity and suddenly speaks for another one is what it looks like when somebody has its credential.`,
  firstStep: `Ask whether ${owner} may act as ${list(guests)}; if nobody knows of it, renew ${guests.length === 1 ? 'its credential' : 'their credentials'}.`,
})

export const crowdText = ({ cause, also }: Causes, crowd: Crowd, spanMs: number): Text => {
  const others = also.map(named)
  const common = others.length === 0 ? '' : ` They also share ${list(others)}.`
  const usual = crowd.usual < 0.1 ? 'hardly ever one' : `about ${Math.round(crowd.usual * 10) / 10}`
  const what = crowd.deploy ? 'A deploy may explain it. ' : crowd.newPlace ? 'Nobody here sent data there before. ' : ''
  const first = crowd.deploy ? `Look at what changed in the deploy` : `Stop the use of ${named(cause)}`
  return {
    headline: `${people(crowd.identities)} departed from their usual behaviour within ${span(spanMs)} with ${named(cause)} in common.`,
    why: `${what}Usually ${usual} does in as long a time.${common} One cause explains this better than that many.`,
    firstStep: `${first}; the alerts of the identities are its details.`,
  }
}
