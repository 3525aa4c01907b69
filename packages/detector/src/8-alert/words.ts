import type { AlertFacts, AlertText, Reason } from '@plumbline/schemas'
import { actOf, classText, outsideText } from './words-acts.ts'
import { alsoText } from './words-also.ts'
import { asWritten, labelText, nameText, proseText, sentence } from './words-names.ts'
import { TELLERS } from './words-tellers.ts'
import { type AlertGroup, isFirst, type Phrases, personally, possessive, type Telling } from './words-tools.ts'
import { counted, durationText, numberText, timesText } from './words-units.ts'

export type { AlertGroup } from './words-tools.ts'

/**
 * The words of an alert: who did what to what, what is normal, why it matters, how sure, what to do first.
 * Pure: the same facts give the same text. Says only what the facts hold; values from outside cannot pass for our words.
 */
export const wordsOf = (facts: AlertFacts, group: AlertGroup): AlertText => {
  const reason = primaryOf(facts)
  const t = tellingOf(facts, reason, group)
  const phrases = TELLERS[reason.family](t)
  return {
    headline: asWritten(`${whoText(facts)} ${phrases.did}${forWhom(facts, phrases)}`),
    normal: normalText(t, phrases),
    why: whyText(t, phrases),
    certainty: certaintyText(facts, group),
    firstStep: stepText(facts, phrases),
  }
}

/**
 * What would have kept it quiet, in words; undefined where no reason can be taken away by itself.
 * @param enough how many of the reasons, heaviest first, would have had to be usual, as computed; 0 when all are not enough
 */
export const counterfactualOf = (facts: AlertFacts, enough: number): string | undefined => {
  const group = { count: 1, firstSeen: facts.time, lastSeen: facts.time, suppressed: 0, alike: true, bytesOut: 0 }
  const ways = removable(facts.reasons).map((r) => TELLERS[r.family](tellingOf(facts, r, group)).quiet)
  if (ways.length === 0) return undefined
  if (enough === 0) return sentence(`it would have alerted even ${listed(ways)}`)
  const first = enough > 1 ? '; the first of these alone would not have been enough' : ''
  return sentence(`it would have stayed quiet ${listed(ways.slice(0, enough))}${first}`)
}

/** The reasons that can be thought away: a mixture has no features of its own. */
export const removable = (reasons: readonly Reason[]): readonly Reason[] => reasons.filter((r) => r.family !== 'combination')

const listed = (parts: readonly string[]): string =>
  parts.length <= 1 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`

/** The whole text as one paragraph, as it goes to a terminal or a chat. */
export const paragraphOf = (text: AlertText): string => {
  const step = `First: ${text.firstStep.slice(0, 1).toLowerCase()}${text.firstStep.slice(1)}`
  return [text.headline, text.normal, text.why, text.certainty, step].filter((s) => s !== '').join(' ')
}

const primaryOf = (facts: AlertFacts): Reason => {
  const reason = facts.reasons[0]
  if (reason === undefined) throw new RangeError('alert facts without a reason')
  return reason
}

const tellingOf = (facts: AlertFacts, reason: Reason, group: AlertGroup): Telling => ({
  facts,
  reason,
  group,
  act: actOf(facts),
  thing: classText(facts.resource.class),
})

const KINDS: Readonly<Record<string, string>> = { agent: 'agent', user: 'person', service: 'service' }

const whoText = (facts: AlertFacts): string => {
  const { identity } = facts
  const owner = identity.owner === undefined ? 'owner unknown' : `owner ${labelText(identity.owner)}`
  const parts = identity.kind === 'user' && identity.owner === undefined ? [KINDS[identity.kind]] : [KINDS[identity.kind], owner]
  return `${nameText(identity.id)} (${parts.join(', ')})`
}

const forWhom = (facts: AlertFacts, phrases: Phrases): string => {
  if (facts.onBehalfOf === undefined) return ''
  const whom = nameText(facts.onBehalfOf, 80, 2)
  return phrases.did.includes(` acting for ${whom}`) ? '' : `, on behalf of ${whom}`
}

/** `none of its 11 peers do`; undefined when nothing is known about peers. */
const peersText = (t: Telling, how: 'do' | 'do this'): string | undefined => {
  const { peers } = t.reason
  if (peers === undefined) return undefined
  const { count, doing } = peers
  const its = possessive(t)
  const rest = how === 'do this' ? ' this' : ''
  if (count <= 0) return 'no peers are known'
  if (count === 1) return `${its} only peer normally ${doing > 0 ? `does${rest}` : `does not${how === 'do this' ? ' do this' : ''}`}`
  const share = doing <= 0 ? 'none' : doing >= count ? 'all' : numberText(doing)
  return `${share} of ${its} ${numberText(count)} peers normally ${doing === 1 ? 'does' : 'do'}${rest}`
}

const DAY_MS = 86_400_000

const normalText = (t: Telling, phrases: Phrases): string => {
  const { baseline } = t.facts
  const { observed, typical } = t.reason
  const times = typical === undefined ? undefined : timesText(observed, typical)
  const subject = personally(t) ? 'they' : 'it'
  const past = (verb: string) => `${subject} ${personally(t) ? verb.replace(/^was /, 'were ') : verb}`
  // Of a group that did several things, an earlier event may have done the same.
  const rarely = isFirst(t.reason) && t.group.alike ? phrases.never : phrases.never.replace('never', 'hardly ever')
  const compared = times === undefined ? '' : `; this is ${times} that`
  const habit = phrases.usually === undefined ? past(rarely) : `${past(phrases.usually)}${compared}`
  const peers = peersText(t, phrases.usually !== undefined ? 'do this' : (phrases.peers ?? 'do'))
  const tail = peers === undefined ? '' : `; ${peers}`
  if (baseline.days <= 0 || baseline.events <= 0)
    return sentence(
      `seen for the first time just now, so nothing is known of ${possessive(t)} own habits${tail === '' ? groupTail(t.facts) : tail}`,
    )
  if (baseline.days < 2) {
    const known = `known for ${durationText(baseline.days * DAY_MS)} only (${counted(baseline.events, 'event')})`
    return sentence(`${known}${comparedWith(t.facts)}; in that time ${habit}${tail}`)
  }
  return sentence(`in ${counted(Math.floor(baseline.days + 0.5), 'day')} ${habit}${tail}`)
}

const groupTail = (facts: AlertFacts): string => (facts.baseline.peers > 0 ? comparedWith(facts) : ', and no peers are known')

const comparedWith = (facts: AlertFacts): string => {
  const { peers, peerGroup } = facts.baseline
  if (peers <= 0) return ', with no peers to compare with'
  return `, so compared with ${facts.identity.kind === 'user' ? 'their' : 'its'} ${counted(peers, 'peer')}${peerGroup === undefined ? '' : ` in group ${nameText(peerGroup)}`}`
}

/** Reasons whose own words already say what came before and when, or whose trigger is a rule. */
const SAID_ELSEWHERE: ReadonlySet<string> = new Set(['probing', 'policy'])

const whyText = (t: Telling, phrases: Phrases): string => {
  const { facts } = t
  const said: string[] = []
  const began = facts.reasons.find((r) => r.sinceMs !== undefined && r.trigger !== undefined && !SAID_ELSEWHERE.has(r.family))
  if (began?.sinceMs !== undefined && began.trigger !== undefined) {
    const what = `reading ${outsideText(began.trigger)}`
    // What set it off may have come after the group began: then it is told of the latest event, which it is measured from.
    const startMs = began.sinceMs - (facts.time - t.group.firstSeen)
    said.push(
      startMs >= 0 ? `began ${durationText(startMs)} after ${what}` : `the latest came ${durationText(began.sinceMs)} after ${what}`,
    )
  }
  said.push(phrases.why)
  const purpose = proseText(facts.identity.purpose ?? '')
  if (purpose !== '') said.push(`its stated purpose: ${purpose}`)
  if (facts.identity.criticality >= 3) said.push('this identity is rated highly critical')
  const also = alsoText(facts, t.reason)
  if (also !== '') said.push(also)
  if (facts.change !== undefined) said.push(changeText(facts.change))
  if (facts.announced !== undefined) said.push(announcedText(facts.announced))
  return said.map(sentence).join(' ')
}

const changeText = ({ version, sinceMs }: NonNullable<AlertFacts['change']>): string => {
  const parts = Object.entries(version).flatMap(([part, name]) => (name === undefined ? [] : [`${part} ${nameText(name)}`]))
  const when = sinceMs < 1000 ? 'with this act' : `${durationText(sinceMs)} before`
  return `this follows a change of version ${when}: now ${parts.join(', ')}`
}

/** What was announced explains the rest: said, so that nobody takes what is left for a part of it. */
const announcedText = ({ id, what, reason, ticket, by }: NonNullable<AlertFacts['announced']>): string => {
  const parts = Object.entries(what).flatMap(([part, name]) =>
    name === undefined ? [] : name === '*' ? part : `${part} ${nameText(name)}`,
  )
  const where = ticket === undefined ? '' : `, ${labelText(ticket)}`
  return `announced change ${nameText(id)} (${listed(parts)}) by ${labelText(by)}${where} is under way (${proseText(reason)}): what it explains is not counted here`
}

const HIDDEN: Readonly<Record<AlertFacts['notVisible'][number], string>> = {
  arguments: 'tool arguments',
  sizes: 'amounts of data',
  source: 'where it came from',
  session: 'which session it was',
  destination: 'where data went',
  provenance: 'who named the destination',
  version: 'which version ran',
  content: 'what the text said',
}

const certaintyText = (facts: AlertFacts, group: AlertGroup): string => {
  const { baseline, identity, tailProbability } = facts
  const said: string[] = []
  const rarity = rarityText(tailProbability)
  if (rarity !== '') said.push(rarity)
  if (!baseline.modelled) said.push('no trained model yet: judged by statistics alone')
  if (baseline.maturity < 0.3 && baseline.days >= 2)
    said.push(`less sure than usual: only ${counted(Math.floor(baseline.events + 0.5), 'event')} of it known so far`)
  said.push(attestedText(identity.attested))
  if (facts.notVisible.length > 0) said.push(`not visible: ${facts.notVisible.map((x) => HIDDEN[x]).join(', ')}`)
  if (group.adopting === true)
    said.push(
      `this has gone on for ${durationText(group.lastSeen - group.firstSeen)} without a verdict, so from here on it is learned as normal, slowly; confirm the alert to stop that`,
    )
  if (group.suppressed > 0)
    said.push(
      `${counted(group.suppressed, 'more event')} of this kind ${group.suppressed === 1 ? 'is' : 'are'} counted here and not shown one by one`,
    )
  return said.map(sentence).join(' ')
}

/** `about 1 in 100,000 normal events looks this unusual`. */
const rarityText = (p: number): string => {
  if (!(p > 0) || p > 1) return ''
  if (p > 0.02) return 'raised by what was done, not by how rare it is'
  const one = 1 / p
  if (one >= 1e8) return 'fewer than 1 in 100 million normal events look this unusual'
  let step = 1
  while (one / step >= 20) step *= 10
  const rounded = Math.floor(one / step + 0.5) * step
  return `about 1 in ${rounded >= 1e6 ? `${numberText(rounded / 1e6)} million` : numberText(rounded)} normal events looks this unusual`
}

const attestedText = (attested: string | undefined): string => {
  if (attested === undefined) return 'identity only claimed by the sender'
  if (/^relay/i.test(attested)) return `identity ${labelText(attested)}, not proven here`
  return `identity proven by ${labelText(attested)}`
}

const stepText = (facts: AlertFacts, phrases: Phrases): string => {
  const { owner, contact, runbook, kind } = facts.identity
  const reach = contact === undefined ? '' : ` (${labelText(contact)})`
  const asked =
    owner !== undefined
      ? `then ask ${labelText(owner)}${reach}`
      : contact !== undefined
        ? `then ask ${labelText(contact)}`
        : kind === 'user'
          ? ''
          : 'then find who owns it: no owner is on record'
  const steps = [sentence(phrases.step), sentence(asked)]
  if (runbook !== undefined) steps.push(sentence(`runbook: ${labelText(runbook, 200)}`))
  return steps.filter((s) => s !== '').join(' ')
}
