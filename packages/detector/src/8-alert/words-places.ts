import { nameText } from './words-names.ts'
import {
  isFirst,
  lastAct,
  objectOf,
  ownAndPeers,
  personally,
  type Phrases,
  possessive,
  takeText,
  type Teller,
  type Telling,
  told,
} from './words-tools.ts'
import { amountText, clockInSentence, durationText, inWindow, perWindow } from './words-units.ts'

export const offHours: Teller = (t) => ({
  did: takeText(t, `${t.group.alike && t.group.count > 1 ? ', last' : ''} on ${clockInSentence(t.facts.time)}`),
  never: 'was never active at this hour of the week',
  usually: undefined,
  why: 'misuse prefers hours when nobody looks',
  step: personally(t) ? 'ask them by another channel whether this was them' : 'check whether work was planned for this hour',
  quiet: `had this been a usual hour for ${ownAndPeers(t)}`,
})

const SOURCE_KIND: Readonly<Record<string, string>> = { country_own: 'country', user_agent_own: 'program', source_own: 'network' }

/** What kind of source the object names: by its look where it has one. */
const sourceKind = (t: Telling): string => {
  const { object, feature } = t.reason
  if (object !== undefined && /^[A-Z]{2}$/.test(object)) return 'country'
  if (object !== undefined && /^[0-9.]{7,15}$|^[0-9a-f]*:[0-9a-f:.]*$/i.test(object)) return 'address'
  return SOURCE_KIND[feature] ?? 'source'
}

export const source: Teller = (t) => {
  const kind = sourceKind(t)
  const named = t.reason.object === undefined ? `another ${kind}` : `${kind} ${nameText(t.reason.object)}`
  const before = t.reason.previous === undefined ? '' : `, last seen from ${nameText(t.reason.previous)}`
  return {
    did: takeText(t, ` from ${named}${before}`),
    never: `never came from ${t.reason.object === undefined ? `this ${kind}` : named}`,
    usually: undefined,
    why: 'a stolen credential shows first in where it is used from',
    step: personally(t)
      ? `ask them whether ${named} is theirs; if not, end their sessions`
      : `check whether ${named} is its own; if not, renew its credential`,
    quiet: 'had it come from a network, country and program it usually comes from',
  }
}

export const travel: Teller = (t) => {
  const to = objectOf(t, 'another country')
  const from = t.reason.previous === undefined ? 'its last place' : nameText(t.reason.previous)
  const since = t.reason.sinceMs === undefined ? '' : `, ${durationText(t.reason.sinceMs)} after acting from ${from}`
  const speed = t.reason.observed.unit === 'km/h' && t.reason.observed.value > 0 ? `: that would take ${amountText(t.reason.observed)}` : ''
  return {
    did: takeText(t, ` from ${to}${since === '' ? `, last seen in ${from}` : since}${speed}`),
    never: `never moved this fast between countries`,
    usually: undefined,
    why: 'one holder cannot be in both places; a second one, or a new VPN, can',
    step: personally(t) ? 'end their sessions and have them sign in again' : 'renew its credential and end its sessions',
    quiet: `had there been time to get there from ${from}`,
  }
}

export const sharedCredential: Teller = (t) => {
  const quiet = 'had the networks it came from, and whom it acted for, been usual'
  if (t.reason.observed.unit === 'sources') {
    const networks = `${amountText(t.reason.observed)}${inWindow(t.reason.observed)}`
    return {
      did: `was used from at least ${networks}${lastAct(t)}`,
      never: 'was never used from so many networks at once',
      usually:
        t.reason.typical === undefined ? undefined : `was usually used from ${amountText(t.reason.typical)}${perWindow(t.reason.typical)}`,
      why: 'a credential in several hands belongs to nobody',
      step: 'renew its credential and find who else holds it',
      quiet,
    }
  }
  const whom = t.facts.onBehalfOf === undefined ? objectOf(t, 'somebody else') : nameText(t.facts.onBehalfOf, 80, 2)
  return {
    did: takeText(t, ` acting for ${whom}`),
    never: `never acted for ${whom}`,
    usually: undefined,
    why: 'whose authority is used decides what may be done; this one is new here',
    step: `ask ${whom} whether they gave this task`,
    quiet,
  }
}

export const lateralMovement: Teller = (t) => {
  const to = objectOf(t, t.thing)
  const from = t.reason.previous === undefined ? '' : `from segment ${nameText(t.reason.previous)} `
  return {
    did: told(t, `reach ${from}into segment ${to} to ${t.act.base}`, `reached ${from}into segment ${to} and ${t.act.past}`),
    never: `never went ${from}into segment ${to}`,
    usually: undefined,
    why: 'crossing segments is how an intruder gets from where they came in to what they want',
    step: `block its way ${from}into segment ${to}`,
    quiet: `had it stayed within ${possessive(t)} usual segments`,
  }
}

/** Where changes are announced, one that nobody announced is news whatever was done under it. */
const unannounced = (t: Telling, parts: readonly string[]): Phrases => {
  const { object } = t.reason
  const what = `${parts.slice(0, -1).join(', ')}${parts.length > 1 ? ' and ' : ''}${parts.at(-1)}`
  const now = object === undefined ? '' : ` (now ${nameText(object)})`
  return {
    did: `changed its ${what}${now} without an announcement and ${takeText(t)}`,
    never: 'never ran this version',
    usually: undefined,
    why: 'changes are announced here and this one was not: a tool, prompt or model that somebody exchanged does what they want',
    step: 'compare with the record of deploys, and go back if nobody planned it',
    quiet: 'had this change been announced',
  }
}

export const versionChange: Teller = (t) => {
  const { object } = t.reason
  const parts = t.facts.change?.unannounced
  if (parts !== undefined && t.reason === t.facts.reasons[0]) return unannounced(t, parts)
  const now = object === undefined ? 'a version not seen before' : nameText(object)
  return {
    did: isFirst(t.reason) ? `changed to ${now} and ${takeText(t)}` : takeText(t),
    never: `never ran ${object === undefined ? 'this version' : now}`,
    usually: undefined,
    why: 'a changed model, prompt or tool can change what it does without anybody deciding so',
    step: 'compare with the record of deploys, and go back if nobody planned it',
    quiet: 'had this version been seen before',
  }
}
