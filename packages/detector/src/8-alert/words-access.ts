import { nameText } from './words-names.ts'
import {
  atMost,
  grantStep,
  isFirst,
  lastAct,
  objectOf,
  possessive,
  outcomeOf,
  repeats,
  sensitivityText,
  takeText,
  usualTake,
  type Phrases,
  type Teller,
  type Telling,
} from './words-tools.ts'
import { amountText, inWindow, numberText, perWindow } from './words-units.ts'

export const sensitiveAccess: Teller = (t) => ({
  did: takeText(t),
  never: `never ${t.act.past}`,
  usually: usualTake(t),
  why: sensitivityText(t),
  step: grantStep(t),
  quiet: t.reason.typical === undefined ? 'had it done this regularly before' : atMost(t, 'had it done this regularly before'),
})

const HINTED: Readonly<Record<string, string>> = {
  instruction_likeness: 'the text it read looks like instructions to a model',
  arguments_untold: 'what it was told to do it with did not come from the request',
}

/** `sent 20 kB to evil.test (send_email)` where the amount is known. */
const sentAmount = (t: Telling): string | undefined => {
  const { observed } = t.reason
  if (observed.unit !== 'bytes' || !t.act.write || t.facts.destination === undefined) return undefined
  const what = `${amountText(observed)} to ${nameText(t.facts.destination)} (${nameText(t.facts.action, 60)})`
  return outcomeOf(t, `send ${what}`, `sent ${what}`)
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
  const stop = t.facts.session === undefined ? 'stop its running task' : `stop session ${nameText(t.facts.session)}`
  return {
    did: sentAmount(t) ?? takeText(t),
    never: 'never took this course in a session',
    usually: undefined,
    why: `${flow}; such text can carry planted instructions`,
    step: t.act.write && t.facts.destination !== undefined ? `${stop} and block ${nameText(t.facts.destination)}` : stop,
    quiet: 'had no text from outside been read earlier in the session',
  }
}

const manyOutside = (t: Telling): Phrases => ({
  did: `sent data outside ${amountText(t.reason.observed)}${inWindow(t.reason.observed)}${lastAct(t)}`,
  never: 'never sent data outside this often',
  usually:
    t.reason.typical === undefined || t.reason.typical.value <= 0
      ? undefined
      : `usually sent data outside ${amountText(t.reason.typical)}${perWindow(t.reason.typical)}`,
  why: 'data that has left cannot be called back',
  step: `pause ${possessive(t)} sending to outside destinations`,
  quiet: atMost(t, 'had it sent less outside'),
})

const PROVENANCE: Readonly<Record<string, string>> = {
  tool: 'the destination came out of a tool result, not from the request',
  new: 'the destination was named neither in the request nor in any tool result',
  user: 'the destination was named in the request',
}

export const newDestination: Teller = (t) => {
  const to = t.facts.destination === undefined ? objectOf(t, t.thing) : nameText(t.facts.destination)
  const provenance = t.facts.destinationProvenance
  if (t.reason.feature === 'external_day') return manyOutside(t)
  return {
    did: takeText(t),
    never: t.act.write ? `never sent data to ${to}` : `never used ${to}`,
    usually:
      t.reason.typical === undefined || t.reason.typical.value <= 0
        ? undefined
        : `usually used ${amountText(t.reason.typical)}${perWindow(t.reason.typical)}`,
    why: provenance === undefined ? 'data may be going to a place nobody chose' : (PROVENANCE[provenance] ?? ''),
    step: `block ${to} for this identity until it is confirmed`,
    quiet:
      provenance === 'tool' || provenance === 'new'
        ? `had the request named ${to}, or had it been used before`
        : `had ${to} been used before`,
  }
}

const several = (t: Telling): boolean => t.reason.observed.value > 1
const oneText = (t: Telling): string => (t.facts.resource.id === undefined ? '' : ` (${nameText(t.facts.resource.id)})`)

export const enumeration: Teller = (t) => ({
  did: several(t) ? takeText(t) : outcomeOf(t, t.act.base + oneText(t), t.act.past + oneText(t)),
  never: several(t) ? 'never touched this many different ones' : 'never touched this one',
  usually: several(t) ? usualTake(t) : undefined,
  peers: 'do this',
  why: several(t)
    ? `going through ${t.thing} piece by piece is how somebody looks for what is worth taking`
    : 'it rarely touches anything new, so a new one has a cause',
  step: grantStep(t),
  quiet: several(t) ? atMost(t, 'on resources it has used before') : 'on a resource it has used before',
})

export const newBehaviour: Teller = (t) => {
  const action = nameText(t.reason.object ?? t.facts.action, 60)
  const after = t.reason.previous === undefined ? '' : ` right after ${nameText(t.reason.previous, 60)}`
  const many = t.reason.observed.unit === 'actions' && t.reason.observed.value > 1
  const tail = `${after}${repeats(t)}`
  const firsts = `did ${numberText(t.reason.observed.value)} things for the first time${t.reason.observed.perMs === undefined ? ' in one session' : inWindow(t.reason.observed)}${lastAct(t)}`
  return {
    did: many ? firsts : outcomeOf(t, `use ${action} on ${t.thing}${tail}`, `used ${action} on ${t.thing}${tail}`),
    never: many ? 'never started so many new things at once' : after === '' ? `never used ${action}` : `never used ${action}${after}`,
    usually: undefined,
    why: many
      ? 'many first times at once look like somebody else at work, or a new task nobody announced'
      : `a tool it has ${isFirst(t.reason) ? 'no' : 'little'} history with does what nobody has checked`,
    step: many ? 'read what this session was asked to do, and stop it if nobody asked' : `pause ${possessive(t)} use of ${action}`,
    peers: many ? 'do this' : 'do',
    quiet: many ? 'had it started these one at a time' : `had it used ${action}${after} before`,
  }
}

export const policy: Teller = (t) => {
  const rule = t.reason.trigger === undefined ? 'the policy' : `rule ${nameText(t.reason.trigger)}`
  return {
    did: takeText(t, ` against ${rule}`),
    never: `never ${t.act.past}`,
    usually:
      t.reason.typical === undefined || t.reason.typical.value <= 0
        ? undefined
        : `usually ${t.act.past} ${amountText(t.reason.typical)}${perWindow(t.reason.typical)}`,
    why: t.facts.outcome === 'success' ? 'the rule was broken and nothing stopped it' : 'the rule held, but somebody tried',
    step: grantStep(t),
    quiet: `had ${rule} allowed it, or an exception named it`,
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
