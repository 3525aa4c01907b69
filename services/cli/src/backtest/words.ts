import { columns, counted } from '../output.ts'
import type { BacktestGroup, Comparison } from './compare.ts'

const LISTED = 30

const timeWords = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 16)

const listWords = (groups: readonly BacktestGroup[]): string => {
  const rows = groups
    .slice(0, LISTED)
    .map(({ firstSeen, severity, family, verdict, headline }) => [
      `  ${timeWords(firstSeen)}`,
      severity,
      family.replaceAll('_', ' '),
      verdict ?? '',
      headline,
    ])
  const more = groups.length > LISTED ? `\n  and ${groups.length - LISTED} more; --json lists all` : ''
  return `${columns(rows)}${more}`
}

const toldWords = ({ told, held }: Comparison['before']): string =>
  `${counted(told, 'alert')} told${held === 0 ? '' : `, ${held.toLocaleString('en')} held back by the ceiling of the day`}`

/** What was compared, in words that say first what the settings would have cost. */
export const backtestWords = (
  found: Comparison & { readonly events: number; readonly sinceTime: number },
  names: readonly [string, string],
): string => {
  const { before, after, gone, more, goneConfirmed, events, sinceTime } = found
  const lines = [
    `${counted(events, 'event')}, alerts since ${timeWords(sinceTime)} UTC`,
    `${names[0]}: ${toldWords(before)}`,
    `${names[1]}: ${toldWords(after)}`,
  ]
  if (goneConfirmed > 0) lines.push('', `${counted(goneConfirmed, 'alert')} that an analyst CONFIRMED would not have been told.`)
  if (gone.length > 0) lines.push('', `Not told any more: ${gone.length}`, listWords(gone))
  if (more.length > 0) lines.push('', `Told in addition: ${more.length}`, listWords(more))
  if (gone.length === 0 && more.length === 0) lines.push('', 'The same alerts would have been told.')
  return lines.join('\n')
}

/** What an answer from stored scores leaves out. */
export const STORED_LIMITS =
  'From stored scores, as they were: what would have been learned otherwise in between is not in it, the ceiling of a busy day is filled by event time, and events that would have alerted are grouped by their heaviest feature. Name files of events to have it exactly, by replay.'
