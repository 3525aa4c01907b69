import type { Alert, Quantity } from '@plumbline/schemas'
import { counted } from '../output.ts'

/** An alert as a person reads it: severity and time, then the words. */
export const alertWords = ({ severity, score, lastSeen, text, id, techniques, count }: Alert): string => {
  const head = `${severity.toUpperCase()}  ${new Date(lastSeen).toISOString().replace('T', ' ').slice(0, 16)} UTC  ${text.headline}`
  const body = [text.normal, text.why, text.certainty, `First: ${text.firstStep}`].filter((line) => line !== '' && line !== 'First: ')
  const technique = techniques.map((t) => `${t.uid} ${t.name}`).join(', ')
  const end = [`score ${score.toFixed(0)} of 100`, counted(count, 'event'), technique, id].filter((part) => part !== '')
  return [head, ...body.map((line) => `  ${line}`), `  ${end.join('; ')}`].join('\n')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

const bytesWords = (value: number): string => {
  const power = value < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3))
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`
}

const windowWords = (ms: number): string => {
  if (ms >= 86_400_000) return ms === 86_400_000 ? 'a day' : `in ${(ms / 86_400_000).toFixed(0)} days`
  if (ms >= 3_600_000) return ms === 3_600_000 ? 'an hour' : `in ${(ms / 3_600_000).toFixed(0)} h`
  return ms >= 60_000 ? `in ${(ms / 60_000).toFixed(0)} min` : `in ${(ms / 1000).toFixed(0)} s`
}

/** Units are named for many: one of them loses its s. */
const unitWords = (value: number, unit: string): string => unit.replaceAll('_', ' ').replace(value === 1 ? /s$/ : /$^/, '')

/** An amount with its unit, like `214 events in 6 min`. */
export const quantityWords = ({ value, unit, perMs }: Quantity): string => {
  const number = Number.isInteger(value) ? String(value) : value.toPrecision(3)
  const amount =
    unit === 'bytes' ? bytesWords(value) : unit === 'share' ? `${(value * 100).toFixed(0)} %` : `${number} ${unitWords(value, unit)}`
  return perMs === undefined ? amount : `${amount} ${windowWords(perMs)}`
}
