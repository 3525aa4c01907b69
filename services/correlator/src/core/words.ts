import type { Incident, Technique } from '@plumbline/schemas'
import type { Crowd } from './common.ts'
import type { Chain } from './flow.ts'

type Text = Incident['text']
type Causes = Pick<Incident, 'cause' | 'also'>

const atlas = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATLAS' })
const attack = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATT&CK' })
const owasp = (uid: string, name: string): Technique => ({ uid, name, framework: 'OWASP' })

/** What each kind is consistent with. */
export const TECHNIQUES = {
  split_flow: [
    atlas('AML.T0051.001', 'LLM Prompt Injection: Indirect'),
    atlas('AML.T0086', 'Exfiltration via AI Agent Tool Invocation'),
    attack('T1567', 'Exfiltration Over Web Service'),
    owasp('ASI01', 'Agent Goal Hijack'),
  ],
  shared_source: [
    attack('T1078', 'Valid Accounts'),
    attack('T1550', 'Use Alternate Authentication Material'),
    owasp('ASI03', 'Identity and Privilege Abuse'),
  ],
  common_cause: [
    attack('T1195', 'Supply Chain Compromise'),
    owasp('ASI04', 'Agentic Supply Chain Vulnerabilities'),
    owasp('ASI08', 'Cascading Failures'),
  ],
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
const MOST_CHARS = 80
/** Names are data: a long one must not push out the rest of the sentence. */
const short = (name: string): string => (name.length <= MOST_CHARS ? name : `${name.slice(0, MOST_CHARS - 1)}…`)
const named = ({ kind, value }: Incident['cause']): string => `${NAMES[kind]} ${short(value)}`
/** The first few of them by name. */
const MOST_NAMED = 5
const list = (items: readonly string[]): string => {
  const shown = items.length > MOST_NAMED ? [...items.slice(0, MOST_NAMED - 1), `${items.length - MOST_NAMED + 1} others`] : items
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}
const people = (count: number): string => `${count} ${count === 1 ? 'identity' : 'identities'}`

const span = (ms: number): string => {
  const minutes = Math.max(1, Math.round(ms / 60_000))
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

export const flowText = ({ steps }: Chain, cause: Incident['cause'], untold: boolean): Text => {
  const [untrusted, sensitive, write] = steps
  const of = (object: string): string => (object === '' ? '' : ` (${short(object)})`)
  const [reader, insider, sender, place] = [untrusted.identity, sensitive.identity, write.identity, write.object].map(short)
  const joined = cause.kind === 'root' ? 'one task' : `what ${short(cause.value)} gave out`
  const unasked = untold ? 'The request did not name the destination' : 'Nobody here sent data to that destination before'
  return {
    headline: `In ${joined}, ${reader} read text from outside${of(untrusted.object)}, ${insider} read sensitive data${of(sensitive.object)}, and ${sender} sent data to ${place}.`,
    why: `No single step is alarming; together they are what a planted instruction does when agents hand work on. ${unasked}, and it took ${span(write.time - untrusted.time)} from the first step to the last.`,
    firstStep: `Stop the task and block ${place}; then look at what ${reader} read.`,
  }
}

export const sourceText = (source: string, owner: string, guests: readonly string[]): Text => {
  const names = list(guests.map(short))
  const [were, credentials] = guests.length === 1 ? ['was', 'its credential'] : ['were', 'their credentials']
  return {
    headline: `${names} ${were} used from ${source}, which only ${short(owner)} used until now.`,
    why: 'A source that belongs to one identity and suddenly speaks for another one is what it looks like when somebody has its credential.',
    firstStep: `Ask whether ${short(owner)} may act as ${names}; if nobody knows of it, renew ${credentials}.`,
  }
}

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
