import type { Quantity } from '@plumbline/schemas'

/**
 * Amounts as a person writes them. Own formatting, no locale: the same facts give the same bytes everywhere.
 */
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 1234567 → `1,234,567`; below 100 one decimal is kept when it says something (2.5, but 3). */
export const numberText = (value: number): string => {
  if (!Number.isFinite(value)) return 'an unknown number of'
  const size = Math.abs(value)
  const rounded = size < 100 ? Math.floor(size * 10 + 0.5) / 10 : Math.floor(size + 0.5)
  if (rounded >= 1e15) return 'more than a quadrillion'
  const whole = Math.floor(rounded)
  const tenths = Math.floor((rounded - whole) * 10 + 0.5)
  let digits = `${whole}`
  for (let at = digits.length - 3; at > 0; at -= 3) digits = `${digits.slice(0, at)},${digits.slice(at)}`
  return `${value < 0 && rounded > 0 ? '-' : ''}${digits}${tenths > 0 ? `.${tenths}` : ''}`
}

/** `1 record`, `2 records`, `no records` never: 0 says `0 records`. */
export const counted = (value: number, singular: string, plural = `${singular}s`): string =>
  `${numberText(value)} ${numberText(value) === '1' ? singular : plural}`

const nearly = (t: number, unit: number): boolean => Math.abs(t - unit) < unit / 50

/** 40000 → `40 s`, 360000 → `6 min`, 41 days stay `41 days`. */
export const durationText = (ms: number): string => {
  if (!Number.isFinite(ms)) return 'an unknown time'
  const t = Math.max(0, ms)
  if (t < SECOND) return `${numberText(Math.floor(t + 0.5))} ms`
  if (t >= MINUTE - 1 && t < 99.5 * SECOND && nearly(t, MINUTE)) return '1 min'
  if (t >= HOUR - 1 && t < 99.5 * MINUTE && nearly(t, HOUR)) return '1 h'
  if (t < 99.5 * SECOND) return `${numberText(t < 10 * SECOND ? t / SECOND : Math.floor(t / SECOND + 0.5))} s`
  if (t < 99.5 * MINUTE) return `${Math.floor(t / MINUTE + 0.5)} min`
  if (t < 47.5 * HOUR) return `${numberText(t < 10 * HOUR ? t / HOUR : Math.floor(t / HOUR + 0.5))} h`
  return counted(Math.floor(t / DAY + 0.5), 'day')
}

/** Decimal units, as disks and invoices use them: 2400000000 → `2.4 GB`. */
export const bytesText = (bytes: number): string => {
  let value = Math.max(0, bytes)
  if (value < 999.5) return counted(Math.floor(value + 0.5), 'byte')
  for (const unit of ['kB', 'MB', 'GB', 'TB', 'PB']) {
    value /= 1000
    if (value < 999.5 || unit === 'PB') return `${numberText(value)} ${unit}`
  }
  return 'an unknown number of bytes'
}

/** A typical amount below half of one is `less than 1`, never a row of decimals. */
const few = (value: number, singular: string, plural: string): string =>
  value > 0 && value < 0.95 ? `less than 1 ${singular}` : counted(value < 10 ? value : Math.floor(value + 0.5), singular, plural)

/** The amount alone, with its unit: `214 times`, `2.4 GB`, `7 different networks`. */
export const amountText = (q: Quantity): string => {
  const v = q.value
  switch (q.unit) {
    case 'bytes':
      return bytesText(v)
    case 'ms':
      return durationText(v)
    case 'tokens':
      return few(v, 'token', 'tokens')
    case 'resources':
      return few(v, 'resource', 'different resources')
    case 'destinations':
      return few(v, 'destination', 'different destinations')
    case 'failures':
      return few(v, 'failure', 'failures')
    case 'denials':
      return few(v, 'denial', 'denials')
    case 'share':
      return v > 0 && v < 0.005 ? 'under 1 %' : `${numberText(Math.floor(v * 100 + 0.5))} %`
    case 'km/h':
      return `${numberText(Math.floor(v + 0.5))} km/h`
    case 'hour_of_week':
      return hourOfWeekText(v)
    case 'sources':
      return few(v, 'network', 'different networks')
    case 'actions':
      return few(v, 'action', 'different actions')
    case 'events':
    case 'times':
      return v > 0 && v < 0.95 ? 'less than once' : numberText(v) === '1' ? 'once' : few(v, 'time', 'times')
  }
}

/** ` in 6 min` for what was observed. */
export const inWindow = (q: Quantity): string => (q.perMs === undefined ? '' : ` in ${durationText(q.perMs)}`)

/** ` a day` for what is usual. */
export const perWindow = (q: Quantity): string => {
  if (q.perMs === undefined) return ''
  if (q.perMs === MINUTE) return ' a minute'
  if (q.perMs === HOUR) return ' an hour'
  if (q.perMs === DAY) return ' a day'
  return ` per ${durationText(q.perMs)}`
}

/** How many times `a` is of `b`, like `120 times`; undefined where they do not compare or hardly differ. */
export const timesText = (a: Quantity, b: Quantity): string | undefined => {
  if (a.unit !== b.unit || (a.perMs ?? 0) !== (b.perMs ?? 0) || !(b.value >= 0.95)) return undefined
  const ratio = a.value / b.value
  if (!(ratio >= 1.15) || ratio > 1e12) return undefined
  if (ratio < 10) return `${numberText(ratio)} times`
  let step = 1
  while (ratio / step >= 100) step *= 10
  return `${numberText(Math.floor(ratio / step + 0.5) * step)} times`
}

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`)

/** 0 is Monday, midnight to one o'clock UTC; 167 the last hour of Sunday. */
export const hourOfWeekText = (hour: number): string => {
  const h = ((Math.floor(hour) % 168) + 168) % 168
  return `${WEEKDAYS[Math.floor(h / 24)] ?? ''} ${two(h % 24)}:00 UTC`
}

/** `Sunday 03:12 UTC` of an instant in epoch milliseconds. */
export const clockText = (timeMs: number): string => {
  const minutes = Math.floor(timeMs / MINUTE)
  const days = Math.floor(minutes / 1440)
  const minute = minutes - days * 1440
  return `${WEEKDAYS[(((days + 3) % 7) + 7) % 7] ?? ''} ${two(Math.floor(minute / 60))}:${two(minute % 60)} UTC`
}

/** `Sunday at 03:12 UTC`. */
export const clockInSentence = (timeMs: number): string => clockText(timeMs).replace(' ', ' at ')
