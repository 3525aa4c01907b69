import type { HistoryAnswer } from '@plumbline/schemas'
import { columns, counted } from '../output.ts'
import type { BackfillResult } from './backfill.ts'
import type { Spool } from './spool.ts'

const DAY_MS = 86_400_000
const SHOWN = 20
/** Maturity from which an identity's own habits outweigh those of its peers. */
const KNOWN_WELL = 0.8
const LEARNING = 0.3

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const minute = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 16)
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

/** The five worst in words. */
const topWords = (answer: HistoryAnswer): string => {
  if (answer.alerts === 0) return 'It would not have alerted.'
  const rows = answer.top.map((a) => ['', a.severity.toUpperCase(), `${minute(a.firstSeen)} UTC`, a.headline])
  const which = answer.top.length === 1 ? 'the one' : `the top ${answer.top.length === 5 ? 'five' : answer.top.length} are`
  return `It would have alerted ${answer.alerts} ${answer.alerts === 1 ? 'time' : 'times'}, ${which}\n${columns(rows)}`
}

const maturityWords = ({ identities }: HistoryAnswer): string => {
  const band = (from: number, to: number): number => identities.filter(({ maturity }) => maturity >= from && maturity < to).length
  const bands = `${band(KNOWN_WELL, 2)} known well, ${band(LEARNING, KNOWN_WELL)} still being learned, ${band(0, LEARNING)} hardly known`
  const rows = identities.slice(0, SHOWN).map((i) => ['', i.identity, percent(i.maturity), counted(i.events, 'event')])
  const more = identities.length > SHOWN ? `\n  … and ${identities.length - SHOWN} more (--json has all)` : ''
  return `${counted(identities.length, 'identity', 'identities')}: ${bands}\n${columns(rows)}${more}`
}

/** What a finished backfill says. */
export const backfillWords = (result: BackfillResult, history: Spool, tookMs: number): string => {
  const { events, before, rejected, codes, tenants } = result
  const why = Object.entries(codes).map(([code, n]) => `${n} ${code}`)
  const refused = rejected === 0 ? 'none refused' : `${rejected} refused (${why.join(', ')})`
  const earlier = before === 0 ? '' : `, ${before.toLocaleString('en')} of them by earlier runs`
  const days = Math.max(1, Math.round((history.toTime - history.fromTime) / DAY_MS))
  const span = history.events === 0 ? '' : ` from ${day(history.fromTime)} to ${day(history.toTime)} (${counted(days, 'day')})`
  const names = Object.keys(tenants)
  return [
    `${counted(events + before, 'event')} of ${counted(history.files.length, 'file')}${span}${earlier}, in ${(tookMs / 1000).toFixed(1)} s; ${refused}`,
    ...names.flatMap((name) => {
      const answer = tenants[name]
      if (answer === undefined) return []
      const models = answer.models === 0 ? 'No model yet: statistics alone score.' : `${counted(answer.models, 'model')} trained.`
      return [...(names.length > 1 ? [`\nTenant ${name}`] : []), maturityWords(answer), models, topWords(answer)]
    }),
  ].join('\n')
}
