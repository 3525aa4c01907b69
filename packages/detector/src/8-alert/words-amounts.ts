import type { Quantity } from '@plumbline/schemas'
import { nameText } from './words-names.ts'
import {
  grantStep,
  lastAct,
  latest,
  likeUsual,
  outcomeOf,
  possessive,
  takeText,
  type Phrases,
  type Teller,
  type Telling,
  told,
  usualAmount,
} from './words-tools.ts'
import { amountText, bytesText, durationText, inWindow, numberText, perWindow } from './words-units.ts'

/** What moves: tokens, bytes out or bytes in. */
const DIRECTIONS = {
  tokens: { base: 'use', past: 'used', why: 'a loop or a hijacked task costs money and hides other work' },
  out: { base: 'send', past: 'sent', why: 'data that has left cannot be called back' },
  in: { base: 'read', past: 'read', why: 'much read at once is how data is gathered before it leaves' },
} as const
type Direction = keyof typeof DIRECTIONS

const directionOf = (t: Telling): Direction => {
  const { feature, observed } = t.reason
  if (observed.unit === 'tokens' || feature.startsWith('tokens')) return 'tokens'
  return feature.startsWith('bytes_out') || (!feature.startsWith('bytes_in') && t.act.write) ? 'out' : 'in'
}

const placeOf = (t: Telling, direction: Direction): string => {
  if (direction === 'out') return t.facts.destination === undefined ? '' : ` to ${nameText(t.facts.destination)}`
  return direction === 'in' ? ` of ${t.thing}` : ''
}

/** `sent 4.1 GB in 24 h, the last 30 MB of it to drop.evil.test`: a total is of everything, only its last part has a place. */
const totalText = (t: Telling, direction: Direction): string => {
  const { observed, part } = t.reason
  const all = `${amountText(observed)}${inWindow(observed)}`
  const place = placeOf(t, direction)
  if (part === undefined || place === '') return `${all}${lastAct(t)}`
  return part.value >= observed.value
    ? `${amountText(observed)}${place}${inWindow(observed)}`
    : `${all}, the last ${amountText(part)} of it${direction === 'in' ? ` from ${t.thing}` : place}`
}

/** `30 MB to drop.evil.test in one go`, and what the group sent there before. */
const singleText = (t: Telling, direction: Direction): string => {
  const { group } = t
  const one = `${amountText(t.reason.observed)}${placeOf(t, direction)} in one go`
  if (!group.alike || group.count <= 1) return one + latest(t)
  const all = direction === 'out' && group.bytesOut > 0 ? `${bytesText(group.bytesOut)} ` : ''
  return `${one}, ${all}in ${numberText(group.count)} such acts in ${durationText(Math.abs(group.lastSeen - group.firstSeen))}`
}

export const volume: Teller = (t) => {
  const { observed } = t.reason
  const direction = directionOf(t)
  const { base, past, why } = DIRECTIONS[direction]
  const known = observed.unit === 'bytes' || observed.unit === 'tokens'
  const total = observed.perMs !== undefined
  const text = total ? totalText(t, direction) : singleText(t, direction)
  return {
    did: known ? outcomeOf(t, `${base} ${text}`, `${past} ${text}`) : takeText(t),
    never: `never ${past} this much${total ? '' : ' at once'}`,
    usually: usualAmount(t, past),
    why,
    step:
      direction === 'tokens'
        ? 'cap its tokens and look for a loop'
        : direction === 'out'
          ? `pause ${possessive(t)} sending${placeOf(t, 'out')}`
          : grantStep(t),
    quiet: `had the amounts been usual${likeUsual(t)}`,
  }
}

const RATE = {
  why: 'a loop, a script or a stolen credential works like this',
  step: 'throttle it, then look for a loop or a second user of its credential',
  usually: undefined,
}

const PACE_USUAL = 'had the pace and the length of the session been usual'

/** Of one act: how soon after the last, or how long it took. */
const paced = (t: Telling, observed: Quantity): Phrases => {
  const gap = t.reason.feature === 'gap_own'
  const how = gap ? ` only ${amountText(observed)} after its last act` : ` for ${amountText(observed)}`
  const text = outcomeOf(t, `${t.act.base}${how}`, `${t.act.past}${how}`) + latest(t)
  return gap
    ? { ...RATE, did: text, never: 'never acted this fast', quiet: PACE_USUAL }
    : {
        ...RATE,
        did: text,
        never: 'never took this long',
        why: 'an act that takes this long does more than it used to',
        quiet: PACE_USUAL,
      }
}

export const rate: Teller = (t) => {
  const { observed, typical } = t.reason
  if (observed.unit === 'ms') return paced(t, observed)
  if (observed.perMs === undefined)
    return {
      ...RATE,
      did: `made ${numberText(observed.value)} calls in one session${lastAct(t)}`,
      never: 'never had a session this long',
      usually: typical === undefined ? undefined : `usually made ${numberText(typical.value)} calls in a session`,
      quiet: PACE_USUAL,
    }
  return {
    ...RATE,
    did: `acted ${amountText(observed)}${inWindow(observed)}${lastAct(t)}`,
    never: 'never acted this often',
    usually: usualAmount(t, 'acted'),
    quiet: `${PACE_USUAL}${likeUsual(t)}`,
  }
}

const back = (t: Telling): Phrases => ({
  did: takeText(t, ` after ${amountText(t.reason.observed)} of silence`),
  never: 'was never silent this long',
  usually: undefined,
  why: 'forgotten identities are taken over because nobody misses them',
  step: 'disable it unless somebody can say why it came back',
  quiet: 'had it been in use all along',
})

/** Hours in a row, each a little above what is usual at its time of day. */
const shifted = (t: Telling): Phrases => {
  const { observed, typical } = t.reason
  return {
    did: `has shifted to sending ${amountText(observed)}${perWindow(observed)}${lastAct(t)}`,
    never: 'never sent this much hour after hour',
    usually: typical === undefined ? undefined : `usually sent ${amountText(typical)}${perWindow(typical)} at this time of day`,
    why: 'no hour of it needs to be much by itself; that they follow each other is',
    step: 'ask what it began to send, and set a limit if nobody knows',
    quiet: 'had its hours stayed at their usual level',
  }
}

export const drift: Teller = (t) => {
  const { observed, typical } = t.reason
  if (observed.unit === 'ms') return back(t)
  if (observed.unit === 'bytes' && observed.perMs === 3_600_000) return shifted(t)
  const bytes = observed.unit === 'bytes'
  const did = bytes ? 'sent' : 'acted'
  const usual = typical === undefined ? undefined : `usually ${did} ${amountText(typical)}${perWindow(typical)} over the long run`
  const quiet = 'had nothing changed over the long run'
  if (observed.perMs === undefined || observed.value <= (typical?.value ?? 0))
    return {
      did: takeText(t),
      never: `never ${did} like this over the long run`,
      usually: usual,
      why: 'a change over the long run stays under every daily limit',
      step: 'ask what changed in what it is used for',
      quiet,
    }
  return {
    did: `has grown to ${bytes ? 'sending ' : 'acting '}${amountText(observed)}${perWindow(observed)}${lastAct(t)}`,
    never: `never ${did} this much over the long run`,
    usually: usual,
    why: 'held against the long run, which one day does not move: growth in small steps cannot hide there',
    step: 'ask whether this growth is intended, and set a limit if not',
    quiet,
  }
}

const letIn = (t: Telling): Phrases => ({
  did: told(
    t,
    t.act.base,
    t.act.past,
    `${t.reason.sinceMs === undefined ? '' : ` ${durationText(t.reason.sinceMs)}`} after being denied it`,
  ),
  never: 'was never denied and then let in like this',
  usually: undefined,
  why: 'somebody tried until a way in was found',
  step: `close the way in: ${grantStep(t)}`,
  quiet: 'had it not been denied before',
})

export const probing: Teller = (t) => {
  const { feature, observed } = t.reason
  if (feature === 'denied_then_allowed') return letIn(t)
  const quiet = `had ${possessive(t)} acts ended as they usually do`
  if (observed.perMs === undefined)
    return {
      did: takeText(t),
      never: 'never had an act end this way',
      why: 'how an act ends shows whether it is allowed what it tries',
      step: `look at what was asked of ${t.thing}, and ${grantStep(t)} if nobody can explain it`,
      quiet,
    }
  return {
    did: `ran into ${amountText(observed)}${inWindow(observed)}${lastAct(t)}`,
    never: observed.unit === 'denials' ? 'was never denied this often' : 'never failed this often',
    usually: usualAmount(t, 'ran into'),
    why: 'repeated refusals show somebody trying doors',
    step: `read the refused requests, and ${grantStep(t)} until they are explained`,
    quiet,
  }
}
