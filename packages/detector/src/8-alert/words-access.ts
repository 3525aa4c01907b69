import { nameText } from './words-names.ts'
import {
  grantStep,
  isFirst,
  isHabit,
  lastAct,
  objectOf,
  ownAndPeers,
  possessive,
  sensitivityText,
  takeText,
  told,
  usualAmount,
  usualShare,
  type Phrases,
  type Teller,
  type Telling,
} from './words-tools.ts'
import { amountText, inWindow, numberText } from './words-units.ts'

/** Where data was sent, the class may be new although the act is not. */
const touched = (t: Telling): string => (t.act.write && t.facts.destination !== undefined ? `touched ${t.thing}` : t.act.past)

export const sensitiveAccess: Teller = (t) => {
  const { observed } = t.reason
  const total = observed.perMs !== undefined
  return {
    did: total ? `asked for sensitive data ${amountText(observed)}${inWindow(observed)}${lastAct(t)}` : takeText(t),
    never: total ? 'never asked for sensitive data this often' : `never ${touched(t)}`,
    usually: total ? usualAmount(t, 'asked for sensitive data') : usualShare(t, `touched ${t.thing}`),
    why: sensitivityText(t),
    step: grantStep(t),
    quiet: `had this much use of ${t.thing} been usual for ${ownAndPeers(t)}`,
  }
}

const HINTED: Readonly<Record<string, string>> = {
  instruction_likeness: 'the text it read looks like instructions to a model',
  arguments_own: 'what it did it with came from where such arguments hardly ever come from',
}

export const toxicFlow: Teller = (t) => {
  const { observed } = t.reason
  const steps = t.reason.feature === 'session_flow' && observed.unit === 'actions' ? observed.value : 0
  const flow =
    steps >= 3
      ? 'in one session it read text from outside, then sensitive data, then sent data out'
      : steps >= 2
        ? 'in one session it read text from outside and then sensitive data'
        : (HINTED[t.reason.feature] ?? 'what it read before came from outside')
  const untold = steps >= 3 && t.facts.destinationProvenance !== 'user' ? PROVENANCE[t.facts.destinationProvenance ?? ''] : undefined
  const stop = t.facts.session === undefined ? 'stop its running task' : `stop session ${nameText(t.facts.session)}`
  return {
    did: takeText(t),
    never: untold === undefined ? 'never took this course in a session' : 'never sent data where nobody had asked it to',
    usually: undefined,
    why: `${flow}${untold === undefined ? '' : `, and ${untold}`}; such text can carry planted instructions`,
    step: t.act.write && t.facts.destination !== undefined ? `${stop} and block ${nameText(t.facts.destination)}` : stop,
    quiet: 'had no text from outside been read earlier in the session',
  }
}

const manyOutside = (t: Telling): Phrases => ({
  did: `addressed outside destinations ${amountText(t.reason.observed)}${inWindow(t.reason.observed)}${lastAct(t)}`,
  never: 'never addressed outside destinations this often',
  usually: usualAmount(t, 'addressed outside destinations'),
  why: 'data that has left cannot be called back',
  step: `pause ${possessive(t)} sending to outside destinations`,
  quiet: 'had the use of outside destinations been usual',
})

const PROVENANCE: Readonly<Record<string, string>> = {
  tool: 'the destination came out of a tool result, not from the request',
  new: 'the destination was named neither in the request nor in any tool result',
  user: 'the destination was named in the request',
}

export const newDestination: Teller = (t) => {
  const to = t.facts.destination === undefined ? objectOf(t, t.thing) : nameText(t.facts.destination)
  const provenance = t.facts.destinationProvenance
  const used = t.act.write ? `sent data to ${to}` : `used ${to}`
  if (t.reason.observed.perMs !== undefined) return manyOutside(t)
  return {
    did: takeText(t),
    never: `never ${used}`,
    usually: usualShare(t, `used ${to}`),
    why:
      (provenance === undefined ? undefined : PROVENANCE[provenance]) ??
      (isHabit(t.reason) ? 'few others here use this place' : 'data may be going to a place nobody chose'),
    step: `block ${to} for this identity until it is confirmed`,
    quiet: `had this use of ${to} been usual for ${ownAndPeers(t)}`,
  }
}

export const enumeration: Teller = (t) => {
  const { observed } = t.reason
  const several = observed.perMs !== undefined
  return {
    did: several ? `touched at least ${amountText(observed)}${inWindow(observed)}${lastAct(t)}` : takeText(t),
    never: several ? 'never touched this many different ones' : t.group.count > 1 ? 'never touched these' : 'never touched this one',
    usually: several ? usualAmount(t, 'touched') : undefined,
    peers: 'do this',
    why: several
      ? 'going through resources one after the other is how somebody looks for what is worth taking'
      : 'it rarely touches anything new, so a new one has a cause',
    step: grantStep(t),
    quiet: 'had these been the usual resources, and no more of them than usual',
  }
}

const DID_USUAL = 'had what was done in this session been usual here'

const manyFirsts = (t: Telling): Phrases => ({
  did: `used something new to it ${amountText(t.reason.observed)}${t.reason.observed.perMs === undefined ? ' in one session' : inWindow(t.reason.observed)}${lastAct(t)}`,
  never: 'never used so much that was new to it',
  usually: usualAmount(t, 'used something new to it'),
  why: 'many first times at once look like somebody else at work, or a new task nobody announced',
  step: 'read what this session was asked to do, and stop it if nobody asked',
  peers: 'do this',
  quiet: DID_USUAL,
})

const historyText = (t: Telling): string =>
  isHabit(t.reason)
    ? 'few others here use this tool'
    : `a tool it has ${isFirst(t.reason) ? 'no' : 'little'} history with does what nobody has checked`

/** The session as a whole is somebody else's work, where no act of it need be odd. */
const otherRole = (t: Telling): Phrases => {
  const { trigger, observed } = t.reason
  const role = trigger === undefined ? 'another group' : `group ${nameText(trigger)}`
  return {
    did: `acted like ${role} in a session of ${numberText(observed.value)} ${observed.value === 1 ? 'act' : 'acts'}`,
    never: 'never acted like that',
    why: 'its acts and their order fit another role better than its own',
    step: 'look up what it was told to do, and by whom',
    quiet: DID_USUAL,
  }
}

export const newBehaviour: Teller = (t) => {
  if (t.reason.observed.unit === 'times') return manyFirsts(t)
  if (t.reason.feature === 'role_swap') return otherRole(t)
  const action = nameText(t.reason.object ?? t.facts.action, 60)
  const inOrder = t.reason.feature.startsWith('transition') && !isFirst(t.reason)
  return {
    did: told(t, `use ${action} on ${t.thing}`, `used ${action} on ${t.thing}`),
    never: inOrder ? `never used ${action} at such a point of a session` : `never used ${action}`,
    usually: inOrder ? undefined : usualShare(t, `used ${action}`),
    why: inOrder ? 'its acts usually come in another order' : historyText(t),
    step: `pause ${possessive(t)} use of ${action}`,
    quiet: DID_USUAL,
  }
}

export const policy: Teller = (t) => {
  const rule = t.reason.trigger === undefined ? 'the policy' : `rule ${nameText(t.reason.trigger)}`
  return {
    did: takeText(t, ` against ${rule}`),
    never: `never ${touched(t)}`,
    usually: usualShare(t, `touched ${t.thing}`),
    why: t.facts.outcome === 'success' ? 'the rule was broken and nothing stopped it' : 'the rule held, but somebody tried',
    step: grantStep(t),
    quiet: `had ${rule} allowed it`,
  }
}

export const combination: Teller = (t) => ({
  did: takeText(t),
  never: 'never did all of this together',
  usually: undefined,
  why: 'no single part stands out; together they are not how it works',
  step:
    t.facts.session === undefined
      ? 'read its latest events, and pause it if nobody can explain them'
      : `read session ${nameText(t.facts.session)}, and pause it if nobody can explain it`,
  quiet: 'had fewer of these come together',
})
