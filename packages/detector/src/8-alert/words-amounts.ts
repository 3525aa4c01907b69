import { nameText } from './words-names.ts'
import { atMost, grantStep, lastAct, outcomeOf, possessive, takeText, type Teller } from './words-tools.ts'
import { amountText, durationText, inWindow, numberText, perWindow } from './words-units.ts'

export const volume: Teller = (t) => {
  const { feature, observed, typical } = t.reason
  const tokens = observed.unit === 'tokens' || feature.startsWith('tokens')
  const out = feature.startsWith('bytes_out') || (!feature.startsWith('bytes_in') && t.act.write)
  const [base, past] = tokens ? ['use', 'used'] : out ? ['send', 'sent'] : ['read', 'read']
  const place =
    t.facts.destination !== undefined && out ? ` to ${nameText(t.facts.destination)}` : tokens ? '' : out ? '' : ` of ${t.thing}`
  const amount = `${amountText(observed)}${place}${observed.perMs === undefined ? ' in one go' : inWindow(observed)}`
  return {
    did: outcomeOf(t, `${base} ${amount}`, `${past} ${amount}`),
    never: `never ${past} this much`,
    usually:
      typical === undefined
        ? undefined
        : `usually ${past} ${amountText(typical)}${typical.perMs === undefined ? ' at a time' : perWindow(typical)}`,
    why: tokens
      ? 'a loop or a hijacked task costs money and hides other work'
      : out
        ? 'data that has left cannot be called back'
        : 'much read at once is how data is gathered before it leaves',
    step: tokens
      ? 'cap its tokens and look for a loop'
      : out
        ? `pause ${possessive(t)} sending${t.facts.destination === undefined ? '' : ` to ${nameText(t.facts.destination)}`}`
        : grantStep(t),
    quiet: atMost(t, 'at amounts it has shown before'),
  }
}

export const rate: Teller = (t) => {
  const { feature, observed, typical } = t.reason
  const usual = (text: string) => (typical === undefined ? undefined : `usually ${text}`)
  const common = {
    why: 'a loop, a script or a stolen credential works like this',
    step: 'throttle it, then look for a loop or a second user of its credential',
  }
  if (feature === 'gap_own' && observed.unit === 'ms')
    return {
      ...common,
      did: outcomeOf(
        t,
        `${t.act.base} only ${amountText(observed)} after its last act`,
        `${t.act.past} only ${amountText(observed)} after its last act`,
      ),
      never: 'never acted this fast',
      usually: usual(`waited ${typical === undefined ? '' : amountText(typical)} between acts`),
      quiet: 'at its usual pace',
    }
  if (observed.unit === 'ms')
    return {
      ...common,
      did: outcomeOf(t, `${t.act.base} for ${amountText(observed)}`, `${t.act.past} for ${amountText(observed)}`),
      never: 'never took this long',
      usually: usual(`took ${typical === undefined ? '' : amountText(typical)}`),
      why: 'an act that takes this long does more than it used to',
      quiet: 'at its usual duration',
    }
  if (feature === 'session_length' && observed.perMs === undefined)
    return {
      ...common,
      did: `made ${numberText(observed.value)} calls in one session${lastAct(t)}`,
      never: 'never had a session this long',
      usually: usual(`made ${typical === undefined ? '' : numberText(typical.value)} calls in a session`),
      quiet: 'in a session of its usual length',
    }
  const much = `${amountText(observed)}${inWindow(observed)}`
  return {
    ...common,
    did: `acted ${much}${lastAct(t)}`,
    never: 'never acted this often',
    usually: typical === undefined ? undefined : `usually acted ${amountText(typical)}${perWindow(typical)}`,
    quiet: atMost(t, 'at rates it has shown before'),
  }
}

export const drift: Teller = (t) => {
  const { reason } = t
  if (reason.feature === 'silence' && reason.observed.unit === 'ms')
    return {
      did: `${takeText(t)} after ${amountText(reason.observed)} of silence`,
      never: 'was never silent this long',
      usually: reason.typical === undefined ? undefined : `usually came back after ${amountText(reason.typical)}`,
      why: 'forgotten identities are taken over because nobody misses them',
      step: 'disable it unless somebody can say why it came back',
      quiet: 'had it been in use all along',
    }
  const bytes = reason.observed.unit === 'bytes'
  const did = bytes ? 'sent' : 'acted'
  const usual = reason.typical?.unit === reason.observed.unit ? reason.typical.value : 0
  if (reason.observed.value <= usual)
    return {
      did: takeText(t),
      never: `never ${did} like this over the long run`,
      usually: `usually ${did} ${amountText({ ...reason.observed, value: usual })}${perWindow(reason.observed)} over the long run`,
      why: 'a change over the long run stays under every daily limit',
      step: 'ask what changed in what it is used for',
      quiet: 'without the change over the long run',
    }
  return {
    did: `has grown to ${bytes ? 'sending ' : 'acting '}${amountText(reason.observed)}${perWindow(reason.observed)}${lastAct(t)}`,
    never: `never ${did} this much over the long run`,
    usually:
      reason.typical === undefined
        ? undefined
        : `usually ${did} ${amountText(reason.typical)}${perWindow(reason.typical)} over the long run`,
    why: 'growth in small steps stays under every daily limit; only the long run shows it',
    step: 'ask whether this growth is intended, and set a limit if not',
    quiet: atMost(t, 'without the growth'),
  }
}

export const probing: Teller = (t) => {
  const { reason } = t
  if (reason.feature === 'denied_then_allowed') {
    const since = reason.sinceMs === undefined ? '' : ` ${durationText(reason.sinceMs)}`
    return {
      did: `${t.act.past}${since} after being denied it`,
      never: 'was never denied and then let in like this',
      usually: undefined,
      why: 'somebody tried until a way in was found',
      step: `close the way in: ${grantStep(t)}`,
      quiet: 'had the denial been the end of it',
    }
  }
  const denied = reason.observed.unit === 'denials'
  const counts = (denied || reason.observed.unit === 'failures') && reason.observed.value > 0
  if (!counts)
    return {
      did: takeText(t),
      never: `never had this outcome with ${t.thing}`,
      why: 'how an act ends shows whether it is allowed what it tries',
      step: `look at what was asked of ${t.thing}, and ${grantStep(t)} if nobody can explain it`,
      quiet: 'with the outcome it usually has',
    }
  const many = `${amountText(reason.observed)}${inWindow(reason.observed)}`
  return {
    did: `ran into ${many}${lastAct(t)}`,
    never: denied ? 'was never denied this often' : 'never failed like this',
    usually:
      reason.typical === undefined || reason.typical.value <= 0
        ? undefined
        : `usually ran into ${amountText(reason.typical)}${perWindow(reason.typical)}`,
    why: 'repeated refusals show somebody trying doors',
    step: `read the refused requests, and ${grantStep(t)} until they are explained`,
    quiet: atMost(t, 'without the refusals'),
  }
}
