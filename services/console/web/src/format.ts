import type { EventView, Quantity, Reason } from '@plumbline/schemas'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 3 significant digits, with thousands marks: 0.43, 12.7, 214, 12,400. */
export function amount(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en-US')
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value))
  return String(Number(value.toPrecision(size < 1 ? 2 : 3)))
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = Math.max(0, value)
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(size) : Number(size.toPrecision(size < 100 ? 2 : 3))} ${units[unit]}`
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 2 * MINUTE) return `${Number((ms / 1000).toPrecision(3))} s`
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Number((ms / HOUR).toPrecision(2))} h`
  return `${Math.round(ms / DAY)} days`
}

const NAMED_WINDOWS = new Map([
  [MINUTE, 'a minute'],
  [HOUR, 'an hour'],
  [DAY, 'a day'],
  [7 * DAY, 'a week'],
])

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

const plural = (value: number, one: string, many: string): string => `${amount(value)} ${value === 1 ? one : many}`

function bare(quantity: Quantity): string {
  const { value } = quantity
  switch (quantity.unit) {
    case 'bytes':
      return bytes(value)
    case 'ms':
      return duration(value)
    case 'share':
      return `${amount(value * 100)} %`
    case 'km/h':
      return `${amount(value)} km/h`
    case 'hour_of_week':
      return `${WEEKDAYS[Math.floor(value / 24) % 7] ?? ''} ${String(Math.floor(value) % 24).padStart(2, '0')}:00 UTC`
    case 'times':
      return `${amount(value)} ×`
    case 'events':
      return plural(value, 'event', 'events')
    default:
      return plural(value, quantity.unit.replace(/s$/, ''), quantity.unit)
  }
}

/** "3.2 GB in 6 min", "40 MB an hour": an amount with its window, in words. */
export function quantity(q: Quantity): string {
  if (q.perMs === undefined) return bare(q)
  return `${bare(q)} ${NAMED_WINDOWS.get(q.perMs) ?? `in ${duration(q.perMs)}`}`
}

/** The usual amount; "never before" only where that is known. */
export function typical({ typical, first }: Reason): string {
  if (typical === undefined) return first === true ? 'never before' : 'not known'
  return typical.unit === 'share' ? `${quantity(typical)} of its acts` : quantity(typical)
}

/** What a row of "observed against typical" is about, without names of features. */
export function subject(reason: Reason): string {
  const object = reason.object ?? ''
  const named = (words: string): string => (object === '' ? words : `${words}: ${object}`)
  const total = reason.observed.perMs !== undefined
  const fresh = (words: string): string => named(reason.first === true ? `New ${words}` : words.slice(0, 1).toUpperCase() + words.slice(1))
  switch (reason.family) {
    case 'sensitive_access':
      return total ? 'Sensitive data asked for' : named('Data')
    case 'toxic_flow':
      return reason.trigger === undefined
        ? named('Flow to the outside')
        : `Flow after ${reason.trigger}${object === '' ? '' : ` → ${object}`}`
    case 'new_destination':
      return total ? 'Outside destinations addressed' : fresh('destination')
    case 'volume':
      return total ? 'Amount of data in all' : named('Amount of data')
    case 'rate':
      return named('Pace')
    case 'enumeration':
      return total ? 'Different resources' : named('Resource')
    case 'new_behaviour':
      return reason.observed.unit === 'times' ? 'Uses of something new to it' : fresh('activity')
    case 'off_hours':
      return named('Time of the week')
    case 'source':
      return fresh('source')
    case 'travel':
      return reason.previous === undefined ? named('Travel') : `Travel ${reason.previous} → ${object}`
    case 'shared_credential':
      return total ? 'Networks at the same time' : named('Acting for')
    case 'lateral_movement':
      return reason.previous === undefined ? fresh('segment') : `Segment ${reason.previous} → ${object}`
    case 'probing':
      return total ? 'Refusals and failures in all' : named('Outcome')
    case 'drift':
      return named('Slow change')
    case 'version_change':
      return fresh('version')
    case 'policy':
      return named('Rule')
    case 'combination':
      return named('Several small departures')
    default:
      return named('Departure')
  }
}

export function peers(reason: Reason): string {
  if (reason.peers === undefined) return ''
  if (reason.peers.count === 0) return 'no peers known'
  return `${reason.peers.doing === 0 ? 'none' : reason.peers.doing} of ${reason.peers.count} peers`
}

const sameDay = (a: Date, b: Date): boolean => a.toDateString() === b.toDateString()

/** Local time; the date is added unless it is today. */
export function clock(ms: number, now: number = Date.now()): string {
  const at = new Date(ms)
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  if (sameDay(at, new Date(now))) return time
  const sameYear = at.getFullYear() === new Date(now).getFullYear()
  return `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) })}, ${time.slice(0, 5)}`
}

/** As the words of alerts say it. */
export const kindWords = (kind: string): string => (kind === 'user' ? 'person' : kind)

/** "41 days, very well known": how far a baseline can be trusted, in words. */
export function maturityWords(maturity: number): string {
  if (maturity >= 0.9) return 'very well known'
  if (maturity >= 0.6) return 'well known'
  if (maturity >= 0.3) return 'still being learned'
  return 'new'
}

/** Why an act was not reported, as far as its events tell. `alertsFrom`: score from which events are, unless a rule speaks. */
export function quietWords(events: readonly EventView[], alertsFrom: number | undefined): string {
  const [first, ...rest] = events
  if (first === undefined) return ''
  const most = rest.reduce((worst, event) => (event.score > worst.score ? event : worst), first)
  const score = Math.round(most.score)
  const measured =
    rest.length === 0 ? `Its one event scored ${score} of 100` : `The most unusual of its ${events.length} events scored ${score} of 100`
  if (events.some(({ flags }) => flags.includes('announced'))) return `Expected of a change that was announced. ${measured}.`
  if (events.some(({ flags }) => flags.includes('excepted'))) return `Covered by your verdict or an exception. ${measured}.`
  if (events.some(({ flags }) => flags.includes('alerted'))) return `It joined an alert that is already open. ${measured}.`
  const limit = alertsFrom === undefined ? '' : `; unless a rule speaks, it reports from about ${Math.round(alertsFrom)}`
  const sent = most.bytesOut > 0 && most.destination !== '' ? ` That one sent ${bytes(most.bytesOut)} to ${most.destination}.` : ''
  return `${measured}${limit}.${sent}`
}

/** Dates where the marks are days apart, hours of the day below. */
export function tick(ms: number, stepSeconds: number): string {
  const at = new Date(ms)
  const midnight = at.getHours() === 0 && at.getMinutes() === 0
  const year = at.getFullYear() === new Date().getFullYear() ? {} : ({ year: '2-digit' } as const)
  if (stepSeconds >= 86_400 || midnight) return at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...year })
  return at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
}

/** Seconds. Around a single hour the chart would else show years. */
export const atLeastADay = (from: number, to: number): [number, number] => [
  Math.min(from, to - 86_400),
  to + (to - from < 86_400 ? 3600 : 0),
]
